"""What the JSON file of a clip holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

FORMAT = 1
"""Version of the JSON files; it grows when a field is removed or changes its meaning, not when one is added."""

ClipStatus: TypeAlias = Literal["unfinished", "complete", "failed"]


class ClipEvent(BaseModel):
    """The event that a clip shows."""

    model_config = ConfigDict(frozen=True)

    start_s: float = Field(description="start of the event, seconds of the source")
    stop_s: float = Field(description="end of the event, seconds of the source")
    peak: float = Field(description="highest smoothed score")
    peak_s: float = Field(description="time of the peak, seconds of the source")
    rationale: str = Field("", description="the model's reason at the peak; empty: none")
    unasked: tuple[tuple[float, float], ...] | None = Field(
        None,
        description="parts of the event that the model was not asked about: start and stop, seconds of the source; "
        "absent: it was asked about everything",
    )


class ClipSettings(BaseModel):
    """How clips of a run are cut."""

    model_config = ConfigDict(frozen=True)

    pre_roll_s: float = Field(description="wanted seconds before the event")
    post_roll_s: float = Field(description="wanted seconds behind the event")
    exact: bool = Field(description="whether `--clips-exact` was given")


class ClipRecord(BaseModel):
    """The JSON file beside a clip."""

    model_config = ConfigDict(frozen=True)

    type: Literal["clip"] = Field("clip", description="kind of the file")
    format: int = Field(FORMAT, description="version of the format")
    status: ClipStatus = Field(
        description="`unfinished`: the run was ended while it wrote the clip; `failed`: there is no clip, see `problem`"
    )
    number: int = Field(description="number of the clip in its run, from 1")
    video: str = Field(description="id of the video")
    source: str = Field(description="path or address of the video")
    text: str = Field(description="event text")
    event: ClipEvent = Field(description="the event: `start_s`, `stop_s`, `peak`, `peak_s`, `rationale`")
    clip: str | None = Field(None, description="name of the video file; null: there is none")
    thumbnail: str | None = Field(
        None, description="name of the JPEG image: the key frame of the evidence, or the frame at the peak; null: none"
    )
    start_s: float | None = Field(None, description="time of the clip's first frame, seconds of the source")
    stop_s: float | None = Field(None, description="end of the clip's last frame, seconds of the source")
    is_exact: bool | None = Field(
        None, description="true: encoded, start and stop are right within one frame; false: copied from a key frame"
    )
    problem: str = Field("", description="why there is no clip, or why it was encoded though copies were wanted")
    settings: ClipSettings = Field(description="how the clips were cut: `pre_roll_s`, `post_roll_s`, `exact`")
    run: Mapping[str, Any] = Field(description="how the results were made: the fields of `run` in .jsonl")
