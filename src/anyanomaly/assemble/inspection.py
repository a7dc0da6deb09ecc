"""Inspect one segment: its key frames, contexts, questions, answers and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from anyanomaly.assemble.choice import Match, Search, SegmentChoice
from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.engine.evidence import draft_evidence
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.plan import read_notices
from anyanomaly.engine.planned import TextContexts
from anyanomaly.engine.writing import Outcome
from anyanomaly.errors import UsageError
from anyanomaly.evidence import Evidence
from anyanomaly.types import Answer, Event, Notice, Query, Segment, SegmentScore

Watch = Callable[[Iterator[Outcome]], Iterable[Outcome]]
"""Passes the outcomes of a run on, for example with a progress bar."""


@dataclass(frozen=True, slots=True, eq=False)
class InspectedText:
    """One event text: its key frames and contexts, and what the model saw and answered."""

    text_contexts: TextContexts
    evidence: Evidence


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """One segment with its frames, and what there is of each event text."""

    segment: Segment
    texts: tuple[InspectedText, ...]
    match: Match | None = None  # what a search found; None: the segment was named
    notices: tuple[Notice, ...] = ()  # what the reader noticed up to the segment


def inspect(pipeline: Pipeline, choice: SegmentChoice, watch: Watch = iter) -> Inspection:
    """Run one segment of a pipeline's only video.

    It goes through the engine of a run: the same answer store, reading of answers, fusion and questions for reasons.
    An event and the highest score are searched in the whole video, and only their event text is returned.

    :param watch: gets the outcomes of that search.
    :raises UsageError: when the video has no such segment or event.
    """
    with pipeline:
        match = _search(pipeline, choice, watch) if choice.needs_search else None
        record = _Record()
        segment = pipeline.find_segment(choice.at_s, match.segment if match else choice.segment)
        outcomes = pipeline.run_segment(segment, record)
        scores = {outcome.text: outcome for outcome in outcomes if isinstance(outcome, SegmentScore)}
        notices = read_notices(*pipeline.sources[0])
    drafts = draft_evidence(segment, record.text_contexts, record.queries)
    for answer in record.answers:
        drafts[answer.id.text].answers[answer.id] = answer
    texts = tuple(
        InspectedText(contexts, drafts[text].complete(scores[text], pipeline.settings))
        for contexts in record.text_contexts
        if (text := contexts.text.text) and (match is None or text == match.text)
    )
    return Inspection(segment, texts, match, notices)


def _search(pipeline: Pipeline, choice: SegmentChoice, watch: Watch) -> Match:
    """:raises UsageError: when there is no such event, or the video never ends."""
    if pipeline.sources[0][1].live:
        raise UsageError("A live video has no end, so its events cannot be counted. Use --at TIME or --segment N.")
    search = Search(choice)
    settings = replace(pipeline.settings, max_unreadable=1.0)
    for outcome in watch(pipeline.run(settings=settings)):
        if isinstance(outcome, SegmentScore):
            start_s = float(outcome.times_s[0])
            place = outcome.video.id, outcome.text, outcome.segment, start_s
            search.add_segment(*place, outcome.value, is_asked=outcome.asked)
        elif isinstance(outcome, Event):
            search.add_event(outcome)
    return search.match()


class _Record(Observer):
    """Keeps the questions and answers of one segment."""

    def __init__(self) -> None:
        self.text_contexts: Sequence[TextContexts] = ()
        self.queries: Sequence[Query] = ()
        self.answers: list[Answer] = []

    def on_queries(self, segment: Segment, text_contexts: Sequence[TextContexts], queries: Sequence[Query]) -> None:
        self.text_contexts, self.queries = text_contexts, queries

    def on_answer(self, answer: Answer) -> None:
        self.answers.append(answer)
