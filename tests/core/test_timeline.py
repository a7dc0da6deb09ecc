"""From segment scores to scores per frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.smooth import gaussian_smooth
from anyanomaly.core.timeline import LiveTimeline, RecordedTimeline, frame_rate, join_timelines
from anyanomaly.types import SegmentScore, Timeline, Video
from tests.core.values import segment_score, video

SOURCE = video()


def build(scores: Sequence[SegmentScore], sigma_s: float = 0.0) -> list[Timeline]:
    builder = RecordedTimeline(lambda fps: sigma_s * fps, 4 * sigma_s)
    pieces = [*(builder.push(score) for score in scores), builder.finish()]
    return [piece for piece in pieces if piece]


def segments(values: Sequence[float], length: int, source: Video = SOURCE) -> list[SegmentScore]:
    return [
        segment_score(source, at, at * length, (at + 1) * length, {"key": value}, value)
        for at, value in enumerate(values)
    ]


def test_every_frame_gets_its_segments_score_and_gaps_have_none() -> None:
    scores = [
        segment_score(SOURCE, 0, 0, 3, {"key": 0.2}, 0.2),
        segment_score(SOURCE, 2, 6, 8, {"key": math.nan}, math.nan),
    ]
    (line,) = join_timelines(build(scores))
    np.testing.assert_allclose(line.times_s, np.arange(8) / 10)
    np.testing.assert_array_equal(line.raw, np.array([0.2] * 3 + [np.nan] * 5, np.float32))
    np.testing.assert_array_equal(line.contexts["key"], line.raw)
    np.testing.assert_array_equal(line.smooth, np.full(8, 0.2, np.float32))


def with_asked(score: SegmentScore, asked: dict[str, bool]) -> SegmentScore:
    return replace(score, scores={name: replace(part, asked=asked[name]) for name, part in score.scores.items()})


@pytest.mark.parametrize("live", [False, True])
def test_frames_of_a_segment_that_was_not_asked_are_marked_and_frames_that_could_not_be_read_are_not(
    live: bool,
) -> None:
    source = video(live=live)
    values = {"key": math.nan, "temporal": math.nan}
    scores = [
        with_asked(segment_score(source, 0, 0, 2, values, 0.1), {"key": False, "temporal": False}),
        with_asked(segment_score(source, 2, 4, 6, {**values, "key": 0.0}, 0.0), {"key": True, "temporal": False}),
        segment_score(source, 3, 6, 7, values, math.nan),  # asked, and unreadable
    ]
    lines = join_timelines([LiveTimeline(0.0).push(score) for score in scores] if live else build(scores))
    n_missing = 0 if live else 2
    asked = np.concatenate([line.asked for line in lines])
    np.testing.assert_array_equal(asked, [False] * 2 + [True] * (n_missing + 3))
    contexts_asked = [np.concatenate([line.contexts_asked[name] for line in lines]) for name in ("key", "temporal")]
    np.testing.assert_array_equal(contexts_asked[0], asked)
    np.testing.assert_array_equal(contexts_asked[1], [False] * 2 + [True] * n_missing + [False] * 2 + [True])


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(1, 7), st.sampled_from([0.0, 0.3, 2.0]))
def test_marks_of_pieces_follow_the_segments(asked: list[bool], length: int, sigma_s: float) -> None:
    scores = [
        with_asked(score, {"key": is_asked})
        for score, is_asked in zip(segments([0.1] * len(asked), length), asked, strict=True)
    ]
    (line,) = join_timelines(build(scores, sigma_s))
    np.testing.assert_array_equal(line.asked, np.repeat(asked, length))
    np.testing.assert_array_equal(line.contexts_asked["key"], line.asked)


scores_or_missing = st.lists(st.one_of(st.sampled_from([0.0, 0.3, 1.0]), st.just(math.nan)), min_size=1, max_size=30)


@given(scores_or_missing, st.integers(1, 12), st.sampled_from([0.0, 0.3, 1.0, 40.0]))
def test_pieces_follow_each_other_and_are_the_smoothed_series(values: list[float], length: int, sigma_s: float) -> None:
    pieces = build(segments(values, length), sigma_s)
    (line,) = join_timelines(pieces)
    raw = np.repeat(np.array(values, np.float32), length)
    np.testing.assert_array_equal(line.raw, raw)
    np.testing.assert_array_equal(line.smooth, gaussian_smooth(raw, sigma_s * SOURCE.fps))
    np.testing.assert_allclose(line.times_s, np.arange(len(raw)) / SOURCE.fps)


def test_a_frame_is_final_four_sigma_later() -> None:
    builder = RecordedTimeline(lambda fps: 0.5 * fps, 2.0)  # 5 frames, so 20 later ones
    stops = []
    for score in segments([0.1, 0.9] * 20, 4):
        piece = builder.push(score)
        stops.append((score.stop, piece.start + len(piece.times_s) if piece else 0))
    assert stops == [(stop, max(0, stop - 20)) for stop in range(4, 164, 4)]


def test_a_wrong_nominal_frame_rate_is_replaced_by_that_of_the_first_frames() -> None:
    source = video(fps=100.0)  # the times say 10
    scores = [
        SegmentScore(source, at, 5 * at, 5 * at + 5, np.arange(5 * at, 5 * at + 5) / 10, "car", {}, at / 40)
        for at in range(40)
    ]
    (line,) = join_timelines(build(scores, 0.5))
    np.testing.assert_array_equal(line.smooth, gaussian_smooth(line.raw, 5.0))


def test_times_that_stand_still_end_the_measurement() -> None:
    scores = [SegmentScore(SOURCE, at, at, at + 1, np.zeros(1), "car", {}, 0.5) for at in range(400)]
    pieces = build(scores, 0.5)
    assert len(pieces) > 100
    assert len(join_timelines(pieces)[0].raw) == 400


def test_a_live_timeline_is_final_at_once_and_is_joined_up_to_a_gap() -> None:
    builder = LiveTimeline(0.0)
    scores = segments([0.1, 0.2, 0.3, 0.4], 3)
    pieces = [builder.push(score) for score in (*scores[:2], scores[3])]
    assert [piece.start for piece in pieces] == [0, 3, 9]
    assert [(line.start, len(line.raw)) for line in join_timelines([*pieces, "no timeline"])] == [(0, 6), (9, 3)]


def test_the_frame_rate_is_that_of_the_times_where_they_tell() -> None:
    assert frame_rate(np.array([0, 0.5, 1.0]), nominal=25) == pytest.approx(2)
    assert frame_rate(np.array([3.0]), nominal=25) == 25
