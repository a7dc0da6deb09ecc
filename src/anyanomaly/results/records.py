"""What result files hold: the fields of every record, with their types and ranges.

Times are presentation times in seconds, frames are numbered from 0, and ``null`` is a score that could not be read, or,
beside ``asked: false``, one that the model was not asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import ConfigDict, Field, FiniteFloat, model_validator

from anyanomaly.api.sink import RunEnd
from anyanomaly.evidence import Truth
from anyanomaly.results.evidence_records import EvidenceRecord
from anyanomaly.results.fields import Count, Fraction, Frame, Seconds, StrictRecord, Value
from anyanomaly.types import Event, Notice, Video

FORMAT = 2
"""Version of the formats; it grows when a field is removed or changes its meaning, not when one is added."""


class RunRecord(StrictRecord):
    """How the results were made."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: Literal["run"] = Field("run", description="first line")
    format: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="version of the format; absent in files of older versions"
    )
    config: Mapping[str, Any] = Field(description="all settings, as in a config file")
    readers: list[Any] = Field([], description="readers of the videos, with their options")
    prompt: Mapping[str, Any] | None = Field(None, description="template of the questions, with its hash")
    reason_prompt: Mapping[str, Any] | None = Field(
        None, description="template of the questions for reasons; null: none are asked"
    )
    versions: Mapping[str, str] = Field({}, description="versions of anyanomaly, plugins and engines")
    encoder: str | None = Field(None, description="fingerprint of the encoder; null: there is none")
    backend: str | None = Field(None, description="fingerprint of the backend")
    revisions: Mapping[str, Any] = Field({}, description="versions of the weights of encoder and backend")

    @property
    def header(self) -> dict[str, Any]:
        """All fields of the run apart from ``type`` and ``format``."""
        return self.model_dump(exclude={"type", "format"})


class VideoRecord(StrictRecord):
    """A video, before its results."""

    type: Literal["video"] = Field("video", description="kind of the line")
    video: str = Field(description="id of the video")
    uri: str = Field(description="path or address, as the run was given it; secrets are masked")
    fps: Annotated[FiniteFloat, Field(ge=1e-6, le=1e9, strict=True)] = Field(description="frames per second, nominal")
    n_frames: Frame | None = Field(None, description="number of frames as the file says it; null: unknown or endless")
    width: Count = Field(description="width of its frames, pixels")
    height: Count = Field(description="height of its frames, pixels")
    live: bool = Field(False, description="true: a stream that may never end", strict=True)

    @property
    def as_video(self) -> Video:
        """The video as sinks receive it."""
        return Video(self.video, self.uri, self.fps, self.n_frames, self.width, self.height, self.live)


class ContextScore(StrictRecord):
    """The score that one context gave a segment."""

    value: Value | None = Field(
        description="score, 0 to 1 (`published` scoring: any number); null: no score could be read"
    )
    answer: str = Field("", description="the model's words")
    mass: Fraction | None = Field(
        None, description="probability of all allowed answers, 0 to 1; absent: the score was read from words"
    )
    asked: bool = Field(
        True,
        description="false: the model was not asked about this context, so `value` is null; absent: it was asked",
        strict=True,
    )


class SegmentRecord(StrictRecord):
    """The scores of one segment for one event text."""

    type: Literal["segment"] = Field("segment", description="kind of the line")
    video: str = Field(description="id of the video")
    segment: Count = Field(description="number of the segment in the video, from 0")
    start: Frame = Field(description="first frame")
    stop: Frame = Field(description="frame after the last")
    start_s: Seconds = Field(description="time of the first frame, seconds")
    stop_s: Seconds = Field(description="end of the last frame, seconds")
    text: str = Field(description="event text")
    value: Value | None = Field(
        None, description="fused score; null: no context has a score; with `asked` false the score of its gates"
    )
    asked: bool = Field(
        True,
        description="false: the model was not asked, and `value` comes from the priorities of the gates, below the "
        "threshold; absent: it was asked",
        strict=True,
    )
    priorities: Mapping[str, Fraction] = Field(
        {}, description="priority that each gate gave, by its name, 0 to 1; absent: the run has no gate"
    )
    scores: Mapping[str, ContextScore] = Field(description="the score of each context, by its name")

    key_frame: Frame | None = Field(None, description="number of the frame that is shown alone; absent: unknown")
    sequence: tuple[Frame, ...] = Field((), description="numbers of the frames that show motion; absent: unknown")
    times: list[Seconds] | None = Field(
        None, description="times of the frames, seconds; absent: number of the frame / `fps` of the video"
    )

    @model_validator(mode="after")
    def _check_frames(self) -> Self:
        if not self.start < self.stop:
            raise ValueError(f"frames {self.start} to {self.stop}")
        if self.times is not None and len(self.times) != self.stop - self.start:
            raise ValueError(f"{len(self.times)} times for frames {self.start} to {self.stop}")
        if self.times and any(stop_s < start_s for start_s, stop_s in itertools.pairwise(self.times)):
            raise ValueError("times that go back")
        return self

    def is_asked(self, context: str) -> bool:
        """Return whether the model was asked about a context of the segment."""
        return self.asked and self.scores[context].asked

    @property
    def any_asked(self) -> bool:
        """Whether the model was asked about a context of the segment; one without contexts counts as asked."""
        return self.asked and (not self.scores or any(score.asked for score in self.scores.values()))


