"""The role that writes results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field

from anyanomaly.api.component import Component
from anyanomaly.api.options import Options
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.types import Event, Notice, SegmentScore, Timeline, Video


def _path_text(value: Any) -> Any:
    """Return a path of pathlib as text, and anything else unchanged."""
    return str(value) if isinstance(value, PurePath) else value


PathText: TypeAlias = Annotated[str, BeforeValidator(_path_text)]
"""The path of an output; a path of pathlib becomes text."""


class SinkOptions(Options):
    """Options of every sink."""

    path: PathText = Field(default="-", description="File to write; `-` is standard output.")


RunStatus: TypeAlias = Literal["complete", "interrupted", "failed", "unfinished"]
"""How a run ended: with all results, by the user or a signal, or with an error.

``unfinished``: only where stored results are written again, and they do not say how their run ended.
"""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, and how many results it wrote.

    A run is complete when it went through all of its videos. A video of which something could not be read does not
    change that; a notice names it.
    """

    status: RunStatus
    n_segments: int  # scores of a segment for one event text
    n_events: int
    n_notices: int
    error: str = ""  # the message of a failed run; otherwise empty
    speed: str = ""  # how fast the run was, a sentence; empty: unknown; no part of results, which equal runs repeat
    mean_mass: float | None = None  # mean probability of the allowed answers, 0 to 1; None: scores are read from words
    is_stored: bool = False  # these are stored results that are written again, and all of them are written

    @property
    def is_whole(self) -> bool:
        """Whether the output has all its results, so that it gets its name and replaces an older one."""
        return self.is_stored or self.status == "complete"


S_co = TypeVar("S_co", bound=SinkOptions, covariant=True)


class Sink(Component[S_co]):
    """Writes results as they come, video by video. Override the methods for the results it writes.

    Of one video they come in this order: the video; segments, timelines, evidence and events, each in the order of
    time; notices.

    ``load`` checks that the output can be written, and keeps other runs from writing it. Every method raises
    ``OutputError`` when it cannot write. A run that did not complete must not replace the results of one that did:
    `SafeFile` sees to that. `anyanomaly report` gives a sink stored results in the same order as the run did.
    """

    wants_evidence: bool = False
    """Whether it needs evidence, which costs some milliseconds per segment and text; set in the constructor or here."""

    @property
    def written_paths(self) -> Sequence[str]:
        """The files and folders that it has written, for the summary of a run; as a rule its path."""
        return (self.options.path,)

    def begin(self, run: Mapping[str, Any]) -> None:
        """Receive the resolved run once, before any result: settings, versions and fingerprints, JSON-ready.

        :raises OutputError: when it cannot be written.
        """

    def write_video(self, video: Video) -> None:
        """Receive a video before its results.

        :raises OutputError: when it cannot be written.
        """

    def write_segment(self, score: SegmentScore) -> None:
        """Receive the scores of a segment for one event text; those of one video come in order.

        :raises OutputError: when they cannot be written.
        """

    def write_timeline(self, timeline: Timeline) -> None:
        """Receive the scores per frame of a piece of a video, as soon as they are final.

        :raises OutputError: when it cannot be written.
        """

    def write_evidence(self, evidence: Evidence) -> None:
        """Receive what the model saw and answered at the peak of an event, before the event.

        At the end of a video also for the highest segment of each event text without an event.

        :raises OutputError: when it cannot be written.
        """

    def write_event(self, event: Event) -> None:
        """Receive an event as soon as it is certain that it has ended.

        :raises OutputError: when it cannot be written.
        """

    def write_truth(self, truth: Truth) -> None:
        """Receive the ground truth of a video for one event text, where it is known, at any time before ``end``.

        :raises OutputError: when it cannot be written.
        """

    def write_notice(self, notice: Notice) -> None:
        """Receive what is unusual about a video, or could not be read of it, after the video's other results.

        :raises OutputError: when it cannot be written.
        """

    def end(self, run_end: RunEnd) -> None:
        """Receive how the run ended once, after all results and before ``close``, unless the run did not begin.

        The output replaces an older one if ``run_end.is_whole``, also without results. A run without results that did
        not complete writes nothing.

        :raises OutputError: when the results cannot be written.
        """
