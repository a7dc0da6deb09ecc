"""Smoothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from anyanomaly.core.smooth import CausalSmoother, GaussianSmoother, gaussian_smooth


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80), st.floats(0.3, 30))
def test_without_gaps_it_equals_scipy(values: list[float], sigma: float) -> None:
    series = np.array(values, dtype=np.float32)
    expected = gaussian_filter1d(series.astype(float), sigma)
    np.testing.assert_allclose(gaussian_smooth(series, sigma), expected, atol=1e-6)


@given(st.lists(st.one_of(st.floats(0, 1, width=32), st.just(math.nan)), min_size=1, max_size=80), st.floats(0, 5))
def test_gaps_are_filled_from_what_is_known(values: list[float], sigma: float) -> None:
    series = np.array(values, dtype=np.float32)
    smooth = gaussian_smooth(series, sigma)
    if np.isnan(series).all():
        assert np.isnan(smooth).all()
    else:
        assert np.nanmin(series) <= smooth.min() <= smooth.max() <= np.nanmax(series)


@pytest.mark.parametrize("max_taps", [4096, 33])
@given(
    st.lists(st.one_of(st.floats(0, 1, width=32), st.just(math.nan)), min_size=1, max_size=200),
    st.one_of(st.just(0.0), st.floats(0.1, 3), st.floats(5, 40), st.floats(100, 1e6)),
    st.lists(st.integers(0, 60), max_size=30),
)
def test_the_result_does_not_depend_on_the_pieces(
    max_taps: int, values: list[float], sigma: float, lengths: list[int]
) -> None:
    series = np.array(values, dtype=np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("anyanomaly.core.convolve.MAX_TAPS", max_taps)
        smoother = GaussianSmoother(sigma)
        pieces = [smoother.push(piece) for piece in np.split(series, np.cumsum(lengths))]
        pieces.append(smoother.finish())
        np.testing.assert_array_equal(np.concatenate(pieces), gaussian_smooth(series, sigma))


@given(st.integers(1, 300), st.floats(0.1, 30), st.integers(1, 24))
def test_a_value_is_final_after_the_delay(n_frames: int, sigma: float, length: int) -> None:
    smoother = GaussianSmoother(sigma)
    n_final = 0
    for start in range(0, n_frames, length):
        n_final += len(smoother.push(np.full(length, 0.5, np.float32)))
        assert n_final == max(0, start + length - smoother.delay)
    assert smoother.delay == int(4 * sigma + 0.5)


def test_a_value_after_a_long_gap_fills_the_half_that_is_nearer() -> None:
    smoother = GaussianSmoother(0.5)
    gap = np.full(10, np.nan, dtype=np.float32)
    before = smoother.push(np.array([0.25, *gap], dtype=np.float32))
    after = smoother.push(np.array([0.75, 0.75, 0.75], dtype=np.float32))
    assert np.concatenate([before, after, smoother.finish()]).tolist() == [0.25] * 6 + [0.75] * 8


def test_no_smoothing_keeps_the_series() -> None:
    series = np.array([0, 1, np.nan, 0.5], dtype=np.float32)
    assert gaussian_smooth(series, 0).tolist() == [0, 1, 1, 0.5]


@pytest.mark.parametrize("sigma", [501, 1e15])
def test_a_gaussian_that_is_far_wider_than_the_series_gives_its_mean(sigma: float) -> None:
    series = np.array([0, 1, np.nan, 0.5, 0.25], dtype=np.float32)
    np.testing.assert_allclose(gaussian_smooth(series, sigma), np.full(5, 0.4375), atol=1e-6)
    np.testing.assert_allclose(gaussian_smooth(series, 499), np.full(5, 0.4375), atol=1e-5)


def test_the_causal_smoother_approaches_a_step_with_its_time_constant() -> None:
    smoother = CausalSmoother(seconds=2.0)
    smoother.push(0.0, 1.0)
    levels = [smoother.push(1.0, 0.5) for _ in range(4)]
    assert levels == sorted(levels)
    assert levels[-1] == pytest.approx(1 - math.exp(-1))
    assert smoother.push(math.nan, 1.0) == levels[-1]


def test_a_long_convolution_equals_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    series = np.random.default_rng(0).random(500).astype(np.float32)
    monkeypatch.setattr("anyanomaly.core.convolve.MAX_PRODUCTS", 0)  # of a series shorter than the kernel
    monkeypatch.setattr("anyanomaly.core.convolve.MAX_TAPS", 33)
    for sigma in (1.0, 40.0, 700.0, 5000.0):
        expected = gaussian_filter1d(series.astype(float), sigma)
        np.testing.assert_allclose(gaussian_smooth(series, sigma), expected, atol=1e-6)