class EventRecord(StrictRecord):
    """A part of a video in which the smoothed score reaches the threshold."""

    type: Literal["event"] = Field("event", description="only in .jsonl")
    video: str = Field(description="id of the video")
    text: str = Field(description="event text")
    start_s: Seconds = Field(description="start, seconds")
    stop_s: Seconds = Field(description="end, seconds")
    peak: Value = Field(description="highest smoothed score")
    peak_s: Seconds = Field(description="time of the peak, seconds")
    rationale: str = Field("", description="the model's reason at the peak; empty: none")
    start_time: str | None = Field(None, description="start as h:mm:ss.mmm; only in .json")
    stop_time: str | None = Field(None, description="end as h:mm:ss.mmm; only in .json")

    @property
    def event(self) -> Event:
        """The event as `anyanomaly.run` yields it."""
        return Event(**self.model_dump(exclude={"type", "start_time", "stop_time"}))


class TruthRecord(StrictRecord):
    """The ground truth of one video for one event text."""

    type: Literal["truth"] = Field("truth", description="kind of the line")
    video: str = Field(description="id of the video")
    text: str = Field(description="event text")
    spans: list[tuple[Seconds, Seconds]] = Field(description="parts in which it happens: start and stop, seconds")

    @property
    def truth(self) -> Truth:
        """The ground truth as sinks receive it."""
        return Truth(self.video, self.text, tuple(self.spans))


class NoticeRecord(StrictRecord):
    """What is unusual about a video, or could not be read of it."""

    type: Literal["notice"] = Field("notice", description="only in .jsonl")
    video: str = Field(description="id of the video; the path or address of one that cannot be opened")
    message: str = Field(description="one sentence")

    @property
    def notice(self) -> Notice:
        """The notice as sinks receive it."""
        return Notice(self.video, self.message)


class EndRecord(StrictRecord):
    """How the run ended."""

    type: Literal["end"] = Field("end", description="last line; only in .jsonl")
    status: Literal["complete", "interrupted", "failed"] = Field(
        description="complete, interrupted (by the user or a signal) or failed"
    )
    segments: Count = Field(description="number of segment scores")
    events: Count = Field(description="number of events")
    notices: Count = Field(description="number of notices")
    mean_mass: Fraction | None = Field(
        None, description="mean probability of all allowed answers, 0 to 1; absent: scores were read from words"
    )
    error: str = Field("", description="message of a failed run; absent otherwise")

    @property
    def run_end(self) -> RunEnd:
        """The end as sinks receive it."""
        counts = self.segments, self.events, self.notices
        return RunEnd(self.status, *counts, self.error, mean_mass=self.mean_mass)


Record: TypeAlias = (
    RunRecord | VideoRecord | SegmentRecord | EvidenceRecord | EventRecord | TruthRecord | NoticeRecord | EndRecord
)


class EventsDocument(StrictRecord):
    """The content of a .json file."""

    format: Annotated[int, Field(strict=True, ge=1)] | None = Field(
        None, description="version of the format; absent in files of older versions"
    )
    run: Mapping[str, Any] = Field(description="how the results were made: the fields of `run` in .jsonl")
    events: list[EventRecord] = Field(description="the events, in the order in which they ended")
    notices: list[NoticeRecord] = Field([], description="the notices")
    end: EndRecord | None = Field(None, description="how the run ended; null: it is not complete")


class FrameScore(StrictRecord):
    """The scores of one frame for one event text: a row of a .csv file."""

    video: str = Field(description="id of the video")
    frame: Frame = Field(description="number of the frame")
    time_s: Seconds = Field(description="presentation time, seconds")
    text: str = Field(description="event text")
    contexts: Mapping[str, float | None] = Field(
        description="a column per context, with its name: its score; empty: it could not be read, or was not asked"
    )
    raw: float | None = Field(
        description="fused score; empty: no context has a score; where `asked` is false the score of the gates"
    )
    score: float | None = Field(description="smoothed score; empty: no frame of the video has a score")
    asked: bool = Field(
        True,
        description="whether the model was asked about the segment of the frame; only of runs with gates, or with "
        "`clear_below` or `clear_above`",
    )
    contexts_asked: Mapping[str, bool] = Field(
        {}, description="a column `asked.NAME` per context: whether the model was asked about it; as `asked`"
    )
