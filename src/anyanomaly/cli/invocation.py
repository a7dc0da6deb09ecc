"""Run one command: build it, run it, and turn whatever ends it into a message and an exit code."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from anyanomaly import interrupts
from anyanomaly.cli.call import GLOBAL_OPTIONS, Call, completion_arguments
from anyanomaly.cli.output import print_message, print_traceback, start_logging
from anyanomaly.errors import (
    BUG,
    DISK_FULL,
    INTERRUPTED,
    PIPE_CLOSED,
    AnyAnomalyError,
    BackendError,
    InputError,
    OutputError,
)

if TYPE_CHECKING:
    from anyanomaly.registry import Registry

log = logging.getLogger(__name__)

BUG_MESSAGE = (
    "This is a bug in anyanomaly. Please report it with the lines above, the command, and the output of: "
    "anyanomaly doctor"
)


def invoke(argv: Sequence[str] | None) -> int:
    """Run one command and return its exit code. ``argv``: its arguments; None: those of this process."""
    to_complete = completion_arguments()
    arguments = to_complete if to_complete is not None else list(sys.argv[1:] if argv is None else argv)
    call = Call.parse(arguments or ["--help"], to_complete is not None)
    start_logging(call.log_level)
    thresholds = gc.get_threshold()
    gc.set_threshold(50_000, *thresholds[1:])  # imports make no garbage; collecting takes a fifth of the start-up time
    try:
        code = _run(call)
        sys.stdout.flush()
        interrupts.check()  # Typer makes an exit code of it, a plugin perhaps nothing
        if code == INTERRUPTED:
            print_error("interrupted")
    except BaseException as error:
        code = _report(error, call)
    finally:
        gc.set_threshold(*thresholds)
    if code in (PIPE_CLOSED, OutputError.exit_code):
        _discard_output()
    return code


def _run(call: Call) -> int:
    if call.argv == ["plugins"] and not call.is_completion:  # without Typer, whose import takes longer than the list
        from anyanomaly.cli.listing import list_components
        from anyanomaly.specs import ROLE_NAMES

        list_components(call, ROLE_NAMES, as_json=False)
        return 0
    import typer

    from anyanomaly.cli.app import build_app

    try:
        return int(build_app(call)(args=call.argv, prog_name="anyanomaly", standalone_mode=False) or 0)
    except typer.Abort as abort:  # Typer makes it of EOFError
        raise abort.__cause__ or abort from abort.__cause__


def _report(error: BaseException, call: Call) -> int:
    """Print what ended a command, and return its exit code."""
    if number := interrupts.received():  # whatever became of the interruption on its way
        print_error("interrupted")
        return 128 + number
    if isinstance(error, KeyboardInterrupt):
        print_error("interrupted")
        return INTERRUPTED
    if call.is_completion:
        return 0  # a shell waits for words, not for messages
    if isinstance(error, SystemExit) and (code := _typer_exit_code(error, call)) is not None:
        return code
    if isinstance(error, BrokenPipeError):
        return PIPE_CLOSED
    explained = error if isinstance(error, AnyAnomalyError) else _explain(error, call)
    if explained is not None:
        print_error(str(explained))
        return explained.exit_code
    if (code := _report_wrong_arguments(error, call)) is not None:
        return code
    _print_traceback(error)
    print_error(BUG_MESSAGE)
    return BUG


def _typer_exit_code(error: SystemExit, call: Call) -> int | None:
    """Return the code with which Typer exits after completions, and when a pipe is closed; None: it was not Typer."""
    if isinstance(error.__context__, BrokenPipeError):
        return PIPE_CLOSED
    if call.registry.plugin_failure(error):
        return None
    return error.code if isinstance(error.code, int) else 0


def _explain(error: BaseException, call: Call) -> AnyAnomalyError | None:
    """Return the error that stands for an exception of Python; None: it is a bug, or wrong arguments."""
    registry: Registry | None = call.__dict__.get("registry")  # of a call that has loaded plugins
    if registry and (failure := registry.plugin_failure(error)):
        return failure
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        place = error.filename or "Standard output"
        return OutputError(f"{place} cannot be written: {error.strerror}. Free some space, or write elsewhere.")
    if isinstance(error, MemoryError | RecursionError):
        log.info("The command failed:", exc_info=error)
    if isinstance(error, MemoryError):
        return BackendError("Memory ran out. Use a smaller model, or shorter segments (--segment-frames).")
    if isinstance(error, RecursionError):
        return InputError("An input is nested too deeply: a settings file, a result file or an answer. Simplify it.")
    return None


def _report_wrong_arguments(error: BaseException, call: Call) -> int | None:
    """Print what is wrong with arguments that cannot be parsed, and return the exit code; None: it is another error."""
    import typer

    if not isinstance(error, typer.TyperException):
        return None
    message = " ".join(error.format_message().split())
    print_error(f"{message}{'' if message.endswith(('.', '?', ')')) else '.'} {_hint(call, error)}")
    return int(error.exit_code)


def _hint(call: Call, error: Exception) -> str:
    """Return advice for arguments that cannot be parsed."""
    misplaced = [argument for argument in call.arguments if argument.partition("=")[0] in GLOBAL_OPTIONS]
    if misplaced:
        return f"{misplaced[0]} belongs before the command: anyanomaly {misplaced[0]} ... {call.command}"
    from anyanomaly.cli.app import COMMANDS

    command = f"anyanomaly {call.command}" if call.command in COMMANDS else "anyanomaly"
    context = getattr(error, "ctx", None)  # of the subcommand, for example `config show`; not every error has one
    return f"See: {context.command_path if context else command} --help"


def print_error(message: str) -> None:
    """Print a message on standard error, which may be a terminal that is gone."""
    with suppress(OSError):
        print_message(f"anyanomaly: {message}")


def _print_traceback(error: BaseException) -> None:
    with suppress(OSError):
        print_traceback(error)


def _discard_output() -> None:
    """Send buffered output to the null device, so that Python's flush at exit does not fail again."""
    try:
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, sys.stdout.fileno())
        os.close(null_device)
    except (OSError, ValueError):  # standard output is not a file
        pass
