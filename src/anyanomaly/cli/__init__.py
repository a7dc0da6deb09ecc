"""The command line. Only this layer prints and exits."""

from __future__ import annotations

import errno
import gc
import logging
import os
import sys
from collections.abc import Sequence

from anyanomaly.cli.call import GLOBAL, Call, completing
from anyanomaly.errors import AnyAnomalyError, OutputError

INTERRUPTED = 130
PIPE_CLOSED = 141
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def entry() -> None:
    """Run the command line and end the process with its exit code."""
    sys.exit(main())


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (the errors' own, 130 when interrupted, 141 when nobody reads on).

    Our errors print as one line; any other exception is a bug and keeps its traceback.
    """
    unfinished = completing()
    words = unfinished if unfinished is not None else list(sys.argv[1:] if argv is None else argv)
    call = Call.parse(words or ["--help"], unfinished is not None)
    logging.basicConfig(format="anyanomaly: %(message)s", level=call.log_level, stream=sys.stderr, force=True)
    thresholds = gc.get_threshold()
    gc.set_threshold(
        50_000, *thresholds[1:]
    )  # imports make many objects and no garbage: looking costs a fifth of a start
    try:
        code = _run(call)
        sys.stdout.flush()
    except BrokenPipeError:
        code = PIPE_CLOSED
    except OSError as error:
        if error.errno not in FULL:
            raise
        _say(f"Standard output cannot be written: {error.strerror}.")
        code = OutputError.exit_code
    finally:
        gc.set_threshold(*thresholds)
    if code in (PIPE_CLOSED, OutputError.exit_code):
        _discard_output()
    return code


def _run(call: Call) -> int:
    if call.argv == ["plugins"] and not call.unfinished:
        return _list(call)
    import typer

    from anyanomaly.cli.app import build_app

    try:
        code = int(build_app(call)(args=call.argv, prog_name="anyanomaly", standalone_mode=False) or 0)
    except SystemExit as end:  # how Typer ends completions, and how it meets a reader that went away
        broken = isinstance(end.__context__, BrokenPipeError)
        code = PIPE_CLOSED if broken else end.code if isinstance(end.code, int) else 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except AnyAnomalyError as error:
        if call.unfinished:
            return 0
        _say(" ".join(str(error).split("\n")))
        code = error.exit_code
    except typer.TyperException as error:  # the command line does not parse
        message = " ".join(error.format_message().split())
        _say(f"{message}{'' if message.endswith(('.', '?', ')')) else '.'} {_hint(call)}")
        code = error.exit_code
    if code == INTERRUPTED:
        _say("interrupted")
    return code


def _list(call: Call) -> int:
    """List all components without a parser: there is nothing to parse, and it costs more than the list."""
    from anyanomaly.cli.listing import list_components
    from anyanomaly.specs import ROLE_NAMES

    try:
        list_components(call, ROLE_NAMES, as_json=False)
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    return 0


def _hint(call: Call) -> str:
    """Return what to do about a command line that does not parse."""
    misplaced = [word for word in call.words if word.partition("=")[0] in GLOBAL]
    if misplaced:
        return f"{misplaced[0]} belongs before the command: anyanomaly {misplaced[0]} ... {call.command}"
    from anyanomaly.cli.app import COMMANDS

    known = [call.command] if call.command in COMMANDS else []
    return f"See: {' '.join(['anyanomaly', *known])} --help"


def _say(message: str) -> None:
    print(f"anyanomaly: {message}", file=sys.stderr)


def _discard_output() -> None:
    """Send what is still buffered nowhere, so that Python's own flush at exit does not fail again."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    except (OSError, ValueError):  # standard output is no file
        pass
