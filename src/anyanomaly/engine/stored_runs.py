"""Remember the scores of videos that a run went through, and use them in an equal run: it asks and reads nothing.

What comes after the scores may differ: weights of contexts, smoothing, threshold. Only a reason in words that the
threshold or the weights now ask for, and that no run asked for before, is still a question: then the segments in
question, and no others, are read again.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from anyanomaly.core.fuse import highest
from anyanomaly.engine.asking import Asker
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.collect import CollectedScore
from anyanomaly.engine.evidence import Draft, EvidenceBook, StoredDraft
from anyanomaly.engine.gating import SegmentPriorities
from anyanomaly.engine.plan import Planner, Source
from anyanomaly.engine.planned import PlannedSegment, Task, VideoEnd
from anyanomaly.engine.rated import SegmentReader, SegmentRecord
from anyanomaly.engine.run_store import RunStore, VideoScores, VideoWriter
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.stored_scores import segment_score
from anyanomaly.errors import VideoError
from anyanomaly.evidence import Evidence
from anyanomaly.types import SegmentScore, Video

MAX_EVIDENCE_BYTES = 32 * 2**20
"""Of the pictures that are stored of one video: those of the highest scores, one of which is the peak of any event."""

MakeKey = Callable[[Source, RunSettings], str | None]
"""From a video and the settings of a run to the digest of all that decides its scores; None: that is unknown."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Where a run stores the scores of its videos, and under which keys."""

    store: RunStore
    make_key: MakeKey
    header: Mapping[str, Any]  # of the run, for the files


class Recorder:
    """Stores the scores of the videos of a run while it goes through them."""

    def __init__(self, memory: Memory, settings: RunSettings, *, with_evidence: bool) -> None:
        self._memory = memory
        self._settings = settings
        self._with_evidence = with_evidence
        self._keys: dict[str, str] = {}  # by id of the video
        self._open: dict[str, _OpenVideo] = {}

    def expect(self, video: Video, key: str) -> None:
        """Store the scores of a video that come."""
        self._keys[video.id] = key

    def add(self, score: SegmentScore, draft: Draft | None) -> None:
        """Store the scores of a segment, and keep its evidence while it is among the highest."""
        video = score.video
        if video.id not in self._open and video.id in self._keys:
            writer = self._memory.store.begin(
                self._keys.pop(video.id), self._memory.header, video, with_evidence=self._with_evidence
            )
            if writer:
                self._open[video.id] = _OpenVideo(writer)
        open_video = self._open.get(video.id)
        if open_video is None:
            return
        try:
            open_video.writer.add(score)
        except OSError as error:
            self._memory.store.warn(error)
            self._open.pop(video.id).writer.discard()
            return
        if draft:
            open_video.keep(score, draft, self._settings)

    def end(self, end: VideoEnd) -> None:
        """Store a video that the run went through; one that could not be read in full is not stored."""
        open_video = self._open.pop(end.video.id, None)
        if open_video is None:
            return
        if end.problem:
            open_video.writer.discard()
            return
        try:
            open_video.writer.complete(open_video.evidence(), end.notices)
        except OSError as error:
            self._memory.store.warn(error)
            open_video.writer.discard()
        self._memory.store.trim()

    def close(self) -> None:
        """Forget the videos that the run did not finish."""
        for open_video in self._open.values():
            open_video.writer.discard()
        self._open.clear()
        self._keys.clear()


@dataclass(slots=True)
class _OpenVideo:
    """A video whose scores are written, and the evidence of its highest scores."""

    writer: VideoWriter
    _heap: list[tuple[float, int, Evidence, int]] = field(default_factory=list)  # lowest first
    _n_bytes: int = 0
    _order: Iterator[int] = field(default_factory=itertools.count)

    def keep(self, score: SegmentScore, draft: Draft, settings: RunSettings) -> None:
        value = -math.inf if math.isnan(score.value) else score.value
        n_bytes = draft.nbytes
        heapq.heappush(self._heap, (value, next(self._order), draft.complete(score, settings), n_bytes))
        self._n_bytes += n_bytes
        while self._n_bytes > MAX_EVIDENCE_BYTES and len(self._heap) > 1:
            self._n_bytes -= heapq.heappop(self._heap)[3]

    def evidence(self) -> list[Evidence]:
        """Return the evidence in the order of time."""
        return [piece for _, _, piece, _ in sorted(self._heap, key=lambda entry: entry[1])]


