"""From segment scores to scores per frame."""

import math

import numpy as np

from anyanomaly.core.timeline import build_timeline, frame_rate
from tests.core.values import segment_score, video


def test_every_frame_gets_its_segments_score_and_gaps_have_none() -> None:
    source = video()
    scores = [
        segment_score(source, 0, 0, 3, {"key": 0.2}, 0.2),
        segment_score(source, 2, 6, 8, {"key": math.nan}, math.nan),
    ]
    line = build_timeline(scores, lambda raw, fps: np.full_like(raw, fps))
    np.testing.assert_allclose(line.times_s, np.arange(8) / 10)
    np.testing.assert_array_equal(line.raw, np.array([0.2] * 3 + [np.nan] * 5, np.float32))
    np.testing.assert_array_equal(line.contexts["key"], line.raw)
    np.testing.assert_allclose(line.smooth, 10, rtol=1e-6)  # `smooth` gets the frame rate


def test_the_frame_rate_is_that_of_the_times_where_they_tell() -> None:
    assert frame_rate(np.array([0, 0.5, 1.0]), nominal=25) == 2
    assert frame_rate(np.array([3.0]), nominal=25) == 25
