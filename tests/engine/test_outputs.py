"""Sinks learn how a run ended, and one that fails takes nothing from the others."""

from __future__ import annotations

import pytest

from anyanomaly import join_timelines
from anyanomaly.api import RunEnd
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.run import Run
from anyanomaly.errors import BackendError, OutputError
from anyanomaly.testing.fakes import FakeBackend
from anyanomaly.types import Event, SegmentScore
from tests.engine.parts import ListReader, ListSink, planner, settings


class FullSink(ListSink):
    """Has room for a number of segments."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write_segment(self, score: SegmentScore) -> None:
        if sum(isinstance(result, SegmentScore) for result in self.got) == self.room:
            raise OutputError("The disk is full.")
        super().write_segment(score)


class EndingSink(ListSink):
    """Keeps how the run ended."""

    def end(self, run_end: RunEnd) -> None:
        self.got.append(run_end)


def run(
    outputs: Outputs, reader: ListReader, backend: FakeBackend | None = None, *, is_repeatable: bool = False
) -> Run:
    backend = backend or FakeBackend()
    backend.load()
    sources = [(reader, reader.probe("v"))]
    return Run(settings(), sources, planner(settings())[0], backend, outputs, None, {}, is_repeatable=is_repeatable)


def test_a_sink_that_fails_takes_nothing_from_the_others() -> None:
    full, sink, whole = FullSink(room=2), EndingSink(), EndingSink()
    outputs = Outputs([full, sink])
    with pytest.raises(OutputError, match=r"The disk is full\.") as failure:
        list(run(outputs, ListReader()))
    outputs.end(failure.value, ())
    list(run(Outputs([whole]), ListReader()))
    n_written = len([result for result in sink.got if isinstance(result, SegmentScore)])
    assert n_written == 3  # the third is where the other one failed
    (timeline,) = join_timelines(sink.got)
    assert len(timeline.raw) == 36
    n_events = len([result for result in sink.got if isinstance(result, Event)])
    assert sink.got[-1] == RunEnd("failed", 3, n_events, 0, "The disk is full.")
    assert len([result for result in full.got if isinstance(result, SegmentScore)]) == 2


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (None, "complete", ""),
        (KeyboardInterrupt(), "interrupted", ""),
        (GeneratorExit(), "interrupted", ""),
        (BrokenPipeError(32, "Broken pipe"), "interrupted", ""),
        (BackendError("The engine died."), "failed", "The engine died."),
        (RuntimeError(), "failed", "RuntimeError"),
    ],
)
def test_an_error_tells_how_the_run_ended(error: BaseException | None, status: str, message: str) -> None:
    sink = EndingSink()
    outputs = Outputs([sink])
    list(run(outputs, ListReader()))
    outputs.end(error, ())
    assert isinstance(sink.got[-1], RunEnd)
    assert (sink.got[-1].status, sink.got[-1].error) == (status, message)


def test_a_run_that_is_left_early_is_interrupted() -> None:
    sink = EndingSink()
    outputs = Outputs([sink])
    outcomes = iter(run(outputs, ListReader()))
    next(outcomes)
    outcomes.close()
    outputs.end(None, ())
    assert isinstance(sink.got[-1], RunEnd)
    assert sink.got[-1].status == "interrupted"


def test_a_run_that_did_not_begin_has_no_end() -> None:
    sink = EndingSink()
    Outputs([sink]).end(BackendError("It does not start."), ())
    assert sink.got == []


def test_a_sink_that_cannot_end_fails_a_complete_run_and_not_the_other_sinks() -> None:
    class NoEnd(ListSink):
        def end(self, run_end: RunEnd) -> None:
            raise OutputError("The disk is full.")

    sink = EndingSink()
    outputs = Outputs([NoEnd(), sink])
    list(run(outputs, ListReader()))
    with pytest.raises(OutputError, match=r"The disk is full\."):
        outputs.end(None, ())
    assert isinstance(sink.got[-1], RunEnd)
    assert sink.got[-1].status == "complete"


def test_a_repeated_run_writes_each_result_once() -> None:
    repeated, once = EndingSink(), EndingSink()
    outputs = Outputs([repeated])
    with pytest.raises(BackendError):
        list(run(outputs, ListReader(), FakeBackend(batch_size=1, fail_at=7), is_repeatable=True))
    assert 0 < len(repeated.got) < 5  # segments
    list(run(outputs, ListReader(), is_repeatable=True))
    list(run(Outputs([once]), ListReader()))
    assert [type(result) for result in repeated.got] == [type(result) for result in once.got]
    numbers = [result.segment for result in repeated.got if isinstance(result, SegmentScore)]
    assert numbers == list(range(5))