class Replayer:
    """Gives the scores of stored videos as a run would make them now."""

    def __init__(
        self,
        memory: Memory,
        settings: RunSettings,
        planner: Planner,
        asker: Asker,
        evidence: EvidenceBook,
        clock: Clock,
        *,
        with_evidence: bool,
    ) -> None:
        self._memory = memory
        self._settings = settings
        self._planner = planner
        self._asker = asker
        self._evidence = evidence
        self._reader = SegmentReader(settings, clock)
        self._with_evidence = with_evidence
        self.n_scores = 0
        """Scores of contexts that were stored; ``n_unreadable`` of them could not be read from their answers."""
        self.n_unreadable = 0

    def find(self, key: str) -> VideoScores | None:
        """Return the video that is stored under a key; None: the run has to go through it."""
        return self._memory.store.get(key, with_evidence=self._with_evidence)

    def scores(self, source: Source, stored: VideoScores) -> Iterator[CollectedScore | VideoEnd]:
        """Yield the scores of a video in planned order, then its end.

        :raises BackendError: when a reason has to be asked for, and the backend fails.
        """
        _, video = source
        scores = [self._score(record, video) for record in stored.segments]
        for score in scores:
            if evidence := stored.evidence.get((score.segment, score.text)):
                self._evidence.keep(score, StoredDraft(replace(evidence, video=video.id)))
        asked = self._ask_for_reasons(source, [score for score in scores if self._lacks_reason(score)])
        for score in scores:
            asked_parts = [part for part in score.scores.values() if part.asked]
            self.n_scores += len(asked_parts)
            self.n_unreadable += sum(math.isnan(part.value) for part in asked_parts)
            yield asked.get((score.segment, score.text)) or CollectedScore(score, 0)
        yield VideoEnd(video, notices=tuple(replace(notice, video=video.id) for notice in stored.notices))

    def _score(self, record: Any, video: Video) -> SegmentScore:
        settings = self._settings
        mode = settings.gate.mode if settings.gate else "or"
        score = segment_score(record, video, settings.weights, threshold=settings.rule.threshold, gate_mode=mode)
        return score if self._needs_reason(score) else _without_reason(score)

    def _needs_reason(self, score: SegmentScore) -> bool:
        return self._settings.reason is not None and score.asked and score.value >= self._settings.reason.above

    def _lacks_reason(self, score: SegmentScore) -> bool:
        return self._needs_reason(score) and not highest(score.scores.values()).answer

    def _ask_for_reasons(self, source: Source, scores: Sequence[SegmentScore]) -> dict[tuple[int, str], CollectedScore]:
        """Return the scores again, with their reasons; without those of segments that cannot be read again."""
        if not scores:
            return {}
        reader, video = source
        records = {score.segment: _segment_record(score, self._settings.frame_step(video)) for score in scores}
        texts: dict[int, list[str]] = {}
        for score in scores:
            texts.setdefault(score.segment, []).append(score.text)

        def plan() -> Iterator[PlannedSegment]:
            try:
                for segment in self._reader.read(reader, video, [records[index] for index in sorted(records)]):
                    priorities = {
                        score.text: SegmentPriorities(0.0, score.priorities)
                        for score in scores
                        if score.segment == segment.index and score.priorities
                    }
                    task = Task(segment, tuple(texts[segment.index]), priorities)
                    yield from self._planner.plan_tasks([task], with_evidence=self._with_evidence)
            except VideoError:
                return  # it was read before, and its scores are known

        return {
            (item.score.segment, item.score.text): item
            for item in self._asker.ask(plan())
            if isinstance(item, CollectedScore) and item.score.text in texts[item.score.segment]
        }


def _without_reason(score: SegmentScore) -> SegmentScore:
    """Return a score without words that a run with a lower threshold asked for: those beside log-probabilities."""
    if not any(part.mass is not None and part.answer for part in score.scores.values()):
        return score
    scores = {name: part if part.mass is None else replace(part, answer="") for name, part in score.scores.items()}
    return replace(score, scores=scores)


def _segment_record(score: SegmentScore, step: int) -> SegmentRecord:
    """Return what is needed to read a segment again. All frames of a stored video could be read."""
    first = -(-score.start // step) * step
    frames = np.arange(first, score.stop, step, dtype=np.int64)
    planned = PlannedSegment(score.video, score.segment, score.start, score.stop, score.times_s)
    times_s = score.times_s[frames - score.start]
    return SegmentRecord(planned, frames, float(times_s[0]), float(times_s[-1]))
