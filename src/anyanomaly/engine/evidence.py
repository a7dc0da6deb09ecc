"""What the model saw of each segment, as small pictures, until it is known whether the segment matters.

``draft_evidence`` runs on the look-ahead thread; `EvidenceBook` adds the answers; the tracker drops a draft as soon as
its segment can be neither the peak of an event nor the highest of the video, and completes the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.builtin.opencv import opencv
from anyanomaly.builtin.pictures import encode_jpeg
from anyanomaly.core.reason import reason_text
from anyanomaly.engine.read_score import read_score
from anyanomaly.engine.settings import RunSettings
from anyanomaly.evidence import Evidence, Exchange, Picture
from anyanomaly.types import Answer, Frame, ImageArray, Query, QueryId, Segment, SegmentScore

if TYPE_CHECKING:
    from anyanomaly.engine.planned import PlannedSegment, TextContexts

IMAGE_SIDE = 640
"""Longest side in pixels of a key frame, and of an image that the model saw."""
SEQUENCE_SIDE = 320
"""Longest side in pixels of a frame of the sequence."""
MAX_SEQUENCE = 8
"""Frames of the sequence that are kept, evenly spaced."""
VIEW_SIDE = 32
"""Longest side of a map. A view with at most this number squared of values is kept as it is."""


@dataclass(slots=True)
class DraftEvidence:
    """The pictures of one segment and text, and its queries; the answers are added as they come."""

    key_frame: Picture
    frames: tuple[Picture, ...]
    questions: tuple[_Question, ...]  # in planned order; one that is never asked is in no evidence
    answers: dict[QueryId, Answer] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures; a picture that is shown twice counts once."""
        pictures = (self.key_frame, *self.frames, *(picture for entry in self.questions for picture in entry.pictures))
        return sum(len(jpeg) for jpeg in {id(picture.jpeg): picture.jpeg for picture in pictures}.values())

    def complete(self, score: SegmentScore, settings: RunSettings) -> Evidence:
        """Return the evidence of a segment whose answers are known."""
        return Evidence(
            video=score.video.id,
            text=score.text,
            segment=score.segment,
            start=score.start,
            stop=score.stop,
            start_s=float(score.times_s[0]),
            stop_s=float(score.times_s[-1]) + 1 / score.video.fps,
            value=score.value,
            weights={name: settings.weights[name] for name in score.scores},
            key_frame=self.key_frame,
            frames=self.frames,
            exchanges=tuple(self._exchanges(score, settings)),
            priorities=score.priorities,
        )

    def _exchanges(self, score: SegmentScore, settings: RunSettings) -> Iterator[Exchange]:
        """Yield the questions that were answered, and one without a question for a context that was not asked."""
        for question in self.questions:
            if score.scores[question.id.context].asked and question.id in self.answers:
                yield self._exchange(question, score, settings)
        for name, part in score.scores.items():
            if not part.asked:
                yield Exchange(name, 0, (), "", "", "", math.nan, asked=False)

    def _exchange(self, question: _Question, score: SegmentScore, settings: RunSettings) -> Exchange:
        answer = self.answers[question.id]
        part = read_score(answer, settings.scoring)
        fused = score.scores[question.id.context]
        return Exchange(
            context=question.id.context,
            index=question.id.index,
            pictures=question.pictures,
            system=question.system,
            question=question.prompt,
            answer=answer.text,
            score=part.value,
            mass=part.mass,
            logprobs=answer.logprobs,
            # of the score that was fused: a reason that was asked for later is in its words
            reason=reason_text(fused.answer if fused.id == question.id else answer.text),
            views=question.views,
        )


