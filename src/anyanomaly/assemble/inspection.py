"""Everything about one segment: what was selected, shown, asked and answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.config.model import RunConfig
from anyanomaly.core.fuse import fuse, highest, per_context
from anyanomaly.engine.collect import read_score
from anyanomaly.engine.plan import Shown
from anyanomaly.errors import UsageError
from anyanomaly.registry import Registry
from anyanomaly.types import Answer, Query, QueryId, Score, Segment


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """One event text: what it showed, and per context the question, the answer and its score."""

    shown: Shown
    queries: tuple[Query, ...]
    answers: tuple[Answer, ...]
    scores: tuple[Score, ...]
    value: float  # fused, in [0, 1] or NaN


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """One segment with its frames, and what each event text made of it."""

    segment: Segment
    texts: tuple[Asked, ...]


def inspect(
    config: RunConfig, registry: Registry, *, at_s: float | None = None, segment: int | None = None
) -> Inspection:
    """Run one segment of the configuration's only video: that shown at ``at_s``, or number ``segment``.

    :raises UsageError: when the video has no such segment.
    """
    with Pipeline(config, registry) as pipeline:
        found = _find(pipeline, at_s, segment)
        ((_, shown),) = pipeline.planner.show([found])
        queries = pipeline.planner.queries(found, shown)
        answers = {answer.id: answer for answer in pipeline.backend.answer(queries)}
        asked = [_asked(pipeline, each, queries, answers) for each in shown]
        return Inspection(found, tuple(_with_reasons(pipeline, found, asked)))


def _asked(pipeline: Pipeline, shown: Shown, queries: tuple[Query, ...], answers: dict[QueryId, Answer]) -> Asked:
    own = tuple(query for query in queries if query.id.text == shown.text.text)
    replies = tuple(answers[query.id] for query in own)
    scores = tuple(read_score(answer, pipeline.settings.scoring) for answer in replies)
    values = {name: score.value for name, score in per_context(scores).items()}
    value = fuse(values, pipeline.settings.weights)
    return Asked(shown, own, replies, scores, value)


def _with_reasons(pipeline: Pipeline, segment: Segment, asked: list[Asked]) -> list[Asked]:
    """Ask for a reason where a run would: of the highest score, from the threshold on."""
    rule = pipeline.settings.reason
    if rule is None:
        return asked
    questions = {query.id: query for query in pipeline.planner.reasons(segment, [each.shown for each in asked])}
    wanted = [questions[highest(each.scores).id] for each in asked if each.value >= rule.above]
    words = {answer.id: answer.text for answer in pipeline.backend.answer(wanted)} if wanted else {}
    return [
        replace(each, scores=tuple(replace(s, rationale=words.get(s.id, s.rationale)) for s in each.scores))
        for each in asked
    ]


def _find(pipeline: Pipeline, at_s: float | None, number: int | None) -> Segment:
    last: Segment | None = None
    for last in _segments(pipeline):
        if number is not None and last.index == number:
            return last
        if at_s is not None and last.times_s[-1] + 1 / last.video.fps > at_s:
            return last
    wanted = f"segment {number}" if number is not None else f"segment at {at_s:g} s"
    end = f"; its last is {last.index}, which ends at {last.times_s[-1]:.2f} s" if last else ""
    raise UsageError(f"{pipeline.config.videos[0]} has no {wanted}{end}.")


def _segments(pipeline: Pipeline) -> Iterator[Segment]:
    reader, video = pipeline.sources[0]
    yield from pipeline.planner.segments(reader, video)
