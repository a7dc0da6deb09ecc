"""Child processes run nothing that lies in the current folder. Standard library only.

Python puts the current folder, or that of the main script, in front of its module search path; ``PATH`` may name the
current folder too. A ``torch.py`` or a ``git`` in a downloaded folder would then run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAM_TIMEOUT_S = 20.0


def isolate_children() -> None:
    """Set the environment for all processes that this one starts, and that these start in turn.

    Python finds no modules in the current folder (``PYTHONSAFEPATH``), and programs are searched in absolute folders
    of ``PATH`` only. Folders that the user names in ``PYTHONPATH`` stay.
    """
    os.environ["PYTHONSAFEPATH"] = "1"
    os.environ["PATH"] = _absolute_folders()


def python_command(*arguments: str) -> list[str]:
    """Return a command that starts this Python without the current folder on its module search path."""
    return [sys.executable, "-P", *arguments]


def program_output(name: str, *arguments: str) -> str | None:
    """Return what a program prints; None when it is not installed, fails, or takes longer than 20 s.

    :param name: of a program in an absolute folder of ``PATH``.
    """
    program = shutil.which(name, path=_absolute_folders())
    if program is None or not os.path.isabs(program):  # Windows searches the current folder too
        return None
    try:
        command = [program, *arguments]
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PROGRAM_TIMEOUT_S, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None


def _absolute_folders() -> str:
    """Return ``PATH`` without its relative and empty entries, which stand for the current folder."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if os.path.isabs(folder)) or os.defpath
