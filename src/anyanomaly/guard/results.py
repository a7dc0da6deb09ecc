"""What the methods of components must return: the part of docs/contracts.md that can be checked during a run.

A check is named after its method and raises `WrongResult`. Without it a wrong value would be a wrong score, or a
traceback far from the plugin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import Any, TypeVar

import numpy as np

from anyanomaly.api.dataset import Finding, Survey
from anyanomaly.guard.failures import WrongResult
from anyanomaly.specs import ComponentSpec, ContextSpec
from anyanomaly.types import Answer, Context, Crop, EventText, Frame, KeyFrames, LabelledVideo, Query, Segment, Video

T = TypeVar("T")

UNIT_TOLERANCE = 0.02
"""Allowed difference from 1 of a vector's length: half precision is near 1e-3."""
MASS_TOLERANCE = 1e-2
"""Allowed excess over 1 of the sum of the probabilities of all choices."""


def require(holds: object, problem: str) -> None:
    """:raises WrongResult: with ``problem`` when something does not hold."""
    if not holds:
        raise WrongResult(problem)


def require_type(value: object, kind: type[T], expected: str) -> T:
    """Return a value of a type.

    :param expected: the type in words, with its article. :raises WrongResult: when the value is not of that type.
    """
    if not isinstance(value, kind):
        raise WrongResult(f"returned {_describe(value)}, not {expected}")
    return value


def require_items(values: object, kind: type[T], expected: str) -> Sequence[T]:
    """Return a list or tuple of values of a type.

    :param expected: the type in words, in the plural. :raises WrongResult: when it is none, or has another value.
    """
    if not isinstance(values, Sequence) or isinstance(values, str | bytes):
        raise WrongResult(f"returned {_describe(values)}, not a list of {expected}")
    for value in values:
        if not isinstance(value, kind):
            raise WrongResult(f"returned a list with {_describe(value)}, not of {expected}")
    return values


def require_iterable(value: object) -> None:
    """:raises WrongResult: when ``value`` cannot be iterated."""
    if not isinstance(value, Iterable):
        raise WrongResult(f"returned {_describe(value)}, not an iterator")


def probe(result: object, spec: ComponentSpec, uri: str) -> None:
    """Check the description of a video."""
    video = require_type(result, Video, "a Video")
    require(isinstance(video.id, str) and video.id and isinstance(video.uri, str), "returned a Video without id or URI")
    require(_is_number(video.fps) and video.fps > 0, f"returned a Video of {video.fps!r} frames per second")
    n_frames = video.n_frames
    require(n_frames is None or (_is_whole(n_frames) and n_frames >= 0), f"returned a Video of {n_frames!r} frames")
    sides = video.width, video.height
    require(all(_is_whole(side) and side >= 0 for side in sides), f"returned a Video of {sides[0]!r} x {sides[1]!r}")


def frame_check(video: Video, start: int, every: int) -> Callable[[object], None]:
    """Return the check of the frames of one iteration, one after the other."""
    last_index, last_s = start - every, -math.inf

    def check(item: object) -> None:
        nonlocal last_index, last_s
        frame = require_type(item, Frame, "a Frame")
        index, time_s = frame.index, frame.time_s
        shape = frame.image.shape[:2]
        if shape != (video.height, video.width):
            size = f"{video.width} x {video.height}"
            raise WrongResult(f"yielded a frame of {shape[1]} x {shape[0]} pixels, though its video is {size}")
        if not _is_whole(index):
            raise WrongResult(f"yielded a frame with the number {index!r}")
        if index <= last_index:
            raise WrongResult(f"yielded frame {index} after frame {last_index}")
        if (index - start) % every:
            raise WrongResult(f"yielded frame {index}, though it was asked for every {every}th")
        if not _is_number(time_s):
            raise WrongResult(f"yielded frame {index} with the time {time_s!r}")
        if time_s < last_s:
            raise WrongResult(f"yielded frame {index} at {time_s:g} s, after one at {last_s:g} s")
        if frame.end is not None and not _is_whole(frame.end):
            raise WrongResult(f"yielded frame {index} with the end {frame.end!r}")
        last_index, last_s = index, time_s

    return check


