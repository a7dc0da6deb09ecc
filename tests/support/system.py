"""Programs of the system that tests need and pip cannot install."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {"chromium": "chromium", "ffmpeg": "ffmpeg", "ffprobe": "ffmpeg"}
"""Program to the Debian package that holds it; the same packages are in the Makefile."""

REQUIRED = "ANYANOMALY_TESTS_REQUIRE_SYSTEM_PACKAGES"
"""Environment variable with which a missing package fails a test instead of skipping it; CI sets it."""


def needs_program(name: str) -> str:
    """Return the path of a program; skip the test when its package is missing, or fail it where all are required."""
    path = shutil.which(name)
    if path:
        return path
    test, *_ = os.environ["PYTEST_CURRENT_TEST"].split()  # pytest lists skipped tests by their reasons, without names
    reason = f"{test} needs the program {name}; install it with: sudo apt-get install {PACKAGES[name]}"
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)
