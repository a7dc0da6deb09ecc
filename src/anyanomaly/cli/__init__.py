"""The command line. Only this layer prints and exits.

``invocation`` runs one command: ``call`` scans the arguments, ``app`` builds the command, and the command's module,
for example ``run``, adds its flags. Flags come from the fields of pydantic models (``flags``): those of a run are the
fields of ``config.model`` and of the options of the run's components (``run_flags``).

This module imports nothing else before signals are handled, so that an early Ctrl-C prints no traceback.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from anyanomaly import interrupts


def entry() -> None:
    """Run the command line and exit with its exit code."""
    code = 0
    try:
        _open_missing_streams()
        interrupts.install()
        _prepare_process()
        code = main()
        interrupts.end_command()
    except BaseException as error:
        code = _report(error)
    interrupts.leave(code)


def _report(error: BaseException) -> int:
    """Print what ended the command before or after `main`, which reports everything else; return the exit code."""
    if interrupts.received():
        from anyanomaly.cli.invocation import print_error

        print_error("interrupted")
        return 0  # `interrupts.leave` exits with that of the signal
    from anyanomaly.errors import BUG

    sys.excepthook(type(error), error, error.__traceback__)  # an incomplete installation, for example
    return BUG


def _open_missing_streams() -> None:
    """Connect closed standard streams with the null device: results would take the place of one, and mix with prints.

    For the same reason this comes before any file is opened.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115  # until the process ends
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def _prepare_process() -> None:
    from anyanomaly.cli.output import prepare_streams
    from anyanomaly.isolation import isolate_children

    isolate_children()
    prepare_streams()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (``errors.EXIT_CODES``).

    :param argv: the arguments; None: those of this process.
    """
    from anyanomaly.cli.invocation import invoke

    return invoke(argv)