def notices(messages: object, spec: ComponentSpec, *_: object) -> None:
    """Check the notices of a reader."""
    require_items(messages, str, "strings")


def encode_crops(rows: object, spec: ComponentSpec, crops: Sequence[Crop]) -> None:
    """Check the vectors of crops."""
    _check_rows(rows, len(crops), unit=True)


def encode_texts(rows: object, spec: ComponentSpec, texts: Sequence[str], *, unit: bool = True) -> None:
    """Check the vectors of texts."""
    _check_rows(rows, len(texts), unit)


def crops(values: object, spec: ComponentSpec, *_: object) -> None:
    """Check the crops that a selector or a context will need."""
    require_items(values, Crop, "Crops")


def rate(result: object, spec: ComponentSpec, segments: Sequence[Segment], texts: Sequence[EventText]) -> None:
    """Check the priorities of segments."""
    rows: np.ndarray[Any, Any] = require_type(result, np.ndarray, "an array")
    shape = len(segments), len(texts)
    require(rows.dtype == np.float32, f"returned an array of {rows.dtype}, not float32")
    require(rows.shape == shape, f"returned an array of shape {rows.shape}, not {shape}: segments x texts")
    wrong = rows[~((rows >= 0) & (rows <= 1))]  # NaN too
    require(not wrong.size, f"returned the priority {wrong[:1].tolist()}, which is not in [0, 1]")


def select(result: object, spec: ComponentSpec, segment: Segment, *_: object) -> None:
    """Check the key frames of a segment."""
    key_frames = require_type(result, KeyFrames, "KeyFrames")
    n_frames = len(segment.frames)
    require(isinstance(key_frames.sequence, tuple), f"returned {_describe(key_frames.sequence)} as sequence")
    positions = [key_frames.primary, *key_frames.sequence]
    require(all(map(_is_whole, positions)), f"returned {key_frames}, whose positions are not whole numbers")
    require(all(0 <= position < n_frames for position in positions), f"returned {key_frames} for {n_frames} frames")
    ascends = list(key_frames.sequence) == sorted(set(key_frames.sequence))
    require(key_frames.sequence and ascends, f"returned {key_frames}, whose sequence is empty or does not ascend")


def build(result: object, spec: ContextSpec, segment: Segment, *_: object) -> None:
    """Check the contexts of a segment."""
    contexts = require_items(result, Context, "Contexts")
    require(contexts, f"returned no context for segment {segment.index}; it must return one")
    for context in contexts:
        require(context.name == spec.name, f"returned a context named {context.name!r}, not '{spec.name}'")
        require(isinstance(context.hint, str), f"returned a context with the hint {context.hint!r}")
        n_images = len(context.images)
        require(n_images <= spec.images, f"returned a context of {n_images} images; its spec says {spec.images}")


def answer_batch(result: object, spec: ComponentSpec, queries: Sequence[Query]) -> None:
    """Check the answers to a batch of queries: one each, in order."""
    answers = require_items(result, Answer, "Answers")
    require(len(answers) == len(queries), f"returned {len(answers)} answers to {len(queries)} queries")
    for answer, query in zip(answers, queries, strict=True):
        if answer.id != query.id:  # the message is made only then: here every answer passes, below every frame
            raise WrongResult(f"returned an answer to {answer.id} in the place of that to {query.id}")


def check_answer(answer: Answer, query: Query) -> None:
    """Check the content of one answer."""
    require(isinstance(answer.text, str), f"returned {_describe(answer.text)} as text of an answer")
    value, choices, logprobs = answer.value, query.sampling.choices, answer.logprobs
    in_range = value is None or (_is_number(value) and 0 <= value <= 1)
    require(in_range, f"returned the value {value!r}, which is not in [0, 1]")
    counts = answer.prompt_tokens, answer.output_tokens
    require(all(count is None or _is_whole(count) for count in counts), f"returned {counts!r} as numbers of tokens")
    if not choices:
        require(logprobs is None, "returned log-probabilities, though no choices were asked for")
    if not choices or value is not None:
        return
    if not isinstance(logprobs, Mapping):
        raise WrongResult(f"returned {_describe(logprobs)} as log-probabilities of the choices")
    require(
        set(logprobs) == set(choices),
        f"returned log-probabilities of {sorted(map(str, logprobs))[:8]}, not of the choices {', '.join(choices)[:80]}",
    )
    invalid = [number for number in logprobs.values() if not isinstance(number, Real) or not number <= MASS_TOLERANCE]
    require(not invalid, f"returned {invalid[:1]} as log-probability; it must be a number up to 0")
    mass = math.fsum(map(math.exp, logprobs.values()))
    require(mass <= 1 + MASS_TOLERANCE, f"returned log-probabilities whose probabilities sum to {mass:.3g}, above 1")


