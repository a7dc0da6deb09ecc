"""Merged tokens equal the original's, from the original's features: every cluster, in both precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_chatunivi.merging import Merging, Stage, read_merging

from anyanomaly.errors import UsageError
from plugins.chatunivi.tests.conftest import load_backend, oracle

pytestmark = pytest.mark.engine

MERGING = Merging((Stage(64, 5), Stage(32, 3), Stage(16, 3)), Stage(1 / 16, 5))
NOISE = pytest.mark.parametrize("noise", ["noise_off", "noise_seed_1234"])


def make_noise(noise: str) -> torch.Generator | None:
    return None if noise == "noise_off" else torch.Generator().manual_seed(1234)


def tensor(name: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.from_numpy(oracle().arrays[name]).to(dtype)


def assert_same(merged: torch.Tensor, expected: Any) -> None:
    """Compare means, which may differ in the last bit between machines; in half precision none does."""
    tolerance = 0 if merged.dtype == torch.float16 else 1e-6
    np.testing.assert_allclose(merged.numpy(), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@NOISE
def test_each_stage_equals_the_originals(noise: str, dtype: torch.dtype) -> None:
    arrays, generator = oracle().arrays, make_noise(noise)
    under = f"clustering/{str(dtype).removeprefix('torch.')}/{noise}"
    x = tensor("clustering/x", dtype)
    stages = [
        *((f"stage{index}", stage) for index, stage in enumerate(MERGING.spatial)),
        ("temporal", MERGING.temporal),
    ]
    for name, stage in stages:
        if name == "temporal":
            x = tensor("clustering/temporal_x", dtype)
        before = None if generator is None else generator.get_state()
        np.testing.assert_array_equal(stage.assign_clusters(x, generator), arrays[f"{under}/{name}/idx_cluster"])
        if generator is not None and before is not None:
            generator.set_state(before)
        x = stage.merge(x, generator)
        assert_same(x, arrays[f"{under}/{name}/merged"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_noise_decides_between_equal_tokens_as_in_the_original(dtype: torch.dtype) -> None:
    x = tensor("clustering/duplicates_x", dtype).repeat_interleave(2, dim=1)
    under = f"clustering/{str(dtype).removeprefix('torch.')}/noise_seed_1234/duplicates"
    stage = MERGING.spatial[0]
    np.testing.assert_array_equal(stage.assign_clusters(x, make_noise("seed")), oracle().arrays[f"{under}/idx_cluster"])
    assert_same(stage.merge(x, make_noise("seed")), oracle().arrays[f"{under}/merged"])
    assert torch.equal(stage.assign_clusters(x), stage.assign_clusters(x))
    assert not torch.equal(stage.assign_clusters(x), stage.assign_clusters(x, make_noise("seed")))


@pytest.mark.parametrize("n_frames", [20, 64])
@NOISE
def test_events_and_tokens_of_a_video_equal_the_originals(n_frames: int, noise: str) -> None:
    arrays, model = oracle().arrays, load_backend()._model
    assert model is not None
    rng = np.random.default_rng(10 + n_frames)
    centres = rng.standard_normal((4, 1, 64))
    random_features = (
        rng.standard_normal((n_frames, 256, 64)) * 0.7 + centres[np.arange(n_frames) * 4 // n_frames] * 1.5
    )
    features = torch.from_numpy(random_features.astype(np.float32))
    expected = oracle().values[f"merging_video_{n_frames}/features"]
    assert float(features.double().abs().sum()) == pytest.approx(expected["abs_sum"], rel=1e-9)
    events = MERGING.find_events(features, make_noise(noise))
    assert sorted(frame for event in events for frame in event) == list(range(n_frames))
    event_of_frame = {frame: index for index, event in enumerate(events) for frame in event}
    under = f"merging_video_{n_frames}/{noise}"
    assert [event_of_frame[frame] for frame in range(n_frames)] == arrays[f"{under}/event_of_frame"].tolist()
    visual = model.projector(MERGING.merge_frames(features, make_noise(noise)))  # type: ignore[attr-defined]
    assert len(visual) == 112 * len(events)
    np.testing.assert_allclose(visual[::8], arrays[f"{under}/visual"], atol=1e-5)


def test_features_of_a_constant_image_are_merged_as_in_the_original() -> None:
    model = load_backend()._model
    assert model is not None
    visual = model.projector(MERGING.merge_frames(tensor("constant/features")[None]))  # type: ignore[attr-defined]
    np.testing.assert_allclose(visual, oracle().arrays["constant/visual"], atol=1e-5)


def test_more_frames_than_the_original_takes_have_events_too() -> None:
    features = torch.from_numpy(np.random.default_rng(0).standard_normal((100, 16, 8)).astype(np.float32))
    small = Merging((Stage(8, 5), Stage(4, 3), Stage(2, 3)), Stage(1 / 16, 5))
    assert len(small.find_events(features)) == 7
    assert small.merge_frames(features).shape == (7 * 14, 8)


def test_merging_adds_no_tokens() -> None:
    assert MERGING.merge_frames(torch.arange(12.0).reshape(1, 4, 3)).shape == (12, 3)


def test_the_checkpoint_sets_the_number_of_clusters() -> None:
    rates = {f"spatial_cluster_rate{stage}": rate for stage, rate in enumerate((0.25, 20, 10))}
    merging = read_merging({"config": {"use_cluster": True, **rates, "temporal_cluster_rate": 0.125}})
    assert [stage.count_clusters(256) for stage in (*merging.spatial, merging.temporal)] == [64, 20, 10, 32]
    for config in (
        {},
        {"config": None},
        {"config": {"use_cluster": False, **rates}},
        {"config": {"use_cluster": True}},
    ):
        with pytest.raises(UsageError, match="merged tokens"):
            read_merging(config)
