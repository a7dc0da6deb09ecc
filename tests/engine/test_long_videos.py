"""Long videos: memory does not grow with their length, and events come while the rest is still to be read."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from anyanomaly.api import ContextGenerator, Options, Selector, Sink, SinkOptions
from anyanomaly.api.context import ContextOptions
from anyanomaly.core.events import EventRule
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.plan import Planner
from anyanomaly.engine.run import Run
from anyanomaly.engine.settings import RunSettings
from anyanomaly.evidence import Evidence
from anyanomaly.testing.fakes import FakeBackend
from anyanomaly.types import Context, Event, EventText, Frame, KeyFrames, Query, Segment, SegmentScore, Timeline, Video
from tests.engine.parts import ListReader, settings


class FirstFrame(Selector[Options]):
    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        return KeyFrames(0, (0,))


class WholeFrame(ContextGenerator[ContextOptions]):
    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        return [Context("key", (segment.frames[key_frames.primary].image,))]


class SmallReader(ListReader):
    """Frames of a few pixels: red for 40 frames in every 1,000."""

    def __init__(self, n_frames: int) -> None:
        super().__init__(n_frames)
        self.n_read = 0

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        for index in range(self.n_frames):
            image = np.full((4, 4, 3), 90, dtype=np.uint8)
            if index % 1000 >= 960:
                image[..., 0] = 250
            self.n_read = index + 1
            yield Frame(video, index, index / video.fps, image)


class MeasuringSink(Sink[SinkOptions]):
    """Keeps no result; notes the allocated blocks of memory at some segments."""

    wants_evidence = True

    def __init__(self, marks: Sequence[int]) -> None:
        super().__init__(SinkOptions())
        self.marks = marks
        self.n_blocks: list[int] = []
        self.n_evidence = 0

    def write_segment(self, score: SegmentScore) -> None:
        if score.segment in self.marks and score.text == "red car":
            self.n_blocks.append(sys.getallocatedblocks())

    def write_evidence(self, evidence: Evidence) -> None:
        self.n_evidence += 1


def run(of: RunSettings, backend: FakeBackend, reader: ListReader, outputs: Outputs) -> Run:
    backend.load()
    planner = Planner(of, FirstFrame(Options()), [WholeFrame(ContextOptions())], None)
    return Run(of, [(reader, reader.probe("v"))], planner, backend, outputs, None, {})


def answer_redness(query: Query) -> str:
    return "0.9. It is red." if query.images[0][0, 0, 0] > 200 else "0.1"


def test_memory_does_not_grow_with_the_length_of_a_video() -> None:
    of = settings(texts=("red car", "red bus"), weights={"key": 1.0}, segment_frames=2, lookahead_bytes=2**14)
    backend, sink = FakeBackend(answer_redness), MeasuringSink(marks=(390, 3390))
    for _ in run(of, backend, SmallReader(6800), Outputs([sink])):
        backend.calls.clear()
    early, late = sink.n_blocks
    assert late - early < 3000  # of 3,000 segments; the scores of one take about 20
    assert sink.n_evidence == 2 * 6


@pytest.mark.parametrize(("length", "sigma_s", "merge_s"), [(12, 0.5, 1.0), (7, 0.3, 0.0), (30, 2.0, 0.5)])
def test_an_event_comes_four_sigma_and_the_merge_gap_after_its_end(length: int, sigma_s: float, merge_s: float) -> None:
    of = settings(
        segment_frames=length,
        smooth_seconds=sigma_s,
        rule=EventRule(0.5, merge_s, 0.1),
        weights={"key": 1.0},
        lookahead_bytes=1024,
    )
    reader = SmallReader(3000)
    delays_s, n_read = [], []
    score: SegmentScore
    for outcome in run(of, FakeBackend(answer_redness), reader, Outputs([])):
        if isinstance(outcome, SegmentScore):
            score = outcome
        elif isinstance(outcome, Event):
            delays_s.append(score.stop / 10 - outcome.stop_s)
            n_read.append(reader.n_read)
    frame_s = 0.1
    assert max(delays_s[:2]) <= 4 * sigma_s + merge_s + length * frame_s + frame_s + 1e-9
    assert len(delays_s) == 3
    assert n_read[0] < 3000


def test_all_texts_get_their_pieces_in_turn() -> None:
    of = settings(texts=("red car", "red bus"), segment_frames=10, weights={"key": 1.0})
    outcomes = list(run(of, FakeBackend(answer_redness), SmallReader(100), Outputs([])))
    pieces = [(piece.text, piece.start, len(piece.raw)) for piece in outcomes if isinstance(piece, Timeline)]
    # 4 sigma are 20 frames
    assert pieces[:4] == [("red car", 0, 10), ("red bus", 0, 10), ("red car", 10, 10), ("red bus", 10, 10)]
    assert pieces[-2:] == [("red car", 80, 20), ("red bus", 80, 20)]
