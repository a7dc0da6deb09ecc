"""All errors that a user can meet, and the exit codes of the command line (`EXIT_CODES`).

::

    AnyAnomalyError (70)
      UsageError (2)          UnknownComponent, InvalidOption, CapabilityError
      MissingRequirement (3)  a distribution, an extra, weights
      PluginError (2)         PluginLoadError, PluginConflict
      InputError (4)          VideoError, DatasetNotFound, DatasetError
      BackendError (5)
      OutputError (6)

A message has three parts, in a sentence or two: what is wrong, where, and what to do. The command line prints these
errors as one line. Whatever else a plugin raises becomes the error of its role (`ROLE_ERRORS`), with the original as
its ``__cause__``; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import ClassVar

EVENTS_FOUND = 1
BUG = 70  # EX_SOFTWARE of sysexits.h
INTERRUPTED = 130  # 128 + SIGINT, as shells count
PIPE_CLOSED = 141

EXIT_CODES: Mapping[int, str] = {
    0: "done",
    EVENTS_FOUND: "done, and events were found; only with `--fail-on-event`",
    2: "wrong use, or a plugin cannot be used",
    3: "a package or weights are missing",
    4: "a video or a dataset cannot be read, or only in part",
    5: "a backend or an encoder failed",
    6: "a result cannot be written",
    BUG: "a bug in anyanomaly",
    129: "ended by SIGHUP: the terminal was closed; results so far are written",
    INTERRUPTED: "ended by Ctrl-C (SIGINT); results so far are written",
    PIPE_CLOSED: "nobody reads standard output any more",
    143: "ended by SIGTERM; results so far are written",
}
"""All exit codes of the command line, and what each means. Help and documentation print this table."""

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Values of ``OSError.errno`` when there is no space for a file."""


class AnyAnomalyError(Exception):
    """Base class of all anyanomaly errors."""

    exit_code: ClassVar[int] = BUG


class UsageError(AnyAnomalyError):
    """The arguments of a command or of a Python call are wrong or conflict with each other."""

    exit_code = 2


class UnknownComponent(UsageError):
    """No plugin offers a component of this name."""


class InvalidOption(UsageError):
    """An option or a setting does not exist, or its value is not allowed."""


class CapabilityError(UsageError):
    """A run needs something that a component declares it cannot do."""


class MissingRequirement(AnyAnomalyError):
    """A package, an extra or a model's weights are missing."""

    exit_code = 3


class PluginError(AnyAnomalyError):
    """A plugin cannot be used."""

    exit_code = 2


class PluginLoadError(PluginError):
    """A plugin or a component's code cannot be imported, or is not what it declares."""


class PluginConflict(PluginError):
    """A component was requested by a name that two plugins offer."""


class InputError(AnyAnomalyError):
    """An input cannot be read."""

    exit_code = 4


class VideoError(InputError):
    """A video is missing or broken, or ends before its declared length."""


class DatasetNotFound(InputError):
    """There is no dataset in the folder where it is expected."""


class DatasetError(InputError):
    """Files of a dataset contradict each other or the scores."""


class BackendError(AnyAnomalyError):
    """A backend or an encoder failed: its engine died, memory ran out, or its answers are unusable."""

    exit_code = 5


class OutputError(AnyAnomalyError):
    """A result cannot be written: the disk is full, or the folder is not writable."""

    exit_code = 6


ROLE_ERRORS: Mapping[str, type[AnyAnomalyError]] = {
    "reader": VideoError,
    "encoder": BackendError,
    "gate": PluginError,
    "selector": PluginError,
    "context": PluginError,
    "backend": BackendError,
    "dataset": DatasetError,
    "sink": OutputError,
}
"""The error when a component of a role raises something else than an error of anyanomaly, or returns a wrong value."""


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message that is not empty; its type's name when there is none."""
    try:
        lines = str(error).split("\n")
    except Exception:  # its own __str__ fails
        lines = []
    return next((line.strip() for line in lines if line.strip()), type(error).__name__)
