"""Inspect one segment: its key frames, contexts, queries, answers and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.plan import TextContexts, read_notices
from anyanomaly.engine.read_score import read_score
from anyanomaly.types import Answer, Notice, Query, QueryId, Score, Segment, SegmentScore


@dataclass(frozen=True, slots=True, eq=False)
class InspectedText:
    """One event text: its key frames and contexts, and for each query its answer and the score read from it."""

    text_contexts: TextContexts
    queries: tuple[Query, ...]
    answers: tuple[Answer, ...]
    scores: tuple[Score, ...]
    value: float  # fused, in [0, 1] or NaN


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """One segment with its frames, and each event text's contexts, queries, answers and scores."""

    segment: Segment
    texts: tuple[InspectedText, ...]
    notices: tuple[Notice, ...] = ()  # what the reader noticed up to the segment


def inspect(pipeline: Pipeline, *, at_s: float | None = None, segment: int | None = None) -> Inspection:
    """Run one segment of a pipeline's only video: the one shown at ``at_s`` seconds, or number ``segment``.

    It goes through the engine of a run: the same answer store, reading of answers, fusion and questions for reasons.

    :raises UsageError: when the video has no such segment.
    """
    with pipeline:
        record = _Record()
        inspected = pipeline.find_segment(at_s, segment)
        outcomes = pipeline.run_segment(inspected, record)
        scores = {outcome.text: outcome for outcome in outcomes if isinstance(outcome, SegmentScore)}
        scoring = pipeline.settings.scoring
        notices = read_notices(*pipeline.sources[0])
    texts = []
    for text_contexts in record.text_contexts:
        score = scores[text_contexts.text.text]
        fused = {part.id: part for part in score.scores.values()}  # these have the reasons
        queries = tuple(query for query in record.queries if query.id.text == score.text)
        answers = tuple(record.answers[query.id] for query in queries)
        parts = tuple(fused.get(answer.id) or read_score(answer, scoring) for answer in answers)
        texts.append(InspectedText(text_contexts, queries, answers, parts, score.value))
    return Inspection(inspected, tuple(texts), notices)


class _Record(Observer):
    """Keeps the questions and answers of one segment."""

    def __init__(self) -> None:
        self.text_contexts: Sequence[TextContexts] = ()
        self.queries: Sequence[Query] = ()
        self.answers: dict[QueryId, Answer] = {}

    def on_queries(self, segment: Segment, text_contexts: Sequence[TextContexts], queries: Sequence[Query]) -> None:
        self.text_contexts, self.queries = text_contexts, queries

    def on_answer(self, answer: Answer) -> None:
        self.answers[answer.id] = answer
