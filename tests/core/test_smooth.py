"""Smoothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d

from anyanomaly.core.smooth import CausalSmoother, gaussian_smooth


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
    monkeypatch.setattr("anyanomaly.core.smooth.MAX_PRODUCTS", 0)
    for sigma in (1.0, 40.0, 700.0, 5000.0):
        expected = gaussian_filter1d(series.astype(float), sigma)
        np.testing.assert_allclose(gaussian_smooth(series, sigma), expected, atol=1e-6)
