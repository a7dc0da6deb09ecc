"""Every error a user can meet. ``exit_code`` is what the command line ends with.

::

    AnyAnomalyError
      UsageError (2)          UnknownComponent, InvalidOption, CapabilityError
      MissingRequirement (3)  a distribution, an extra, weights
      PluginError (2)         PluginLoadError, PluginConflict
      InputError (4)          VideoError, DatasetNotFound, DatasetError
      BackendError (5)
      OutputError (6)

A message is one sentence or two: what is wrong, where, and what to do. These errors print as one line; any
other exception keeps its traceback and is a bug.
"""

from __future__ import annotations

from typing import ClassVar


class AnyAnomalyError(Exception):
    """What every error of ours is."""

    exit_code: ClassVar[int] = 1


class UsageError(AnyAnomalyError):
    """The command or the call asks for something that makes no sense."""

    exit_code = 2


class UnknownComponent(UsageError):
    """No plugin offers a component of that name."""


class InvalidOption(UsageError):
    """A component or the run has no such option, or the value does not fit it."""


class CapabilityError(UsageError):
    """A component is asked for what it says it cannot do."""


class MissingRequirement(AnyAnomalyError):
    """Something to install or to download is missing."""

    exit_code = 3


class PluginError(AnyAnomalyError):
    """A plugin is at fault."""

    exit_code = 2


class PluginLoadError(PluginError):
    """A plugin, or a component's code, cannot be imported."""


class PluginConflict(PluginError):
    """Two plugins offer a component of the same name, and that name was used."""


class InputError(AnyAnomalyError):
    """An input could not be read."""

    exit_code = 4


class VideoError(InputError):
    """A video is missing, broken, or ends before its end."""


class DatasetNotFound(InputError):
    """A data set is not where it was looked for."""


class DatasetError(InputError):
    """A data set is there, and something in it does not fit."""


class BackendError(AnyAnomalyError):
    """A backend or an encoder cannot go on: its engine died, memory ran out, its answers cannot be used."""

    exit_code = 5


class OutputError(AnyAnomalyError):
    """A result could not be written: the disk is full, or the place is not writable."""

    exit_code = 6