def survey(result: object, spec: ComponentSpec) -> None:
    """Check the survey of a dataset; `check_labelled_video` has seen its videos only if it iterates ``videos``."""
    surveyed = require_type(result, Survey, "a Survey")
    require_items(surveyed.findings, Finding, "Findings")
    for video in require_items(surveyed.videos, LabelledVideo, "LabelledVideos"):
        check_labelled_video(video)


def check_labelled_video(item: object) -> None:
    """Check one video of a dataset."""
    video = require_type(item, LabelledVideo, "a LabelledVideo")
    require(isinstance(video.id, str) and video.id and isinstance(video.uri, str), "returned a video without id or URI")
    place = f"for video '{video.id}'"
    texts = [*video.texts, *(text for texts in video.classes.values() for text in texts)]
    require(
        not isinstance(video.texts, str) and all(isinstance(text, str) for text in texts),
        f"returned event texts that are no strings {place}",
    )
    for name, labels in video.labels.items():
        is_row = isinstance(labels, np.ndarray) and labels.dtype == np.bool_ and labels.ndim == 1
        require(is_row, f"returned labels of class {name!r} that are no row of bool {place}")
    for name, spans in video.spans.items():
        for start, stop in spans:
            require(
                _is_number(start) and _is_number(stop) and 0 <= start < stop,
                f"returned the span {start!r} to {stop!r} of class {name!r} {place}",
            )


def _check_rows(result: object, n_rows: int, unit: bool) -> None:
    rows: np.ndarray[Any, Any] = require_type(result, np.ndarray, "an array")
    require(rows.dtype == np.float32, f"returned an array of {rows.dtype}, not float32")
    require(rows.ndim == 2 and len(rows) == n_rows, f"returned an array of shape {rows.shape} for {n_rows} inputs")
    require(np.isfinite(rows).all(), "returned vectors with NaN or infinite numbers")
    lengths = np.linalg.norm(rows, axis=1)
    require(not unit or (abs(lengths - 1) <= UNIT_TOLERANCE).all(), "returned vectors that are not of unit length")
    require((lengths > 0).all(), "returned a vector of length 0")


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _describe(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def check_attribute(name: str, value: object) -> None:
    """Check an attribute or property of a component."""
    require(name not in ATTRIBUTES or ATTRIBUTES[name](value), f"is {value!r}, which is not allowed")


ATTRIBUTES: Mapping[str, Callable[[Any], bool]] = {
    "fingerprint": lambda value: isinstance(value, str) and value != "",
    "revision": lambda value: value is None or isinstance(value, str),
    "works_while_pulling": lambda value: isinstance(value, bool),
    "leaves_machine": lambda value: isinstance(value, bool),
    "wants_evidence": lambda value: isinstance(value, bool),
    "dense_windows": lambda value: isinstance(value, bool),
    "batch_size": lambda value: _is_whole(value) and value > 0,
    "image_size": lambda value: _is_whole(value) and value > 0,
    "max_inflight": lambda value: _is_whole(value) and value > 0,
    "max_images": lambda value: value is None or (_is_whole(value) and value > 0),
}
"""By attribute: what its value may be."""

CHECKS: Mapping[str, Callable[..., None]] = {
    check.__name__: check
    for check in (probe, notices, encode_crops, encode_texts, crops, rate, select, build, answer_batch, survey)
}
"""By method: the check of its result, called with the result, the spec and the method's arguments."""
