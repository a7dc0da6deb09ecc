"""The command line, and a working folder, as in its own tests."""

from tests.cli.conftest import cli, folder

__all__ = ["cli", "folder"]
