"""Merged tokens against the original's, from its own features: every decision the same, in both precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_chatunivi.merging import Merging, Stage, read_merging

from anyanomaly.errors import UsageError
from plugins.chatunivi.tests.conftest import loaded, oracle

pytestmark = pytest.mark.engine

MERGING = Merging((Stage(64, 5), Stage(32, 3), Stage(16, 3)), Stage(1 / 16, 5))
NOISE = pytest.mark.parametrize("noise", ["noise_off", "noise_seed_1234"])


def drawn(noise: str) -> torch.Generator | None:
    return None if noise == "noise_off" else torch.Generator().manual_seed(1234)


def tensor(name: str, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.from_numpy(oracle().arrays[name]).to(dtype)


def same(found: torch.Tensor, expected: Any) -> None:
    """Means may differ in the last bit between machines; in half precision none of them does."""
    bits = 0 if found.dtype == torch.float16 else 1e-6
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=bits)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@NOISE
def test_each_stage_is_the_originals(noise: str, dtype: torch.dtype) -> None:
    arrays, generator = oracle().arrays, drawn(noise)
    under = f"clustering/{str(dtype).removeprefix('torch.')}/{noise}"
    x = tensor("clustering/x", dtype)
    stages = [
        *((f"stage{place}", stage) for place, stage in enumerate(MERGING.spatial)),
        ("temporal", MERGING.temporal),
    ]
    for name, stage in stages:
        if name == "temporal":
            x = tensor("clustering/temporal_x", dtype)
        before = None if generator is None else generator.get_state()
        np.testing.assert_array_equal(stage.owners(x, generator), arrays[f"{under}/{name}/idx_cluster"])
        if generator is not None and before is not None:
            generator.set_state(before)
        x = stage.merge(x, generator)
        same(x, arrays[f"{under}/{name}/merged"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_tokens_that_occur_twice_are_told_apart_by_the_originals_noise(dtype: torch.dtype) -> None:
    x = tensor("clustering/duplicates_x", dtype).repeat_interleave(2, dim=1)
    under = f"clustering/{str(dtype).removeprefix('torch.')}/noise_seed_1234/duplicates"
    stage = MERGING.spatial[0]
    np.testing.assert_array_equal(stage.owners(x, drawn("seed")), oracle().arrays[f"{under}/idx_cluster"])
    same(stage.merge(x, drawn("seed")), oracle().arrays[f"{under}/merged"])
    assert torch.equal(stage.owners(x), stage.owners(x))
    assert not torch.equal(stage.owners(x), stage.owners(x, drawn("seed")))


@pytest.mark.parametrize("n_frames", [20, 64])
@NOISE
def test_a_videos_events_and_tokens_are_the_originals(n_frames: int, noise: str) -> None:
    arrays, model = oracle().arrays, loaded()._model
    assert model is not None
    draw = np.random.default_rng(10 + n_frames)
    centres = draw.standard_normal((4, 1, 64))
    drawn_features = (
        draw.standard_normal((n_frames, 256, 64)) * 0.7 + centres[np.arange(n_frames) * 4 // n_frames] * 1.5
    )
    features = torch.from_numpy(drawn_features.astype(np.float32))
    told = oracle().values[f"merging_video_{n_frames}/features"]
    assert float(features.double().abs().sum()) == pytest.approx(told["abs_sum"], rel=1e-9)
    events = MERGING.events(features, drawn(noise))
    assert sorted(frame for event in events for frame in event) == list(range(n_frames))
    owner = {frame: place for place, event in enumerate(events) for frame in event}
    under = f"merging_video_{n_frames}/{noise}"
    assert [owner[frame] for frame in range(n_frames)] == arrays[f"{under}/event_of_frame"].tolist()
    visual = model.projector(MERGING.tokens(features, drawn(noise)))  # type: ignore[attr-defined]
    assert len(visual) == 112 * len(events)
    np.testing.assert_allclose(visual[::8], arrays[f"{under}/visual"], atol=1e-5)


def test_features_of_a_constant_image_are_merged_as_the_original_merges_them() -> None:
    model = loaded()._model
    assert model is not None
    visual = model.projector(MERGING.tokens(tensor("constant/features")[None]))  # type: ignore[attr-defined]
    np.testing.assert_allclose(visual, oracle().arrays["constant/visual"], atol=1e-5)


def test_more_frames_than_the_original_was_asked_about_are_events_too() -> None:
    features = torch.from_numpy(np.random.default_rng(0).standard_normal((100, 16, 8)).astype(np.float32))
    small = Merging((Stage(8, 5), Stage(4, 3), Stage(2, 3)), Stage(1 / 16, 5))
    assert len(small.events(features)) == 7
    assert small.tokens(features).shape == (7 * 14, 8)


def test_no_more_tokens_come_out_than_go_in() -> None:
    assert MERGING.tokens(torch.arange(12.0).reshape(1, 4, 3)).shape == (12, 3)


def test_the_checkpoint_says_how_many_tokens_are_left() -> None:
    rates = {f"spatial_cluster_rate{stage}": rate for stage, rate in enumerate((0.25, 20, 10))}
    told = read_merging({"config": {"use_cluster": True, **rates, "temporal_cluster_rate": 0.125}})
    assert [stage.count(256) for stage in (*told.spatial, told.temporal)] == [64, 20, 10, 32]
    for wrong in ({}, {"config": None}, {"config": {"use_cluster": False, **rates}}, {"config": {"use_cluster": True}}):
        with pytest.raises(UsageError, match="merged tokens"):
            read_merging(wrong)