@dataclass(frozen=True, slots=True, eq=False)
class StoredDraft:
    """Evidence of an equal run, which may have had other weights and another threshold."""

    evidence: Evidence

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures."""
        pictures = [self.evidence.key_frame, *self.evidence.frames]
        pictures += [picture for exchange in self.evidence.exchanges for picture in exchange.pictures]
        return sum(len(picture.jpeg) for picture in pictures)

    def complete(self, score: SegmentScore, settings: RunSettings) -> Evidence:
        """Return the evidence with the value, the weights and the reasons of this run."""
        exchanges = tuple(
            replace(exchange, reason="")
            if exchange.logprobs is not None and not score.scores[exchange.context].answer
            else exchange
            for exchange in self.evidence.exchanges
        )
        weights = {name: settings.weights[name] for name in score.scores}
        return replace(self.evidence, value=score.value, weights=weights, exchanges=exchanges)


Draft: TypeAlias = DraftEvidence | StoredDraft


@dataclass(frozen=True, slots=True, eq=False)
class _Question:
    """A query with pictures instead of its images."""

    id: QueryId
    prompt: str
    system: str
    pictures: tuple[Picture, ...]
    views: Mapping[str, npt.NDArray[Any]]


def draft_evidence(
    segment: Segment, text_contexts: Sequence[TextContexts], queries: Sequence[Query]
) -> dict[str, DraftEvidence]:
    """Return the draft of each event text of a segment.

    :param queries: for the scores of the segment, in planned order.
    """
    pictures = _Pictures(segment)
    contexts = [context for entry in text_contexts for context in entry.contexts]
    questions: dict[str, list[_Question]] = {}
    for query, context in zip(queries, contexts, strict=True):
        seen_pictures = tuple(pictures.encode(image, IMAGE_SIDE) for image in query.images)
        question = _Question(query.id, query.prompt, query.system, seen_pictures, small_views(context.views))
        questions.setdefault(query.id.text, []).append(question)
    return {
        entry.text.text: DraftEvidence(
            pictures.encode(segment.frames[entry.key_frames.primary].image, IMAGE_SIDE),
            tuple(
                pictures.encode(segment.frames[position].image, SEQUENCE_SIDE)
                for position in _evenly_spaced(entry.key_frames.sequence)
            ),
            tuple(questions.get(entry.text.text, ())),
        )
        for entry in text_contexts
    }


class EvidenceBook:
    """Drafts of the segments that wait for answers. Without drafts its methods do nothing."""

    def __init__(self) -> None:
        self._drafts: dict[tuple[str, int, str], Draft] = {}  # by video, segment and text

    def expect(self, planned: PlannedSegment) -> None:
        """Keep the drafts of a segment until `take`."""
        for text, draft in planned.drafts.items():
            self._drafts[planned.video.id, planned.index, text] = draft

    def add(self, answer: Answer) -> None:
        """Add an answer to the draft of its segment and text."""
        draft = self._drafts.get(answer.id[:3])
        if isinstance(draft, DraftEvidence):
            draft.answers[answer.id] = answer

    def keep(self, score: SegmentScore, draft: Draft) -> None:
        """Keep the draft of a segment and text until `take`."""
        self._drafts[score.video.id, score.segment, score.text] = draft

    def take(self, score: SegmentScore) -> Draft | None:
        """Return the draft of a segment and text with all answers, and forget it; None: there is none."""
        return self._drafts.pop((score.video.id, score.segment, score.text), None)

    def trim(self, values: Mapping[tuple[str, int, str], float], max_bytes: int) -> None:
        """Forget the drafts of the lowest scores until the others have at most ``max_bytes``.

        :param values: scores by video, segment and text; a draft without one is forgotten first.
        """
        n_bytes = sum(draft.nbytes for draft in self._drafts.values())
        if n_bytes <= max_bytes:
            return
        for key in sorted(self._drafts, key=lambda key: _or_lowest(values.get(key, math.nan))):
            n_bytes -= self._drafts.pop(key).nbytes
            if n_bytes <= max_bytes:
                return


def _or_lowest(value: float) -> float:
    return -math.inf if math.isnan(value) else value


class _Pictures:
    """Encodes the images of one segment, each once per size."""

    def __init__(self, segment: Segment) -> None:
        self._frames: dict[int, Frame] = {id(frame.image): frame for frame in segment.frames}
        self._encoded: dict[tuple[int, int], tuple[ImageArray, Picture]] = {}  # with the image, so that its id stays

    def encode(self, image: ImageArray, max_side: int) -> Picture:
        """Return an image whose longest side is at most ``max_side`` pixels as a JPEG file."""
        key = (id(image), max_side)
        if key not in self._encoded:
            frame = self._frames.get(id(image))
            self._encoded[key] = image, encode_picture(image, max_side, frame)
        return self._encoded[key][1]


def encode_picture(image: ImageArray, max_side: int, frame: Frame | None = None) -> Picture:
    """Return an image (H, W, 3) as a JPEG file, scaled down where its longest side is above ``max_side`` pixels.

    :param frame: the frame that it shows unchanged; None: it shows several, or was changed.
    """
    jpeg = encode_jpeg(image, max_side)
    return Picture(*jpeg, frame.index if frame else None, frame.time_s if frame else None)


def small_views(views: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return copies of a context's views: large maps scaled down, small arrays of numbers as they are, no others."""
    small: dict[str, npt.NDArray[Any]] = {}
    for name, view in views.items():
        array = np.asarray(view)
        if array.dtype.kind not in "biuf":
            continue
        if array.size <= VIEW_SIDE**2:
            small[name] = array.copy()
        elif array.ndim == 2:
            small[name] = _shrink(array)
    return small


def _shrink(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Return a map of at most ``VIEW_SIDE`` rows and columns, each the mean of those it stands for."""
    cv2 = opencv()
    rows, columns = values.shape
    size = min(columns, VIEW_SIDE), min(rows, VIEW_SIDE)
    small: npt.NDArray[np.float32] = cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return small.reshape(size[::-1])


def _evenly_spaced(positions: Sequence[int]) -> list[int]:
    """Return at most ``MAX_SEQUENCE`` positions, without repetitions."""
    distinct = list(dict.fromkeys(positions))
    step = max(1, math.ceil(len(distinct) / MAX_SEQUENCE))
    return distinct[::step]
