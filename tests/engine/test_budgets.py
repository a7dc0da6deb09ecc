"""Gates and budgets: which segments are asked about, and what the others have."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyanomaly import join_timelines
from anyanomaly.api import Options, Reader
from anyanomaly.core.budget import parse_budget
from anyanomaly.core.expected import SCORES
from anyanomaly.core.gate import unasked_value
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.run import Run
from anyanomaly.engine.settings import ClearRule, GateRule, ReasonRule
from anyanomaly.engine.store import AnswerStore
from anyanomaly.errors import BackendError, VideoError
from anyanomaly.testing.fakes import EndlessReader, FakeBackend, FakeEncoder
from anyanomaly.types import Crop, Event, Frame, Query, Sampling, SegmentScore, Video
from tests.engine.parts import ListGate, ListReader, ListSink, run, settings

Priority = Callable[[int, str], float]


class CountingBackend(FakeBackend):
    """Notes the ids of its queries in order, and by its function of the query answers with a number."""

    def __init__(self, score: Callable[[Query], float] = lambda query: 0.1, **changes: Any) -> None:
        super().__init__(self._words, **changes)
        self._score = score
        self.queries: list[Query] = []

    def _words(self, query: Query) -> str:
        self.queries.append(query)
        return f"{self._score(query):.1f}. So it is."

    @property
    def pairs(self) -> list[tuple[str, int, str]]:
        return list(dict.fromkeys(query.id[:3] for query in self.queries))


class LongReader(ListReader):
    """Many small frames; a variable frame rate; counts frames that it yields, and knows sections where it is told."""

    def __init__(self, n_frames: int, *, knows_sections: bool = True, variable: bool = False) -> None:
        super().__init__(n_frames)
        self._knows_sections = knows_sections
        self._variable = variable
        self.n_read: list[int] = []  # per call of ``frames``
        self.is_gone = False

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        if self.is_gone:
            raise VideoError(f"{video.uri} does not exist.")
        self.n_read.append(0)
        for index in range(start, self.n_frames, every):
            time_s = index / video.fps + (index // 7 % 3) * 0.9 / video.fps if self._variable else index / video.fps
            if self._knows_sections and not video.section[0] <= time_s < video.section[1]:
                continue
            self.n_read[-1] += 1
            image = np.full((16, 16, 3), index % 200, dtype=np.uint8)
            yield Frame(video, index, time_s, image)


def gate_rule(budget: str | None = None, above: float = 0.0) -> GateRule:
    return GateRule(above=above, budget=parse_budget(budget) if budget else None)


def segment_scores(outcomes: Iterable[object]) -> list[SegmentScore]:
    return [outcome for outcome in outcomes if isinstance(outcome, SegmentScore)]


def asked_pairs(outcomes: Iterable[object]) -> set[tuple[str, int, str]]:
    return {(score.video.id, score.segment, score.text) for score in segment_scores(outcomes) if score.asked}


def values(outcomes: Iterable[object]) -> list[tuple[int, float]]:
    return [(score.segment, score.value) for score in segment_scores(outcomes)]


def budget_run(
    budget: str | None,
    priority: Priority,
    backend: FakeBackend,
    readers: Sequence[Reader[Options]],
    *,
    above: float = 0.0,
    sink: ListSink | None = None,
    store: AnswerStore | None = None,
    gate: ListGate | None = None,
    is_repeatable: bool = False,
    **changes: Any,
) -> Run:
    of = settings(gate=gate_rule(budget, above), smooth_seconds=0.2, **changes)
    gate = gate or ListGate(priority)
    return run(of, backend, readers=readers, sink=sink, store=store, gate=gate, is_repeatable=is_repeatable)


def every_third(segment: int, text: str) -> float:
    return 0.5 if segment % 3 == 0 else 0.0


def test_without_a_budget_segments_above_the_limit_are_asked_in_one_pass():
    backend, reader = CountingBackend(), LongReader(120)
    ran = budget_run(None, every_third, backend, [reader])
    outcomes = list(ran)
    assert asked_pairs(outcomes) == {("v0", segment, "red car") for segment in (0, 3, 6, 9)}
    assert len(backend.queries) == 4 * 3
    assert reader.n_read == [120]
    assert (ran.report.n_pairs, ran.report.n_unasked, ran.report.n_segments) == (10, 6, 10)
    assert [score.segment for score in segment_scores(outcomes)] == list(range(10))


def test_what_was_not_asked_has_the_score_of_its_gate_below_the_threshold_and_says_so():
    outcomes = list(budget_run("3", lambda segment, text: 0.25 * segment, CountingBackend(), [LongReader(60)]))
    scores = segment_scores(outcomes)
    assert [score.asked for score in scores] == [False, False, False, False, True]
    for score in scores:
        assert list(score.scores) == ["key", "position", "temporal"]
        assert score.priorities == {"list": 0.25 * score.segment}
        assert all(part.asked == score.asked for part in score.scores.values())
    for score in scores[:4]:
        assert all(math.isnan(part.value) for part in score.scores.values())
        assert score.value == unasked_value(0.25 * score.segment, 0.5) < 0.5
    (timeline,) = join_timelines(outcomes)
    assert timeline.asked.tolist() == [False] * 48 + [True] * 12
    assert np.isnan(timeline.contexts["key"][:48]).all()
    assert not np.isnan(timeline.contexts["key"][48:]).any()


def test_nothing_is_encoded_of_segments_that_nobody_asks_about(monkeypatch: pytest.MonkeyPatch):
    encoded: list[int] = []
    encode = FakeEncoder.encode_crops

    def note(encoder: FakeEncoder, crops: Sequence[Crop]) -> Any:
        encoded.extend(crop.frame.index for crop in crops)
        return encode(encoder, crops)

    monkeypatch.setattr(FakeEncoder, "encode_crops", note)
    of = settings(gate=gate_rule(None))
    list(run(of, CountingBackend(), readers=[LongReader(120)], gate=ListGate(lambda s, t: float(s == 4))))
    assert {index // 12 for index in encoded} == {4}


def test_texts_of_one_segment_may_differ():
    texts = ("red car", "blue dog")
    backend = CountingBackend()
    outcomes = list(budget_run(None, lambda s, text: float(s == len(text) % 4), backend, [LongReader(60)], texts=texts))
    assert asked_pairs(outcomes) == {("v0", len(text) % 4, text) for text in texts}
    assert [(score.segment, score.text) for score in segment_scores(outcomes)] == [
        (segment, text) for segment in range(5) for text in texts
    ]


@pytest.mark.parametrize("budget", ["9", "30", "20%", "20/min", "1"])
@pytest.mark.parametrize("texts", [("red car",), ("red car", "blue dog")])
def test_a_budget_is_of_all_videos_is_kept_and_goes_to_the_highest_priorities(budget: str, texts: tuple[str, ...]):
    backend = CountingBackend()
    readers = [LongReader(60), LongReader(31), LongReader(240)]  # 5, 3 (a tail) and 20 segments of 1.2 s
    seconds = (60 + 31 + 240) / 10

    def priority(segment: int, text: str) -> float:
        return (segment * 7 % 20 + len(text)) / 40

    ran = budget_run(budget, priority, backend, readers, texts=texts)
    outcomes = list(ran)
    n_pairs = 28 * len(texts)
    limits = {"9": 9 / 3, "30": 30 / 3, "1": 0, "20/min": 20 * seconds / 60 / 3, "20%": 0.2 * n_pairs}
    n_asked = math.floor(limits[budget])
    assert len(backend.pairs) == n_asked
    assert len(backend.queries) == ran.report.n_asked == 3 * n_asked
    assert asked_pairs(outcomes) == set(backend.pairs)
    assert (ran.report.n_pairs, ran.report.n_unasked) == (n_pairs, n_pairs - n_asked)
    left = [priority(s.segment, s.text) for s in segment_scores(outcomes) if not s.asked]
    assert all(priority(segment, text) >= max(left) for _, segment, text in backend.pairs)


def test_a_budget_that_is_too_small_for_a_segment_is_a_notice():
    backend = CountingBackend()
    ran = budget_run("2", lambda s, t: 0.5, backend, [LongReader(60), LongReader(60)])
    assert not asked_pairs(ran)
    assert not backend.queries
    (notice,) = ran.report.notices
    assert notice.message == (
        "The budget is enough for 2 questions about these videos, and a segment may need 3, so nothing was asked. "
        "Raise --budget."
    )


def test_scores_come_in_the_order_of_videos_and_segments_whatever_was_asked_first():
    readers = [LongReader(60), LongReader(80)]
    outcomes = list(budget_run("12", lambda segment, text: segment / 10, CountingBackend(), readers))
    assert [(score.video.id, score.segment) for score in segment_scores(outcomes)] == [
        *(("v0", segment) for segment in range(5)),
        *(("v1", segment) for segment in range(7)),
    ]


def test_questions_go_around_what_scored_high_and_the_event_is_found():
    event = range(40, 47)
    backend = CountingBackend(lambda query: 0.9 if query.id.segment in event else 0.1)
    outcomes = list(budget_run("120", lambda s, t: 0.8 if s % 43 == 0 else 0.1, backend, [LongReader(1200)]))
    assert {segment for _, segment, _ in asked_pairs(outcomes)} >= set(event)
    (found,) = [outcome for outcome in outcomes if isinstance(outcome, Event)]
    assert found.start_s == pytest.approx(48, abs=0.5)
    assert found.stop_s == pytest.approx(56.4, abs=0.5)


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("knows_sections", [True, False])
@pytest.mark.parametrize("every", [1, 5])
def test_segments_that_are_read_again_are_the_same(variable: bool, knows_sections: bool, every: int):
    """The questions, frames and times are those of a run that asks about everything."""

    def reader() -> LongReader:
        return LongReader(403, variable=variable, knows_sections=knows_sections)

    full, part = CountingBackend(), CountingBackend()
    whole = {score.segment: score for score in segment_scores(run(settings(every=every), full, readers=[reader()]))}
    outcomes = list(budget_run("36", lambda s, t: (s * 5 % 34) / 34, part, [reader()], every=every))
    images = {query.id: query.images for query in full.queries}
    assert len(part.queries) == 36
    for query in part.queries:
        assert all(np.array_equal(*pair) for pair in zip(query.images, images[query.id], strict=True))
    for score in segment_scores(outcomes):
        expected = whole[score.segment]
        assert np.array_equal(score.times_s, expected.times_s)
        assert (score.start, score.stop) == (expected.start, expected.stop)
        if score.asked:
            assert (score.value, score.key_frame, score.sequence) == (
                expected.value,
                expected.key_frame,
                expected.sequence,
            )


def test_only_the_chosen_parts_are_read_again():
    reader = LongReader(12_000)
    list(budget_run("3", lambda segment, text: float(segment == 700), CountingBackend(), [reader]))
    assert reader.n_read == [12_000, 12]


def test_a_section_and_a_step_are_kept():
    class Section(LongReader):
        def probe(self, uri: str) -> Video:
            return replace(super().probe(uri), section=(3.0, 9.05))

    scores = segment_scores(budget_run("6", lambda s, t: s / 10, CountingBackend(), [Section(200)]))
    assert [(score.start, score.stop, score.asked) for score in scores] == [
        (30, 36, False),
        (36, 48, False),
        (48, 60, False),
        (60, 72, False),
        (72, 84, True),
        (84, 91, True),
    ]


def test_when_the_backend_dies_what_was_asked_is_written_and_the_rest_is_unasked():
    sink = ListSink()
    backend = CountingBackend(fail_at=15)
    with pytest.raises(BackendError, match="died"):
        list(budget_run("60", lambda s, t: s / 40, backend, [LongReader(360), LongReader(24)], sink=sink))
    scores = segment_scores(sink.got)
    assert [(score.video.id, score.segment) for score in scores] == [("v0", n) for n in range(30)] + [
        ("v1", 0),
        ("v1", 1),
    ]
    asked = {segment for _, segment, _ in asked_pairs(scores)}
    assert len(asked) == 5
    assert asked > {26, 27, 28, 29}  # the first round, then one of the second
    assert asked < set(range(22, 30))
    assert sum(len(line.times_s) for line in join_timelines(sink.got)) == 384


def test_a_caller_who_stops_leaves_all_that_was_asked():
    sink = ListSink()
    outcomes = iter(budget_run("9", lambda s, t: s / 40, CountingBackend(), [LongReader(240)], sink=sink))
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert len(asked_pairs(sink.got)) == 3
    assert len(segment_scores(sink.got)) == 20


def test_a_second_run_asks_only_what_is_new_and_the_same_first(tmp_path: Path):
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.open()
    priority = lambda s, t: (s * 13 % 50) / 50  # noqa: E731
    first, second = CountingBackend(), CountingBackend()
    small = list(budget_run("30", priority, first, [LongReader(600)], store=store))
    ran = budget_run("60", priority, second, [LongReader(600)], store=store)
    large = list(ran)
    assert asked_pairs(small) < asked_pairs(large)
    assert len(first.queries) == 30
    assert ran.report.n_asked + ran.report.n_reused == 60
    assert not set(first.pairs) & set(second.pairs)
    again = budget_run("60", priority, CountingBackend(), [LongReader(600)], store=store)
    assert values(again) == values(large)
    assert again.report.n_asked == 0
    store.close()


def test_a_run_that_died_goes_on_where_it_was(tmp_path: Path):
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.open()
    with pytest.raises(BackendError):
        list(budget_run("60", lambda s, t: s / 50, CountingBackend(fail_at=20), [LongReader(600)], store=store))
    backend = CountingBackend()
    resumed = list(budget_run("60", lambda s, t: s / 50, backend, [LongReader(600)], store=store))
    whole = list(budget_run("60", lambda s, t: s / 50, CountingBackend(), [LongReader(600)]))
    assert len(backend.queries) == 40
    assert values(resumed) == values(whole)
    store.close()


def test_a_video_that_vanishes_between_the_passes_is_a_problem_and_its_questions_go_to_others():
    vanishing, other = LongReader(120), LongReader(120)

    class Gate(ListGate):
        def begin(self, video: Video) -> None:
            vanishing.is_gone = video.id == "v1"

    ran = budget_run("12", lambda s, t: 0.5, CountingBackend(), [vanishing, other], gate=Gate(lambda s, t: 0.5))
    outcomes = list(ran)
    assert {video for video, _, _ in asked_pairs(outcomes)} == {"v1"}
    assert len(asked_pairs(outcomes)) == 4
    assert len(segment_scores(outcomes)) == 20
    (problem,) = ran.report.problems
    assert problem.video == "v0"
    assert "could not be read again" in problem.message
    assert "v0 does not exist" in problem.message


def test_a_gate_that_fails_ends_the_run_with_its_sentence():
    gate = ListGate(lambda s, t: 0.5, fails_at=3)
    sink, backend = ListSink(), CountingBackend()
    with pytest.raises(BackendError, match="The gate cannot rate this"):
        list(budget_run("12", lambda s, t: 0.5, backend, [LongReader(120)], gate=gate, sink=sink))
    assert not backend.queries
    assert not sink.got


def test_with_is_repeatable_a_video_at_which_the_backend_fails_is_left_out():
    class Picky(CountingBackend):
        def answer_batch(self, queries: Sequence[Query]) -> list[Any]:
            if queries[0].id.video == "v1":
                raise BackendError("The engine cannot read this.")
            return super().answer_batch(queries)

    readers = [LongReader(120) for _ in range(3)]
    ran = budget_run("45", lambda s, t: s / 20, Picky(), readers, is_repeatable=True)
    outcomes = list(ran)
    assert {score.video.id for score in segment_scores(outcomes)} == {"v0", "v2"}
    assert len(asked_pairs(outcomes)) == 15
    assert [problem.message for problem in ran.report.problems] == [
        "Video 'v1' is skipped: The engine cannot read this."
    ]


class Stated(CountingBackend):
    """Gives all the probability to one choice."""

    def answer_batch(self, queries: Sequence[Query]) -> list[Any]:
        answers = []
        for query, answer in zip(queries, super().answer_batch(queries), strict=True):
            stated = f"{self._score(query):.1f}"
            logprobs = {choice: 0.0 if choice == stated else -50.0 for choice in query.sampling.choices}
            answers.append(replace(answer, logprobs=logprobs or None))
        return answers


REASON = ReasonRule(0.5, PromptTemplate("why", "Why {text}?"))


@pytest.mark.parametrize("forms_batches", [True, False])
@pytest.mark.parametrize("batch_size", [1, 8])
def test_reasons_count_and_what_they_do_not_need_is_spent_on_segments(forms_batches: bool, batch_size: int):
    backend = Stated(lambda query: 0.9 if query.id.segment % 10 == 0 else 0.2, batch_size=batch_size)
    backend.forms_batches = forms_batches
    outcomes = list(
        budget_run(
            "61", lambda s, t: 0.5, backend, [LongReader(1200)], reason=REASON, sampling=Sampling(choices=SCORES)
        )
    )
    n_reasons = len([query for query in backend.queries if query.prompt.startswith("Why")])
    assert n_reasons == len([s for s in segment_scores(outcomes) if s.asked and s.value >= 0.5]) > 0
    assert 61 - 3 <= len(backend.queries) <= 61


@pytest.mark.parametrize("forms_batches", [True, False])
@pytest.mark.parametrize("texts", [("red car",), ("red car", "blue dog")])
def test_further_contexts_are_asked_only_where_the_first_is_not_clear(forms_batches: bool, texts: tuple[str, ...]):
    backend = CountingBackend(lambda query: (query.id.segment % 10) / 10, batch_size=4)
    backend.forms_batches = forms_batches
    ran = run(settings(texts=texts, clear=ClearRule(0.2, 0.8)), backend, readers=[LongReader(120)])
    scores = segment_scores(ran)
    assert [(score.segment, score.text) for score in scores] == [(s, text) for s in range(10) for text in texts]
    for score in scores:
        is_clear = not 0.2 < score.segment / 10 < 0.8
        assert [part.asked for part in score.scores.values()] == [True, not is_clear, not is_clear]
        assert list(score.scores) == ["key", "position", "temporal"]
        assert score.value == pytest.approx(score.segment / 10)
        assert score.asked
    assert len(backend.queries) == len(texts) * (5 * 3 + 5)
    assert ran.report.n_unasked == 0


def test_follow_ups_go_into_the_running_stream_unless_the_backend_forms_batches():
    class Streams(CountingBackend):
        def answer(self, queries: Iterable[Query]) -> Iterator[Any]:
            streams.append(0)
            for answer in super().answer(queries):
                streams[-1] += 1
                yield answer

    def lookahead_run(forms_batches: bool) -> list[int]:
        streams.clear()
        backend = Streams(lambda query: 0.5)
        backend.forms_batches = forms_batches
        of = settings(clear=ClearRule(0.2, 0.8), lookahead_bytes=2**17)
        list(run(of, backend, readers=[LongReader(480)]))
        return list(streams)

    streams: list[int] = []
    interleaved = lookahead_run(False)
    assert sum(interleaved) == 40 * 3
    assert len(interleaved) <= 2
    assert len(lookahead_run(True)) > 2
    assert sum(streams) == 40 * 3


def test_a_live_video_is_asked_at_the_rate_and_its_scores_come_at_once():
    class Live(EndlessReader):
        n_frames = 0

        def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
            for frame in super().frames(video, start=start, every=every):
                self.n_frames += 1
                yield frame

    reader, backend = Live(Options()), CountingBackend()
    rng = np.random.default_rng(1)
    of = settings(gate=gate_rule("30/min"), segment_frames=8, lookahead_bytes=2**12)
    ran = run(of, backend, readers=[reader], gate=ListGate(lambda s, t: float(rng.random())))
    n_segments, outcomes = 600, iter(ran)
    scores: list[SegmentScore] = []
    for outcome in outcomes:
        if isinstance(outcome, SegmentScore):
            scores.append(outcome)
            assert reader.n_frames - outcome.stop < 8 * 40  # bounded by the look-ahead, not by the next question
        if len(scores) == n_segments:
            break
    n_asked = 3 * sum(score.asked for score in scores)
    assert 30 * n_segments / 60 * 0.8 <= n_asked <= 30 * n_segments / 60 + 30
    asked = [score.priorities["list"] for score in scores[100:] if score.asked]
    assert np.mean(asked) > 0.8


def test_a_number_of_questions_caps_a_live_run():
    backend = CountingBackend()
    of = settings(gate=gate_rule("10"), segment_frames=8)
    ran = run(of, backend, readers=[EndlessReader(Options())], gate=ListGate(lambda s, t: 0.5))
    scores = []
    for outcome in ran:
        scores += [outcome] if isinstance(outcome, SegmentScore) else []
        if len(scores) == 50:
            break
    assert [score.asked for score in scores] == [True] * 3 + [False] * 47


def test_the_report_says_how_far_a_run_is():
    phases: list[tuple[str, int, int | None, int]] = []
    descriptions: list[str] = []
    readers = [LongReader(120), LongReader(120)]

    def score(query: Query) -> float:
        report = ran.report
        phases.append((report.phase, report.n_rated_frames, report.n_budget, report.n_spent))
        descriptions.append(report.describe_progress())
        return 0.2

    ran = budget_run("30", lambda s, t: 0.5, CountingBackend(score), readers)
    list(ran)
    assert {phase[:3] for phase in phases} == {("ask", 240, 30)}
    spent = [phase[3] for phase in phases]
    assert spent == sorted(spent)
    assert ran.report.n_spent == 30
    assert ran.report.n_rated_videos == 2
    assert descriptions[0] == "asking where it is likely; 0 of 30 questions of the budget"
    assert ran.report.describe_progress() == ""  # the outcomes speak for themselves
    assert ran.report.describe_asked() == "asked about 10 of 20 segments (50 %)"
