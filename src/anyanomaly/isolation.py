"""Child processes run nothing that lies in the current folder. Standard library only.

Python puts the current folder, or that of the main script, in front of its module search path; ``PATH`` and
``LD_LIBRARY_PATH`` may name the current folder too. A ``torch.py``, a ``git`` or a ``libz.so.1`` in a downloaded folder
would then run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PROGRAM_TIMEOUT_S = 20.0


def isolate_children() -> None:
    """Set the environment for all processes that this one starts, and that these start in turn."""
    os.environ.update(child_environment())


def child_environment() -> dict[str, str]:
    """Return the environment of this process, changed so that a child runs nothing of the current folder.

    Python finds no modules there (``PYTHONSAFEPATH``), and programs and shared libraries are searched in absolute
    folders of ``PATH`` and ``LD_LIBRARY_PATH`` only. Folders that the user names in ``PYTHONPATH`` stay.
    """
    environment = {**os.environ, "PYTHONSAFEPATH": "1", "PATH": _absolute_folders("PATH") or os.defpath}
    if os.name == "posix":
        # never empty: OpenCV, when imported, writes "FOLDER:" in front of it, and what is empty is the current folder
        no_libraries = os.path.dirname(os.path.abspath(__file__))
        environment["LD_LIBRARY_PATH"] = _absolute_folders("LD_LIBRARY_PATH") or no_libraries
    return environment


def python_command(*arguments: str) -> list[str]:
    """Return a command that starts this Python without the current folder on its module search path."""
    return [sys.executable, "-P", *arguments]


def program_output(name: str, *arguments: str) -> str | None:
    """Return what a program prints; None when it is not installed, fails, or takes longer than 20 s.

    :param name: of a program in an absolute folder of ``PATH``.
    """
    environment = child_environment()
    program = shutil.which(name, path=environment["PATH"])
    if program is None or not os.path.isabs(program):  # Windows searches the current folder too
        return None
    command = [program, *arguments]
    try:
        process = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROGRAM_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return process.stdout


def _absolute_folders(variable: str) -> str:
    """Return a search path without its relative and empty entries, which stand for the current folder."""
    folders = os.environ.get(variable, "").split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if os.path.isabs(folder))
