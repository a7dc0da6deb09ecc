"""The command line. Only this layer prints and exits.

`main` parses the arguments: ``call`` scans them, ``app`` builds the command, and the command's module, for example
``run``, adds its flags. Flags come from the fields of pydantic models (``flags``): those of a run are the fields of
``config.model`` and of the options of the run's components (``run_flags``).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

from anyanomaly.cli.call import GLOBAL_OPTIONS, Call, completion_arguments
from anyanomaly.cli.output import prepare_streams, print_message, start_logging
from anyanomaly.errors import DISK_FULL, AnyAnomalyError, OutputError
from anyanomaly.isolation import isolate_children

INTERRUPTED = 130
PIPE_CLOSED = 141


def entry() -> None:
    """Run the command line and exit with its exit code."""
    isolate_children()
    prepare_streams()
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: that of the error, 130 when interrupted, 141 when a pipe is closed.

    Errors of anyanomaly are printed as one line; any other exception is a bug and is raised.
    """
    to_complete = completion_arguments()
    arguments = to_complete if to_complete is not None else list(sys.argv[1:] if argv is None else argv)
    call = Call.parse(arguments or ["--help"], to_complete is not None)
    start_logging(call.log_level)
    thresholds = gc.get_threshold()
    gc.set_threshold(50_000, *thresholds[1:])  # imports make no garbage; collecting takes a fifth of the start-up time
    try:
        code = _run(call)
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        _print_error(f"Standard output cannot be written: {error.strerror}. Free some space, or redirect it elsewhere.")
        code = OutputError.exit_code
    finally:
        gc.set_threshold(*thresholds)
    if code in (PIPE_CLOSED, OutputError.exit_code):
        _discard_output()
    return code


def _run(call: Call) -> int:
    if call.argv == ["plugins"] and not call.is_completion:
        return _list_plugins(call)
    import typer

    from anyanomaly.cli.app import build_app

    try:
        code = int(build_app(call)(args=call.argv, prog_name="anyanomaly", standalone_mode=False) or 0)
    except SystemExit as end:  # Typer exits this way after completions, and when a pipe is closed
        broken = isinstance(end.__context__, BrokenPipeError)
        code = PIPE_CLOSED if broken else end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except AnyAnomalyError as error:
        if call.is_completion:
            return 0
        _print_error(str(error))
        code = error.exit_code
    except typer.TyperException as error:  # the arguments cannot be parsed
        message = " ".join(error.format_message().split())
        _print_error(f"{message}{'' if message.endswith(('.', '?', ')')) else '.'} {_hint(call, error)}")
        code = error.exit_code
    if code == INTERRUPTED:
        _print_error("interrupted")
    return code


def _list_plugins(call: Call) -> int:
    """List all components without importing Typer, which takes longer than the list."""
    from anyanomaly.cli.listing import list_components
    from anyanomaly.specs import ROLE_NAMES

    try:
        list_components(call, ROLE_NAMES, as_json=False)
    except KeyboardInterrupt:
        _print_error("interrupted")
        return INTERRUPTED
    return 0


def _hint(call: Call, error: Exception) -> str:
    """Return advice for arguments that cannot be parsed."""
    misplaced = [argument for argument in call.arguments if argument.partition("=")[0] in GLOBAL_OPTIONS]
    if misplaced:
        return f"{misplaced[0]} belongs before the command: anyanomaly {misplaced[0]} ... {call.command}"
    from anyanomaly.cli.app import COMMANDS

    command = f"anyanomaly {call.command}" if call.command in COMMANDS else "anyanomaly"
    context = getattr(error, "ctx", None)  # of the subcommand, for example `config show`; not every error has one
    return f"See: {context.command_path if context else command} --help"


def _print_error(message: str) -> None:
    print_message(f"anyanomaly: {message}")


def _discard_output() -> None:
    """Send buffered output to the null device, so that Python's flush at exit does not fail again."""
    try:
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, sys.stdout.fileno())
        os.close(null_device)
    except (OSError, ValueError):  # standard output is not a file
        pass
