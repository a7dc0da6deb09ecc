"""The clock: each second counts for one stage, and a run without it is not touched."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import pytest

from anyanomaly.engine.clock import Clock, StageClock
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.run import Run
from anyanomaly.testing.fakes import FakeBackend
from anyanomaly.types import Answer, Frame, Query, Video
from tests.engine.parts import ListReader, planner, settings

STEP_S = 0.02


class SlowReader(ListReader):
    """A frame takes a tenth of a step to read."""

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        for frame in super().frames(video, start=start, every=every):
            time.sleep(STEP_S / 10)
            yield frame


class SlowBackend(FakeBackend):
    """A batch takes a step to answer."""

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        time.sleep(STEP_S)
        return list(super().answer_batch(queries))


def timed(clock: Clock, texts: tuple[str, ...] = ("red car",), n_frames: int = 60) -> Run:
    backend = SlowBackend()
    backend.load()
    reader = SlowReader(n_frames)
    of = settings(texts=texts)
    made, _ = planner(of, clock=clock)
    run = Run(of, [(reader, reader.probe("v"))], made, backend, Outputs([]), None, {}, clock)
    list(run)
    return run


def test_a_stage_inside_another_is_taken_off_it() -> None:
    clock = StageClock()
    with clock.stage("contexts"):
        time.sleep(STEP_S)
        with clock.stage("encode"):
            time.sleep(3 * STEP_S)
    seconds = clock.seconds()
    assert seconds["encode"] == pytest.approx(3 * STEP_S, abs=STEP_S)
    assert seconds["contexts"] == pytest.approx(STEP_S, abs=STEP_S)


def test_what_is_iterated_is_closed_with_it() -> None:
    reader = ListReader()
    frames = StageClock().time_items("decode", reader.frames(reader.probe("v")))
    next(frames)
    frames.close()
    assert reader.n_open == 0


def test_the_report_says_where_the_time_went() -> None:
    speed = timed(StageClock()).report.speed
    assert speed is not None
    n_batches = 5 * 3  # a question per context and segment, one a batch
    assert speed.stages_s["answer"] >= n_batches * STEP_S
    assert speed.stages_s["decode"] >= 60 * STEP_S / 10
    assert speed.stages_s["encode"] > 0
    assert speed.stages_s["contexts"] > 0
    waited = sum(speed.stages_s[name] for name in ("answer", "wait"))  # the thread that the caller is on
    assert waited == pytest.approx(speed.wall_s, rel=0.1)


def test_frames_are_counted_per_text_and_as_the_paper_does() -> None:
    speed = timed(StageClock(), texts=("red car", "dog"), n_frames=65).report.speed
    assert speed is not None
    assert (speed.n_segments, speed.n_frames, speed.n_whole_frames) == (6, 65, 60)
    assert speed.frames_per_s == pytest.approx(65 / speed.wall_s)
    assert speed.frames_per_s_per_text == pytest.approx(2 * 65 / speed.wall_s)
    assert speed.paper_fps == pytest.approx(2 * 60 / speed.wall_s)
    assert speed.real_time == pytest.approx(6.5 / speed.wall_s)  # 10 frames a second


def test_without_a_clock_nothing_is_measured() -> None:
    assert timed(Clock()).report.speed is None
    frames = iter([1, 2])
    assert Clock().time_items("decode", frames) is frames
