"""What went wrong in a plugin, as one sentence that says what it raised and where."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from traceback import walk_tb
from types import FrameType
from typing import TypeVar

from anyanomaly import interrupts
from anyanomaly.errors import AnyAnomalyError, first_line

log = logging.getLogger(__name__)

T = TypeVar("T")

MAX_MESSAGE = 300
"""Characters of an exception's own message that are printed."""


class WrongResult(Exception):
    """A plugin returned what it must not; the message is a sentence without its subject, the function."""


ADVICE = "Report this to its author."
TRACEBACK_ADVICE = f"{ADVICE} `anyanomaly -v` prints the traceback."


@dataclass(frozen=True, slots=True)
class Origin:
    """A plugin, or one of its components, whose code is called."""

    label: str  # subject of the sentence: "Backend 'mine' of mine-plugin 1.0"
    module: str  # its module, by which its own lines of a traceback are recognised
    error: type[AnyAnomalyError]  # what its failures become
    passes: tuple[type[BaseException], ...] = ()  # exceptions that are no failure of it

    def call(self, name: str, function: Callable[[], T]) -> T:
        """Return ``function()``, which is called ``name`` in messages.

        :raises AnyAnomalyError: the plugin's own one unchanged; for any other exception `error`, caused by it.
        :raises Interrupted: when the user has asked the command to end, whatever the plugin made of that.
        """
        try:
            return function()
        except BaseException as error:
            if interrupts.is_pending():
                raise interrupts.Interrupted from error
            if isinstance(error, KeyboardInterrupt) and not interrupts.is_installed():
                raise  # without our handlers nobody can tell the user's Ctrl-C from the plugin's
            if isinstance(error, (AnyAnomalyError, *self.passes)):
                raise
            raise self.failure(error, name) from error

    def check(self, name: str, function: Callable[[], None]) -> None:
        """Call a check of a result of the function ``name``.

        :raises AnyAnomalyError: `error`, when the check fails, or cannot read the result.
        """
        try:
            function()
        except WrongResult as error:
            raise self.error(f"{self.label}: {name} {error}. {ADVICE}") from error
        except Exception as error:
            raise self.error(
                f"{self.label}: {name} returned what cannot be read: {describe(error)} {ADVICE}"
            ) from error

    def failure(self, error: BaseException, name: str) -> AnyAnomalyError:
        """Return the error for an exception that the function ``name`` raised, and log its traceback."""
        log.info("%s failed in %s:", self.label, name, exc_info=error)
        return self.error(f"{self.label} failed in {name}: {describe(error, self.module)} {TRACEBACK_ADVICE}")


def describe(error: BaseException, module: str = "") -> str:
    """Return an exception as one sentence: its type, the first line of its message, and where it was raised.

    :param module: of the plugin: the place is its last line in the traceback. Empty: the last line of all.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.msg} in {error.filename}, line {error.lineno}."
    name, message = type(error).__name__, first_line(error)[:MAX_MESSAGE].rstrip(".")
    head = name if message == name else f"{name}: {message}"
    return f"{head}{_describe_place(error, module)}."


def own_frames(error: BaseException, module: str) -> list[tuple[FrameType, int]]:
    """Return the places of an exception's traceback that are in the package of ``module``, outermost first."""
    package = module.partition(".")[0]
    return [
        (frame, line)
        for frame, line in walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).partition(".")[0] == package
    ]


def _describe_place(error: BaseException, module: str) -> str:
    places = own_frames(error, module) or list(walk_tb(error.__traceback__))
    if not places:
        return ""
    frame, line = places[-1]
    return f" ({frame.f_code.co_filename}:{line})"
