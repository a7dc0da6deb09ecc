"""All errors that a user can meet. ``exit_code`` is the exit code of the command line.

::

    AnyAnomalyError
      UsageError (2)          UnknownComponent, InvalidOption, CapabilityError
      MissingRequirement (3)  a distribution, an extra, weights
      PluginError (2)         PluginLoadError, PluginConflict
      InputError (4)          VideoError, DatasetNotFound, DatasetError
      BackendError (5)
      OutputError (6)

A message has three parts, in a sentence or two: what is wrong, where, and what to do. The command line prints these
errors as one line; any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno
from typing import ClassVar

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Values of ``OSError.errno`` when there is no space for a file."""


class AnyAnomalyError(Exception):
    """Base class of all anyanomaly errors."""

    exit_code: ClassVar[int] = 1


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
