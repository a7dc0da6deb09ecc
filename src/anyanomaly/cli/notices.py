"""Notices on standard error before a run starts: config file, downloads, the backend that ``auto`` stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import print_message

if TYPE_CHECKING:
    from anyanomaly.assemble.resolve import ResolvedRun
    from anyanomaly.config.files import ConfigFile


def announce_file(file: ConfigFile | None, call: Call) -> None:
    """Print that settings come from a file that the user did not name, unless the command line has ``--quiet``."""
    if file is not None and not file.is_named and not call.quiet:
        print_message(f"anyanomaly: settings from {file.path} in the current folder; --config names another file.")


def print_start_notices(run: ResolvedRun, call: Call) -> None:
    """Print the notices, unless the command line has ``--quiet``.

    :raises MissingRequirement: when weights are not on this machine and cannot be downloaded.
    """
    from anyanomaly.assemble.downloads import announce_downloads

    if run.backend.reason and not call.quiet:
        print_message(f"anyanomaly: backend {run.backend.name}, because {run.backend.reason}; --backend names another.")
    for sentence in announce_downloads(run):
        if not call.quiet:
            print_message(f"anyanomaly: {sentence}.")
