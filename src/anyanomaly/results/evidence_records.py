"""The record of evidence: what the model saw and answered, with its pictures."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BeforeValidator, Field

from anyanomaly.evidence import Evidence, Exchange, Picture
from anyanomaly.results.fields import (
    Count,
    Fraction,
    Frame,
    Number,
    Seconds,
    Side,
    StrictRecord,
    Value,
    exact_number,
    read_number,
    rounded_number,
)

MAX_PICTURE = 4 << 20
"""Bytes of a picture."""
MAX_PICTURES = 256
"""Pictures of a question, frames of a segment and questions of a piece of evidence."""
MAX_VIEW = 1 << 16
"""Numbers of a map."""
_MAX_DIMENSIONS = 4
_JPEG_START = b"\xff\xd8\xff"


def _decode_picture(text: object) -> bytes:
    """:raises ValueError: when it is no JPEG file in base64, or too large."""
    if not isinstance(text, str):
        raise ValueError("a picture is a text in base64")
    if len(text) > MAX_PICTURE * 4 // 3 + 4:
        raise ValueError(f"a picture has more than {MAX_PICTURE >> 20} MiB")
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("a picture is not valid base64") from error
    if not data.startswith(_JPEG_START):
        raise ValueError("a picture is not a JPEG file")
    return data


def _check_view(view: Any) -> Any:
    """Check that a value is an array of numbers as nested lists.

    :raises ValueError: when it is not, or has too many numbers or dimensions.
    """
    level, shape = [view], []
    while level and isinstance(level[0], list):
        if len({len(part) if isinstance(part, list) else -1 for part in level}) > 1:
            raise ValueError("the rows of a map differ in length")
        shape.append(len(level[0]))
        level = [entry for part in level for entry in part]
        if len(shape) > _MAX_DIMENSIONS or len(level) > MAX_VIEW:
            raise ValueError(f"a map has more than {MAX_VIEW} numbers or {_MAX_DIMENSIONS} dimensions")
    for entry in level:
        if isinstance(entry, bool) or not (entry is None or isinstance(entry, int | float)):
            raise ValueError("a map holds something else than numbers")
        if entry is not None and not -1e300 < entry < 1e300:
            raise ValueError("a map holds a number beyond sense")
    return view


Jpeg: TypeAlias = Annotated[bytes, BeforeValidator(_decode_picture)]
View: TypeAlias = Annotated[list[Any], AfterValidator(_check_view)]


class PictureRecord(StrictRecord):
    """A picture as a JPEG file."""

    jpeg: Jpeg = Field(description="the JPEG file, in base64")
    width: Side = Field(description="width, pixels")
    height: Side = Field(description="height, pixels")
    frame: Frame | None = Field(None, description="number of the frame that it shows; null: several, or changed")
    time_s: Seconds | None = Field(None, description="presentation time of that frame, seconds")

    @property
    def picture(self) -> Picture:
        """The picture as sinks receive it."""
        return Picture(self.jpeg, self.width, self.height, self.frame, self.time_s)


class ExchangeRecord(StrictRecord):
    """One question with its images, and the answer to it."""

    context: str = Field(description="name of the context")
    index: Count = Field(description="number of the question among those of its context, from 0")
    pictures: list[PictureRecord] = Field(
        max_length=MAX_PICTURES, description="as the model saw them, scaled down where they are large"
    )
    system: str = Field("", description="system message; empty: none")
    question: str = Field(description="the question")
    answer: str = Field(description="the model's words; empty: it gave probabilities or a number")
    score: Value | None = Field(description="score read from the answer; null: none could be read")
    mass: Fraction | None = Field(None, description="probability of all allowed answers, 0 to 1; null: not measured")
    logprobs: Mapping[str, Number | None] | None = Field(
        None, description="natural logarithm of the probability of each allowed answer; null for one: zero probability"
    )
    reason: str = Field("", description="the reason in the answer; empty: none")
    views: Mapping[str, View] = Field({}, description="maps behind the images, by name, as nested arrays of numbers")
    asked: bool = Field(
        True,
        description="false: the model was not asked this question, so `score` is null; absent: it was asked",
        strict=True,
    )

    @property
    def exchange(self) -> Exchange:
        """The question and answer as sinks receive them."""
        logprobs = None
        if self.logprobs is not None:
            logprobs = {choice: -math.inf if value is None else value for choice, value in self.logprobs.items()}
        return Exchange(
            context=self.context,
            index=self.index,
            pictures=tuple(record.picture for record in self.pictures),
            system=self.system,
            question=self.question,
            answer=self.answer,
            score=read_number(self.score) if self.asked else math.nan,
            mass=self.mass,
            logprobs=logprobs,
            reason=self.reason,
            views={name: _to_array(view) for name, view in self.views.items()},
            asked=self.asked,
        )


class EvidenceRecord(StrictRecord):
    """What the model saw and answered in one segment for one event text."""

    type: Literal["evidence"] = Field("evidence", description="kind of the line")
    video: str = Field(description="id of the video")
    text: str = Field(description="event text")
    segment: Count = Field(description="number of the segment in the video, from 0")
    start: Frame = Field(description="first frame")
    stop: Frame = Field(description="frame after the last")
    start_s: Seconds = Field(description="time of the first frame, seconds")
    stop_s: Seconds = Field(description="end of the last frame, seconds")
    value: Value | None = Field(None, description="fused score; null: no context has a score")
    weights: Mapping[str, Number] = Field(description="weight of each context in the fused score, by its name")
    key_frame: PictureRecord = Field(description="the frame that is shown alone")
    frames: list[PictureRecord] = Field(max_length=MAX_PICTURES, description="the frames that show motion")
    exchanges: list[ExchangeRecord] = Field(max_length=MAX_PICTURES, description="the questions and answers")
    priorities: Mapping[str, Fraction] = Field(
        {}, description="priority that each gate gave, by its name, 0 to 1; absent: the run has no gate"
    )

    @property
    def evidence(self) -> Evidence:
        """The evidence as sinks receive it."""
        return Evidence(
            video=self.video,
            text=self.text,
            segment=self.segment,
            start=self.start,
            stop=self.stop,
            start_s=self.start_s,
            stop_s=self.stop_s,
            value=read_number(self.value),
            weights=self.weights,
            key_frame=self.key_frame.picture,
            frames=tuple(record.picture for record in self.frames),
            exchanges=tuple(record.exchange for record in self.exchanges),
            priorities=self.priorities,
        )


def evidence_fields(evidence: Evidence) -> dict[str, Any]:
    """Return the fields of evidence, JSON-ready."""
    return {
        "video": evidence.video,
        "text": evidence.text,
        "segment": evidence.segment,
        "start": evidence.start,
        "stop": evidence.stop,
        "start_s": exact_number(evidence.start_s),
        "stop_s": exact_number(evidence.stop_s),
        "value": exact_number(evidence.value),
        "weights": dict(evidence.weights),
        "key_frame": _picture_fields(evidence.key_frame),
        "frames": [_picture_fields(picture) for picture in evidence.frames],
        "exchanges": [_exchange_fields(exchange) for exchange in evidence.exchanges],
        **({"priorities": dict(evidence.priorities)} if evidence.priorities else {}),
    }


def _exchange_fields(exchange: Exchange) -> dict[str, Any]:
    return {
        "context": exchange.context,
        "index": exchange.index,
        "pictures": [_picture_fields(picture) for picture in exchange.pictures],
        "system": exchange.system,
        "question": exchange.question,
        "answer": exchange.answer,
        "score": exact_number(exchange.score),
        "mass": exchange.mass,
        "logprobs": logprob_fields(exchange.logprobs),
        "reason": exchange.reason,
        "views": {
            name: _to_lists(np.atleast_1d(view).tolist()) for name, view in exchange.views.items() if _fits(view)
        },
        **({} if exchange.asked else {"asked": False}),
    }


def logprob_fields(logprobs: Mapping[str, float] | None) -> dict[str, float | None] | None:
    """Return log-probabilities, JSON-ready: null for what JSON cannot hold, as minus infinity."""
    if logprobs is None:
        return None
    return {choice: value if math.isfinite(value) else None for choice, value in logprobs.items()}


def _picture_fields(picture: Picture) -> dict[str, Any]:
    return {
        "jpeg": base64.b64encode(picture.jpeg).decode("ascii"),
        "width": picture.width,
        "height": picture.height,
        "frame": picture.frame,
        "time_s": picture.time_s,
    }


def _fits(view: npt.NDArray[Any]) -> bool:
    """Return whether a map can be stored: contexts of plugins may have others."""
    return view.dtype.kind in "biuf" and view.ndim <= _MAX_DIMENSIONS and view.size <= MAX_VIEW


def _to_lists(view: Any) -> Any:
    """Return nested lists with numbers rounded to six decimals, and None where one is no finite number."""
    if isinstance(view, list):
        return [_to_lists(entry) for entry in view]
    if isinstance(view, float):
        return rounded_number(view) if math.isfinite(view) else None
    return int(view)  # also of truth values


def _to_array(view: Any) -> npt.NDArray[Any]:
    """Return nested lists as an array: of integers, or float64 with NaN for None."""
    array = np.array(view)
    return array.astype(np.float64) if array.dtype == object else array
