"""The run over streams: what comes out, in which order, and what stays when something breaks."""

from __future__ import annotations

import math
import threading
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from anyanomaly import join_timelines
from anyanomaly.api import Options
from anyanomaly.engine.store import AnswerStore
from anyanomaly.errors import BackendError
from anyanomaly.testing.fakes import EndlessReader, FakeBackend
from anyanomaly.types import Event, SegmentScore, Timeline
from tests.engine.parts import ListReader, ListSink, run, settings


def scores(outcomes: object) -> list[tuple[str, int, str, float]]:
    return [(o.video.id, o.segment, o.text, o.value) for o in outcomes if isinstance(o, SegmentScore)]  # type: ignore[attr-defined]


def test_a_red_car_is_found_where_it_is() -> None:
    outcomes = list(run(settings(smooth_seconds=0.2), FakeBackend()))
    (line,) = join_timelines(outcomes)
    (event,) = [each for each in outcomes if isinstance(each, Event)]
    assert len(line.times_s) == 60
    assert 2.0 <= event.start_s <= 3.6
    assert event.stop_s == pytest.approx(6.0)
    assert event.rationale.endswith("It is that red.")


def test_order_does_not_depend_on_the_order_of_answers() -> None:
    texts = ("red car", "blue dog")
    readers = [ListReader(30), ListReader(50)]
    straight = list(run(settings(texts=texts), FakeBackend(), readers=readers))
    mixed = list(run(settings(texts=texts), FakeBackend(batch_size=16, reorder=True), readers=readers))
    assert scores(straight) == scores(mixed)
    assert [o[:3] for o in scores(straight)] == [
        (video, segment, text) for video, n in (("v0", 3), ("v1", 5)) for segment in range(n) for text in texts
    ]


def test_answers_of_many_segments_and_videos_meet_in_one_call() -> None:
    backend = FakeBackend(batch_size=64)
    list(run(settings(), backend, readers=[ListReader(60), ListReader(60)]))
    assert backend.calls == [30]  # 2 videos x 5 segments x 3 contexts


def test_an_unreadable_answer_is_missing_and_too_many_fail_the_run_at_its_end() -> None:
    sink = ListSink()
    ran = run(settings(), FakeBackend(lambda query: "no idea"), sink=sink)
    with pytest.raises(BackendError, match=r"15 of 15 answers have no readable score.*'no idea'"):
        list(ran)
    assert all(math.isnan(each.value) for each in sink.got if isinstance(each, SegmentScore))
    assert ran.report.n_unreadable == 15
    assert any(isinstance(each, Timeline) for each in sink.got)


@pytest.mark.parametrize("text", ["<think>The score is 0.9 if", "[THINK]0.3"])
def test_thoughts_without_an_answer_are_missing_and_the_message_says_what_to_do(text: str) -> None:
    ran = run(settings(), FakeBackend(lambda query: text))
    with pytest.raises(BackendError, match=r"15 of 15 .*thoughts that end.*--max-tokens.*--backend\.thinking off"):
        list(ran)


def test_a_few_unreadable_answers_take_no_part() -> None:
    def answer(query):
        return "?" if query.id.context == "key" and query.id.segment == 0 else "0.5"

    values = [value for *_, value in scores(run(settings(), FakeBackend(answer)))]
    assert values == pytest.approx([0.5] * 5)


def test_when_the_backend_dies_finished_segments_are_in_the_sinks() -> None:
    sink = ListSink()
    with pytest.raises(BackendError, match="died"):
        list(run(settings(), FakeBackend(batch_size=6, fail_at=6), sink=sink))
    assert len([each for each in sink.got if isinstance(each, SegmentScore)]) == 2
    (line,) = join_timelines(sink.got)
    assert len(line.raw) == 24
    assert not [thread for thread in threading.enumerate() if thread.name == "anyanomaly-lookahead"]


def test_a_caller_who_stops_early_leaves_nothing_running() -> None:
    sink, reader = ListSink(), ListReader(600)
    outcomes = iter(run(settings(lookahead_bytes=2**18), FakeBackend(), readers=[reader], sink=sink))
    next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert reader.n_open == 0
    assert isinstance(sink.got[-1], Timeline)


def test_a_video_that_breaks_off_is_scored_so_far_reported_and_the_next_one_read() -> None:
    ran = run(settings(), FakeBackend(), readers=[ListReader(60, breaks_at=30), ListReader(12)])
    lines = join_timelines(ran)
    assert [(line.video.id, len(line.raw)) for line in lines] == [("v0", 30), ("v1", 12)]
    assert [problem.message for problem in ran.report.problems] == ["v0 stops at frame 30."]


def test_an_endless_source_gives_scores_pieces_and_events_as_they_happen() -> None:
    outcomes = list(
        islice(
            run(settings(segment_frames=8, smooth_seconds=0.2), FakeBackend(), readers=[EndlessReader(Options())]), 60
        )
    )
    events = [each for each in outcomes if isinstance(each, Event)]
    starts = [each.start for each in outcomes if isinstance(each, Timeline)]
    assert starts == list(range(0, 8 * len(starts), 8))
    assert [round(event.start_s) % 4 for event in events[:3]] == [3, 3, 3]
    assert not any(np.isnan(each.smooth).any() for each in outcomes if isinstance(each, Timeline))


def test_stored_answers_are_reused_and_give_the_same_result(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.open()
    with pytest.raises(BackendError):
        list(run(settings(), FakeBackend(batch_size=4, fail_at=8), store=store))
    second, third = FakeBackend(batch_size=4), FakeBackend(batch_size=4)
    resumed = run(settings(), second, store=store)
    found = scores(resumed)
    assert (resumed.report.n_reused, resumed.report.n_asked) == (8, 7)
    assert found == scores(run(settings(), third))
    assert third.calls == [4, 4, 4, 3]
    assert second.calls == [4, 3]  # the batches of an uninterrupted run, so the numbers are the same to the last bit
    store.close()


def test_a_backend_that_does_not_answer_a_query_is_named() -> None:
    class Forgetful(FakeBackend):
        def answer(self, queries):
            return islice(super().answer(queries), 7)

    with pytest.raises(BackendError, match="did not answer"):
        list(run(settings(), Forgetful(batch_size=64)))
