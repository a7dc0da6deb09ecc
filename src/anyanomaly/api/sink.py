"""The role that takes results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import Field

from anyanomaly.api.component import Component
from anyanomaly.api.options import Options
from anyanomaly.types import Event, SegmentScore, Timeline


class SinkOptions(Options):
    """What every sink has: where it writes."""

    path: str = Field(default="-", description="File to write; `-` is standard output.")


S_co = TypeVar("S_co", bound=SinkOptions, covariant=True)


class Sink(Component[S_co]):
    """Takes results as they come, video by video; override what it needs.

    ``load`` checks that the place is writable. Nothing is written when nothing comes. Everything raises
    ``OutputError`` when it cannot write.
    """

    def begin(self, run: Mapping[str, Any]) -> None:
        """Take the resolved run (JSON-ready: settings, versions, fingerprints) once, before anything else."""

    def write_segment(self, score: SegmentScore) -> None:
        """Take one segment and text; those of one video come in order."""

    def write_timeline(self, timeline: Timeline) -> None:
        """Take a finished timeline: a whole video, or one piece of a live one."""

    def write_event(self, event: Event) -> None:
        """Take an event when it has ended."""
