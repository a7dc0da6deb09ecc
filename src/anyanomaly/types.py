"""The values of a run, in the order in which they are made. They only check and normalise their fields.

::

    uri --Reader.probe--> Video --Reader.frames--> Frame* --core.segment--> Segment
    Segment x text --Selector--> KeyFrames --ContextGenerator--> Context+ --core.prompt--> Query+
    Query* --Backend.answer--> Answer* --core.parse--> Score --core.fuse--> SegmentScore
    SegmentScore* --core.timeline, core.smooth--> Timeline --core.events--> Event*

All are frozen. Arrays become read-only when a value is created, so that a plugin that writes into its input fails
immediately instead of changing the input of other components.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.arrays import BoolArray as BoolArray
from anyanomaly.arrays import FloatArray as FloatArray
from anyanomaly.arrays import ImageArray as ImageArray
from anyanomaly.arrays import TimeArray as TimeArray
from anyanomaly.arrays import as_image as as_image
from anyanomaly.outside_text import storable_text

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, half-open."""

Span: TypeAlias = tuple[float, float]
"""Start and stop of a part of a video, half-open."""

SpanUnit: TypeAlias = Literal["frames", "seconds", "share"]
"""Unit of a span: frames from 0, seconds of presentation time, or the fraction (0 to 1) of the video's frames."""

Fit: TypeAlias = Literal["centre", "stretch", "dense"]
"""How a crop becomes an encoder's input.

``centre``: the encoder's own preprocessing (CLIP: bicubic to the short side, centre crop, mean and std).
``stretch``: the whole crop, resized bilinearly without corner alignment or antialiasing.
``dense``: all crops of a frame come from one pass over the frame; only for encoders with ``Encoder.dense_windows``.
"""


@dataclass(frozen=True, slots=True)
class Video:
    """A source of frames."""

    id: str  # in results; the same on every machine; bytes of a file name that are not UTF-8 become escapes
    uri: str
    fps: float  # > 0, nominal
    n_frames: int | None  # a hint from the container, often wrong; None: unknown, or the video never ends
    width: int  # pixels of the frames as read, after rotation
    height: int  # pixels, after rotation
    live: bool = False  # may never end: scores and events are yielded while it is read
    section: Span = (0.0, math.inf)  # the part that the run wants: presentation times, seconds

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", storable_text(self.id))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a video. :raises ValueError: when the image is not uint8 (H, W, 3), C-contiguous."""

    video: Video
    index: int  # 0-based in the video
    time_s: float  # presentation time, which may differ from index / fps
    image: ImageArray
    end: int | None = None  # with the last frame: number at which the video or section stops; None: unknown

    def __post_init__(self) -> None:
        as_image(self.image)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """Frames ``[start, stop)`` of a video, which share a score (paper, section 3.1).

    :raises ValueError: without a frame, or when there is not one time per covered frame.
    """

    video: Video
    index: int  # 0-based in the video; segments that could not be read leave gaps
    start: int  # first frame
    stop: int  # behind the last frame
    frames: tuple[Frame, ...]  # the frames that were read, ascending, at least one
    times_s: TimeArray  # (stop - start,): a presentation time per covered frame, seconds

    def __post_init__(self) -> None:
        if not self.frames or self.times_s.shape != (self.stop - self.start,):
            raise ValueError("a segment needs at least one frame, and one time per frame that it covers")
        self.times_s.flags.writeable = False


@dataclass(frozen=True, slots=True)
class EventText:
    """One event text of a run."""

    text: str  # what to find, in plain words
    texts: tuple[str, ...]  # all event texts of the run, in its order


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """A part of a frame, or the whole frame, for an encoder."""

    frame: Frame
    box: Box | None = None  # None: the whole frame
    fit: Fit = "centre"


@dataclass(frozen=True, slots=True)
class KeyFrames:
    """Positions in ``segment.frames`` (paper, section 3.2)."""

    primary: int  # the frame that is shown alone
    sequence: tuple[int, ...]  # the frames that show motion, ascending, at least one


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """The images of one query, and a hint that explains them to the model.

    :raises ValueError: without an image, or when one is not uint8 (H, W, 3), C-contiguous.
    """

    name: str
    images: tuple[ImageArray, ...]  # at least one
    hint: str = ""  # fills {hint} of the prompt; empty: one frame
    views: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)  # for `show`; no backend sees them

    def __post_init__(self) -> None:
        if not self.images:
            raise ValueError("a context needs at least one image")
        for image in self.images:
            as_image(image)


