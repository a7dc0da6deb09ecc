"""Scores over time as one line: peaks, thresholds and gaps can be seen."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.cli.sparkline import ASCII_LEVELS, BLOCK_LEVELS, MAX_PEAKS, PeakSeries, draw_sparkline
from anyanomaly.types import FloatArray, Timeline, Video

VIDEO = Video("street", "street.mp4", 8.0, None, 32, 32)


def fill_series(scores: FloatArray, piece: int, start: int = 0) -> PeakSeries:
    series = PeakSeries()
    for at in range(0, len(scores), piece):
        part = scores[at : at + piece]
        times_s = np.arange(start + at, start + at + len(part)) / VIDEO.fps
        series.add(Timeline(VIDEO, "car", start + at, times_s, part.copy(), np.nan_to_num(part, nan=0.5), {}))
    return series


@given(
    st.lists(st.one_of(st.just(math.nan), st.floats(0, 1, width=32)), min_size=1, max_size=5000),
    st.integers(1, 700),
    st.integers(0, 10**6),
    st.integers(1, 300),
)
def test_every_peak_is_kept_however_long_the_video_is(values: list[float], piece: int, start: int, width: int) -> None:
    scores = np.array(values, dtype=np.float32)
    series = fill_series(scores, piece, start)
    columns = series.resample(width)
    assert 1 <= len(columns) <= min(width, MAX_PEAKS, len(scores))
    if np.isnan(scores).all():
        assert np.isnan(columns).all()
        assert series.peak == -math.inf
    else:
        assert np.nanmax(columns) == series.peak == np.nanmax(scores)
        assert series.peak_s == (start + int(np.nanargmax(scores))) / VIDEO.fps


def test_a_short_video_has_a_column_per_frame_and_gaps() -> None:
    scores = np.array([0.1, math.nan, 0.9], dtype=np.float32)
    assert draw_sparkline(fill_series(scores, 3).resample(80), 0.5, ASCII_LEVELS) == "_ @"


def test_a_peak_stands_where_it_happened() -> None:
    scores = np.zeros(100_000, dtype=np.float32)
    scores[75_000] = 1
    line = draw_sparkline(fill_series(scores, 24).resample(60), 0.5, ASCII_LEVELS)
    assert line.strip("_") == "@"
    assert abs(line.index("@") - 45) <= 1  # the peaks that are kept are not aligned with the columns


@given(st.floats(0, 1, width=32), st.floats(-3, 3, width=32), st.sampled_from([ASCII_LEVELS, BLOCK_LEVELS]))
def test_the_upper_half_of_the_characters_reaches_the_threshold(threshold: float, score: float, levels: str) -> None:
    char = draw_sparkline([score], threshold, levels)
    assert (levels.index(char) >= 4) == (score >= threshold)


@pytest.mark.parametrize("levels", [ASCII_LEVELS, BLOCK_LEVELS])
def test_higher_scores_have_higher_characters(levels: str) -> None:
    line = draw_sparkline(np.linspace(0, 1, 101), 0.3, levels)
    assert list(line) == sorted(line, key=levels.index)
    assert set(line) == set(levels)


def test_a_series_without_frames_is_empty() -> None:
    assert draw_sparkline(PeakSeries().resample(80), 0.5, BLOCK_LEVELS) == ""


def test_a_part_counts_as_asked_where_one_of_its_frames_was_and_its_peak_is_of_these() -> None:
    series = PeakSeries()
    for start, is_asked, score in ((0, True, 0.2), (4, False, 0.3), (8, True, 0.1), (12, False, 0.3)):
        scores = np.full(4, score, dtype=np.float32)
        times_s = np.arange(start, start + 4) / VIDEO.fps
        piece = Timeline(VIDEO, "car", start, times_s, scores, scores.copy(), {}, np.full(4, is_asked))
        series.add(piece)
    assert series.resample_asked(4).tolist() == [True, False, True, False]
    assert series.resample_asked(2).tolist() == [True, True]
    assert (series.has_unasked, series.peak) == (True, np.float32(0.2))


@given(st.lists(st.booleans(), min_size=1, max_size=3000), st.integers(1, 200))
def test_marks_of_parts_are_halved_like_their_scores(asked: list[bool], width: int) -> None:
    series = PeakSeries()
    scores = np.zeros(len(asked), dtype=np.float32)
    series.add(Timeline(VIDEO, "car", 0, np.arange(len(asked)) / 8, scores, scores.copy(), {}, np.array(asked)))
    marks = series.resample_asked(width)
    assert marks.shape == series.resample(width).shape
    assert marks.any() == any(asked)
    assert series.has_unasked == (not all(asked))
