"""Reasons in words for scores without words: asked for where the score is high, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from anyanomaly.api import Options, Reader
from anyanomaly.core.expected import SCORES
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.run import Run
from anyanomaly.engine.settings import ReasonRule
from anyanomaly.engine.store import AnswerStore
from anyanomaly.errors import BackendError
from anyanomaly.testing.fakes import EndlessReader, FakeBackend, redness
from anyanomaly.types import Answer, Event, Query, Sampling, SegmentScore
from tests.engine.parts import ListReader, ListSink, run, settings

WHY = PromptTemplate("why", "Why is there {text}?", system="You tell.")


class Sharp(FakeBackend):
    """Gives a choice all of the mass, and notes each stream's queries."""

    def __init__(self, *, batch_size: int = 4, fail_at: int | None = None) -> None:
        super().__init__(batch_size=batch_size, fail_at=fail_at)
        self.streams: list[list[Query]] = []

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        sharp = []
        for query, answer in zip(queries, super().answer_batch(queries), strict=True):
            stated = redness(query)
            likely = {choice: 0.0 if stated.startswith(choice) else -50.0 for choice in query.sampling.choices}
            sharp.append(Answer(query.id, text=answer.text, logprobs=likely or None))
        return sharp

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        self.streams.append([])

        def noted() -> Iterator[Query]:
            for query in queries:
                self.streams[-1].append(query)
                yield query

        return super().answer(noted())


def asked(
    backend: FakeBackend,
    *,
    above: float = 0.5,
    readers: Sequence[Reader[Options]] | None = None,
    lookahead_bytes: int = 2**29,
    sink: ListSink | None = None,
    store: AnswerStore | None = None,
) -> Run:
    of = settings(
        texts=("red car", "red bus"),
        sampling=Sampling(choices=SCORES, max_tokens=30),
        reason=ReasonRule(above, WHY),
        lookahead_bytes=lookahead_bytes,
        smooth_seconds=0.2,
    )
    return run(of, backend, readers=readers, sink=sink, store=store)


def values(outcomes: Iterable[object]) -> list[tuple[str, int, str, float]]:
    return [(o.video.id, o.segment, o.text, o.value) for o in outcomes if isinstance(o, SegmentScore)]


def told(score: SegmentScore) -> dict[str, str]:
    return {name: each.answer for name, each in score.scores.items() if each.answer}


def test_only_high_segments_are_asked_for_a_reason_and_only_about_their_best_context() -> None:
    backend = Sharp()
    outcomes = list(asked(backend))
    for score in (each for each in outcomes if isinstance(each, SegmentScore)):
        best = max(score.scores.values(), key=lambda each: each.value)
        assert told(score) == ({best.id.context: "1.0. It is that red."} if score.value >= 0.5 else {})
        assert all(each.mass == pytest.approx(1) for each in score.scores.values())
    (reasons,) = backend.streams[1:]
    assert {query.id.segment for query in reasons} == {2, 3, 4}
    assert len(reasons) == 6
    assert {(query.system, query.sampling) for query in reasons} == {("You tell.", Sampling(max_tokens=30))}
    assert {event.rationale for event in outcomes if isinstance(event, Event)} == {"It is that red."}


def test_scores_are_those_of_a_run_that_asks_for_no_reasons_and_come_in_order() -> None:
    readers = [ListReader(60), ListReader(80)]
    found = values(asked(Sharp(), readers=readers))
    assert found == values(asked(Sharp(), readers=readers, above=1.1))
    assert found == values(asked(Sharp(), readers=readers, lookahead_bytes=2**16))
    assert [each[:2] for each in found[::2]] == [("v0", n) for n in range(5)] + [("v1", n) for n in range(7)]


def test_a_stream_of_scores_ends_before_its_reasons_are_asked_and_holds_few_images() -> None:
    backend = Sharp()
    list(asked(backend, readers=[ListReader(240)], lookahead_bytes=2**17))
    kinds = [{bool(query.sampling.choices) for query in stream} for stream in backend.streams]
    assert all(len(kind) <= 1 for kind in kinds)
    assert len(kinds) > 4
    # by the bound of the windows: a quarter of the look-ahead, passed by one segment's images at most
    one = max(sum({id(i): i.nbytes for q in stream[:6] for i in q.images}.values()) for stream in backend.streams)
    for stream in backend.streams:
        assert sum({id(i): i.nbytes for q in stream for i in q.images}.values()) < 2**15 + one


def test_a_live_video_is_told_its_reasons_as_it_goes() -> None:
    outcomes = list(islice(asked(Sharp(), readers=[EndlessReader(Options())]), 60))
    events = [each for each in outcomes if isinstance(each, Event)]
    assert len(events) > 2
    assert {event.rationale for event in events} == {"It is that red."}


def test_when_the_backend_dies_at_the_reasons_the_scores_are_in_the_sinks() -> None:
    sink = ListSink()
    with pytest.raises(BackendError, match="died"):
        list(asked(Sharp(fail_at=30), sink=sink))
    assert [each[1] for each in values(sink.got)] == [n for n in range(5) for _ in range(2)]


def test_a_second_run_takes_its_reasons_from_the_store(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.open()
    first, second = asked(Sharp(), store=store), asked(Sharp(), store=store)
    one, other = list(first), list(second)
    store.close()
    assert (first.report.n_asked, second.report.n_asked) == (36, 0)
    assert [told(each) for each in one if isinstance(each, SegmentScore)] == [
        told(each) for each in other if isinstance(each, SegmentScore)
    ]


def test_the_mean_mass_is_reported() -> None:
    ran = asked(FakeBackend())
    list(ran)
    assert 0.9 < (ran.report.mean_mass or 0) <= 1
    words = run(settings(), FakeBackend())
    list(words)
    assert words.report.mean_mass is None