class QueryId(NamedTuple):
    """Identifies a query and its answer. Ids sort by video, segment, text, context and index."""

    video: str  # `Video.id`
    segment: int  # `Segment.index`
    text: str  # the event text
    context: str  # `Context.name`
    index: int = 0  # type: ignore[assignment]  # position among the contexts of one ``build``; hides tuple.index


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters of an answer. Part of the key of the answer store."""

    max_tokens: int = 64
    temperature: float = 0.0  # 0: greedy
    top_p: float = 1.0  # in (0, 1]
    repetition_penalty: float = 1.0
    seed: int = 0
    choices: tuple[str, ...] = ()  # not empty: return the log-probability of each of these answers, and no text


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """One question about images."""

    id: QueryId
    images: tuple[ImageArray, ...]
    prompt: str  # the question
    system: str = ""  # system message; empty: none
    text_first: bool = False  # the question before the images
    sampling: Sampling = Sampling()

    @property
    def nbytes(self) -> int:
        """Size of the images in bytes, by which look-ahead is limited."""
        return sum(image.nbytes for image in self.images)


@dataclass(frozen=True, slots=True)
class Answer:
    """A backend's raw answer to a query: a text, a value or log-probabilities."""

    id: QueryId
    text: str = ""
    value: float | None = None  # in [0, 1]; only from backends that score without words
    logprobs: Mapping[str, float] | None = None  # per choice, natural log of its probability, not renormalised
    prompt_tokens: int | None = None  # None: the backend does not count them
    output_tokens: int | None = None  # None: the backend does not count them


@dataclass(frozen=True, slots=True)
class Score:
    """The score read from one answer."""

    id: QueryId
    value: float  # in [0, 1], or NaN when unreadable; with the scoring `published` any number, as in the published code
    answer: str = ""  # the model's words, verbatim; `core.reason.reason_text` gives the reason in them
    mass: float | None = None  # scoring `expected` and `yes-no`: probability of all allowed answers, in [0, 1]
    asked: bool = True  # False: the backend was not asked about this context, and the value is NaN


@dataclass(frozen=True, slots=True, eq=False)
class SegmentScore:
    """The scores of one segment for one event text."""

    video: Video
    segment: int  # `Segment.index`
    start: int  # first frame
    stop: int  # behind the last frame
    times_s: TimeArray  # (stop - start,): presentation times, seconds
    text: str  # the event text
    scores: Mapping[str, Score]  # context name to score, in the run's order
    value: float  # the fused score, NaN when no context has a score; of a segment that was not asked that of its gates
    key_frame: int | None = None  # number of the frame that is shown alone; None: unknown
    sequence: tuple[int, ...] = ()  # numbers of the frames that show motion, ascending
    priorities: Mapping[str, float] = field(default_factory=dict)  # gate name to priority, in [0, 1]; empty: no gate

    @property
    def asked(self) -> bool:
        """Whether the backend was asked about this segment and text; otherwise its gates gave it the value."""
        return not self.scores or any(score.asked for score in self.scores.values())


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Scores per frame of a piece of a video, for one event text; pieces follow each other as scores become final.

    :raises ValueError: when the series differ in length.
    """

    video: Video
    text: str  # the event text
    start: int  # index of the first frame
    times_s: TimeArray  # (n_frames,): presentation times, seconds
    raw: FloatArray  # (n_frames,): fused scores; NaN where one is missing
    smooth: FloatArray  # (n_frames,): smoothed scores; NaN only where no frame of the video has a score
    contexts: Mapping[str, FloatArray]  # context name to scores (n_frames,); NaN where one is missing
    asked: BoolArray = field(default_factory=lambda: np.ones(0, np.bool_))  # of the segment; by default everywhere
    contexts_asked: Mapping[str, BoolArray] = field(default_factory=dict)  # by context name; by default as ``asked``

    def __post_init__(self) -> None:
        if not self.asked.size:
            object.__setattr__(self, "asked", np.ones(self.times_s.shape, dtype=np.bool_))
        if not self.contexts_asked:
            object.__setattr__(self, "contexts_asked", dict.fromkeys(self.contexts, self.asked))
        series: list[npt.NDArray[Any]] = [self.times_s, self.raw, self.smooth, *self.contexts.values()]
        for array in [*series, self.asked, *self.contexts_asked.values()]:
            if array.shape != self.times_s.shape:
                raise ValueError("the series of a timeline must have the same length")
            array.flags.writeable = False


@dataclass(frozen=True, slots=True)
class Event:
    """A part ``[start_s, stop_s)`` of a video in which the smoothed score reaches the threshold."""

    video: str  # `Video.id`
    text: str  # the event text
    start_s: float  # presentation time, seconds
    stop_s: float
    peak: float  # the highest smoothed score
    peak_s: float  # presentation time of the peak, seconds
    rationale: str = ""  # the model's reason at the peak, without its thinking and the score


@dataclass(frozen=True, slots=True)
class Notice:
    """What a user should know about a video: what is unusual about it, or what could not be read."""

    video: str  # `Video.id`; the URI of one that cannot be opened
    message: str  # one sentence


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVideo:
    """A video of a dataset with its ground truth: for each class either labels of its frames, or spans.

    ``core.labels.frame_labels`` turns both into labels once the video's frames are known. New fields get a default.
    """

    uri: str
    id: str  # as `Video.id`
    texts: tuple[str, ...]  # event texts to score
    labels: Mapping[str, npt.NDArray[np.bool_]] = field(default_factory=dict)  # class to labels, bool (n_frames,)
    spans: Mapping[str, tuple[Span, ...]] = field(default_factory=dict)  # class to the spans in which it happens
    unit: SpanUnit = "frames"  # of the spans of classes that are not in `units`
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Class to its event texts, whose highest score is the class's; a class that is not in it has its name as text."""
    label_file: str = ""  # where the labels were read from, for messages
    units: Mapping[str, SpanUnit] = field(default_factory=dict)  # class to the unit of its spans

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", storable_text(self.id))
