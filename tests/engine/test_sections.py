"""Sections of videos, and what readers notice: from the reader to report and sinks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from anyanomaly import join_timelines
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.run import Run
from anyanomaly.engine.store import AnswerStore
from anyanomaly.testing.fakes import FakeBackend
from anyanomaly.types import Frame, Notice, SegmentScore, Video
from tests.engine.parts import ListReader, ListSink, planner, settings


class SectionReader(ListReader):
    """Has a section, and notices something; does not know sections itself."""

    def __init__(self, section: tuple[float, float], notices: Sequence[str] = ()) -> None:
        super().__init__(60)
        self._section = section
        self._messages = notices
        self.n_read = 0

    def probe(self, uri: str) -> Video:
        return replace(super().probe(uri), section=self._section)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        for frame in super().frames(video, start=start, every=every):
            self.n_read += 1
            yield frame

    def notices(self, video: Video) -> Sequence[str]:
        return self._messages


def run(reader: ListReader, *, store: AnswerStore | None = None, sink: ListSink | None = None) -> Run:
    backend = FakeBackend()
    backend.load()
    sources = [(reader, reader.probe("v"))]
    return Run(settings(), sources, planner(settings())[0], backend, Outputs([sink] if sink else []), store, {})


def test_a_section_has_the_numbers_times_and_borders_of_the_whole_video() -> None:
    reader = SectionReader((2.0, 4.0))  # frames 20 to 39 of 60, in segments of 12
    outcomes = list(run(reader))
    scores = [outcome for outcome in outcomes if isinstance(outcome, SegmentScore)]
    assert [(score.segment, score.start, score.stop) for score in scores] == [(1, 20, 24), (2, 24, 36), (3, 36, 40)]
    (timeline,) = join_timelines(outcomes)
    assert (timeline.start, timeline.times_s[0], timeline.times_s[-1]) == (20, 2.0, pytest.approx(3.9))
    assert reader.n_read == 41  # the first frame behind the section ends it
    assert reader.n_open == 0


def test_answers_of_the_whole_video_are_used_again(tmp_path: Path) -> None:
    store = AnswerStore(tmp_path / "answers.sqlite")
    store.open()
    list(run(SectionReader((0.0, math.inf)), store=store))
    section = run(SectionReader((2.4, math.inf)), store=store)
    list(section)
    assert (section.report.n_asked, section.report.n_segments) == (0, 3)
    store.close()


def test_a_section_without_frames_is_a_problem() -> None:
    ran = run(SectionReader((60.0, 70.0)))
    assert list(ran) == []
    (problem,) = ran.report.problems
    assert "v has no frame from 60 s to 70 s" in problem.message


def test_notices_are_reported_once_and_written_after_the_results() -> None:
    sink = ListSink()
    ran = run(SectionReader((0.0, math.inf), ["v has no timestamps.", "v changes its size."]), sink=sink)
    list(ran)
    notices = [Notice("v", "v has no timestamps."), Notice("v", "v changes its size.")]
    assert ran.report.notices == notices
    assert ran.report.problems == []
    assert sink.got[-2:] == notices
