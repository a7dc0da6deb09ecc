"""The role that writes results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, Field

from anyanomaly.api.component import Component
from anyanomaly.api.options import Options
from anyanomaly.types import Event, Notice, SegmentScore, Timeline


def _path_text(value: Any) -> Any:
    """Return a path of pathlib as text, and anything else unchanged."""
    return str(value) if isinstance(value, PurePath) else value


class SinkOptions(Options):
    """Options of every sink."""

    path: Annotated[str, BeforeValidator(_path_text)] = Field(
        default="-", description="File to write; `-` is standard output."
    )


S_co = TypeVar("S_co", bound=SinkOptions, covariant=True)


class Sink(Component[S_co]):
    """Writes results as they come, video by video. Override the methods for the results it writes.

    ``load`` checks that the output can be written. A run without results writes nothing. Every method raises
    ``OutputError`` when it cannot write.
    """

    def begin(self, run: Mapping[str, Any]) -> None:
        """Receive the resolved run once, before any result: settings, versions and fingerprints, JSON-ready.

        :raises OutputError: when it cannot be written.
        """

    def write_segment(self, score: SegmentScore) -> None:
        """Receive the scores of a segment for one event text; those of one video come in order.

        :raises OutputError: when they cannot be written.
        """

    def write_timeline(self, timeline: Timeline) -> None:
        """Receive a timeline: of a complete video, or of one segment of a live video.

        :raises OutputError: when it cannot be written.
        """

    def write_event(self, event: Event) -> None:
        """Receive an event after its end.

        :raises OutputError: when it cannot be written.
        """

    def write_notice(self, notice: Notice) -> None:
        """Receive what is unusual about a video, or could not be read of it, after the video's other results.

        :raises OutputError: when it cannot be written.
        """
