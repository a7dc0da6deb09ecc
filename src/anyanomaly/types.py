"""The values that flow, in the order in which they flow. No behaviour beyond checks.

::

    uri --Reader.probe--> Video --Reader.frames--> Frame* --core.segment--> Segment
    Segment x text --Selector--> KeyFrames --ContextGenerator (each)--> Context --core.prompt--> Query
    Query* --Backend.answer--> Answer* --core.parse--> Score --core.fuse--> SegmentScore
    SegmentScore* --core.timeline, core.smooth--> Timeline --core.events--> Event*

All are frozen. Arrays become read-only when a value is built, so a plugin that writes into its input fails at
once instead of corrupting its neighbour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

ImageArray: TypeAlias = npt.NDArray[np.uint8]
"""uint8 (H, W, 3), RGB, C-contiguous, not writeable."""

FloatArray: TypeAlias = npt.NDArray[np.float32]
TimeArray: TypeAlias = npt.NDArray[np.float64]

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, half-open."""

Span: TypeAlias = tuple[float, float]
"""Start and stop of a stretch of a video, half-open."""

SpanUnit: TypeAlias = Literal["frames", "seconds", "share"]
"""What a span counts: frames from 0, presentation time, or the share of the video's frames, 0 to 1."""

Fit: TypeAlias = Literal["centre", "stretch"]
"""How a crop becomes an encoder's square input.

``centre``: the encoder's own preprocessing (CLIP: bicubic to the short side, centre crop, mean and std).
``stretch``: the whole crop, resized bilinearly without corner alignment or antialiasing.
"""


def as_image(image: npt.NDArray[Any]) -> ImageArray:
    """Return ``image`` read-only.

    :raises ValueError: when it is not uint8 (H, W, 3) with at least one pixel, C-contiguous.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"an image must be uint8 (H, W, 3), got {image.dtype} {image.shape}")
    if not image.flags.c_contiguous:
        raise ValueError("an image must be C-contiguous; use numpy.ascontiguousarray")
    image.flags.writeable = False
    return image


@dataclass(frozen=True, slots=True)
class Video:
    """A source of frames. ``id`` names it in results and is the same on every machine."""

    id: str
    uri: str
    fps: float  # > 0, nominal
    n_frames: int | None  # as the container says; None: unknown, or it never ends
    width: int  # pixels of the frames as read, after rotation
    height: int
    live: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a video. ``time_s`` is its presentation time, not ``index / fps``."""

    video: Video
    index: int  # 0-based in the video
    time_s: float
    image: ImageArray

    def __post_init__(self) -> None:
        as_image(self.image)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Consecutive frames that share a score. Covers frames ``[start, stop)`` of the video."""

    video: Video
    index: int
    start: int
    stop: int
    frames: tuple[Frame, ...]  # those read, ascending, at least one
    times_s: TimeArray  # (stop - start,): one presentation time per covered frame, seconds

    def __post_init__(self) -> None:
        if not self.frames or self.times_s.shape != (self.stop - self.start,):
            raise ValueError("a segment needs at least one frame, and a time for each frame it covers")
        self.times_s.flags.writeable = False


@dataclass(frozen=True, slots=True)
class EventText:
    """The words for what to find, with all event texts of the run beside it, in the run's order."""

    text: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A part of a frame, or all of it, for an encoder."""

    frame: Frame
    box: Box | None = None  # None: the whole frame
    fit: Fit = "centre"


@dataclass(frozen=True, slots=True)
class KeyFrames:
    """Positions in ``segment.frames``: the frame shown alone, and those that show motion."""

    primary: int
    sequence: tuple[int, ...]  # ascending, at least one


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """What one query shows: images, and a hint that tells the model how to read them."""

    name: str
    images: tuple[ImageArray, ...]  # at least one
    hint: str = ""  # fills {hint} of the prompt; empty: a plain frame
    views: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # for `show`: maps, numbers; not sent

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("a context needs at least one image")
        for image in self.images:
            as_image(image)


class QueryId(NamedTuple):
    """The only link between a query and its answer. Ordered."""

    video: str
    segment: int
    text: str
    context: str
    index: int = 0  # type: ignore[assignment]  # position in what ``build`` returned; hides tuple.index


@dataclass(frozen=True, slots=True)
class Sampling:
    """How an answer is drawn. Part of the key of the answer store."""

    max_tokens: int = 64
    temperature: float = 0.0
    top_p: float = 1.0
    repetition_penalty: float = 1.0
    seed: int = 0
    choices: tuple[str, ...] = ()  # not empty: give the log-probability of each of these answers


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One question with its images."""

    id: QueryId
    images: tuple[ImageArray, ...]
    prompt: str
    system: str = ""
    text_first: bool = False  # the question before the images
    sampling: Sampling = Sampling()

    @property
    def nbytes(self) -> int:
        """Bytes of its images: what look-ahead counts."""
        return sum(image.nbytes for image in self.images)


@dataclass(frozen=True, slots=True)
class Answer:
    """A backend's raw reply. ``value`` only from backends that score without words."""

    id: QueryId
    text: str = ""
    value: float | None = None  # in [0, 1]
    logprobs: Mapping[str, float] | None = None  # per choice, natural log of its probability, not renormalised
    prompt_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """The number read from one answer: in [0, 1], or NaN when unreadable; never a made-up 0.

    Only the scoring ``published`` leaves [0, 1], as the published implementation does.
    """

    id: QueryId
    value: float
    rationale: str = ""  # the model's words, verbatim
    mass: float | None = None  # expected score: probability on the allowed answers, in [0, 1]


@dataclass(frozen=True, slots=True, eq=False)
class SegmentScore:
    """One segment and one event text: a score per context, and their fusion (NaN if all are)."""

    video: Video
    segment: int
    start: int
    stop: int
    times_s: TimeArray  # (stop - start,)
    text: str
    scores: Mapping[str, Score]  # context name to score, in the run's order
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Scores per frame of one video and one event text; a live video gives one piece per segment."""

    video: Video
    text: str
    start: int  # index of the first frame
    times_s: TimeArray  # (n,)
    raw: FloatArray  # (n,) fused, may hold NaN
    smooth: FloatArray  # (n,) in [0, 1]; NaN only where no frame of the video has a score
    contexts: Mapping[str, FloatArray]  # (n,) each, may hold NaN

    def __post_init__(self) -> None:
        series: list[npt.NDArray[Any]] = [self.times_s, self.raw, self.smooth, *self.contexts.values()]
        for array in series:
            if array.shape != self.times_s.shape:
                raise ValueError("the series of a timeline must have one length")
            array.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Event:
    """A stretch ``[start_s, stop_s)`` of a video where the smoothed score stays above the threshold."""

    video: str
    text: str
    start_s: float
    stop_s: float
    peak: float  # the highest smoothed score
    peak_s: float
    rationale: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideo:
    """A video of a data set with its ground truth: per class either labels of its frames, or spans.

    ``core.labels.frame_labels`` gives the labels of both once the video's frames are known. New fields always get a
    default.
    """

    uri: str
    id: str
    texts: tuple[str, ...]
    labels: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=lambda: MappingProxyType({}))  # (n_frames,)
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=lambda: MappingProxyType({}))
    unit: SpanUnit = "frames"  # of the spans
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    """The event texts of each class; a frame's score is their maximum. A class not in it has its name as its text."""
    label_file: str = ""  # where the labels were read from, for messages
