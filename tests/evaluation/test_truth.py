"""Ground truth of a run, as spans in seconds per video and event text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.evaluation.scores import ScoreTable, SegmentRow
from anyanomaly.evaluation.truth import ground_truth
from anyanomaly.evidence import Truth
from anyanomaly.types import LabelledVideo, Span, SpanUnit

FPS = 25


def table(n_frames: int, text: str = "run", start: int = 0) -> ScoreTable:
    scores = ScoreTable()
    for first in range(start, n_frames, 10):
        stop = min(first + 10, n_frames)
        scores.add("cam", text, SegmentRow(first, stop, first / FPS, stop / FPS, {"key": 0.5}))
    return scores


def truth_of(video: LabelledVideo, scores: ScoreTable) -> Truth:
    (truth,) = ground_truth(scores, [video])
    return truth


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_the_spans_cover_exactly_the_labelled_frames(labels: list[bool]) -> None:
    video = LabelledVideo("cam", "cam", ("run",), {"run": np.array(labels)})
    spans = truth_of(video, table(len(labels))).spans
    times_s = np.arange(len(labels)) / FPS
    covered = np.zeros(len(labels), np.bool_)
    for start_s, stop_s in spans:
        covered |= (times_s >= start_s - 1e-9) & (times_s < stop_s - 1e-9)
    assert covered.tolist() == labels
    assert list(spans) == sorted(spans)


@pytest.mark.parametrize(
    ("spans", "unit", "expected"),
    [
        (((10.0, 20.0),), "frames", ((0.4, 0.8),)),
        (((0.4, 0.8),), "seconds", ((0.4, 0.8),)),
        (((0.2, 0.4),), "share", ((0.4, 0.8),)),
        (((40.0, 99.0),), "frames", ((1.6, 2.0),)),  # behind the last frame with a score
    ],
)
def test_spans_of_every_unit(spans: tuple[Span, ...], unit: SpanUnit, expected: tuple[Span, ...]) -> None:
    video = LabelledVideo("cam", "cam", ("run",), spans={"run": spans}, unit=unit)
    assert np.allclose(truth_of(video, table(50)).spans, expected)


def test_a_text_of_two_classes_has_the_spans_of_both() -> None:
    video = LabelledVideo(
        "cam", "cam", ("run",), {"a": np.arange(50) < 5}, {"b": ((20.0, 30.0),)}, classes={"a": ("run",), "b": ("run",)}
    )
    (first, second) = truth_of(video, table(50)).spans
    assert first == pytest.approx((0.0, 0.2))
    assert second == pytest.approx((0.8, 1.2))


def test_frames_before_the_first_score_have_no_truth() -> None:
    video = LabelledVideo("cam", "cam", ("run",), {"run": np.ones(50, np.bool_)})
    (span,) = truth_of(video, table(50, start=20)).spans
    assert span == pytest.approx((0.8, 2.0))


def test_a_text_without_scores_has_no_truth() -> None:
    video = LabelledVideo("cam", "cam", ("fall",), {"fall": np.ones(50, np.bool_)})
    assert not list(ground_truth(table(50), [video]))
