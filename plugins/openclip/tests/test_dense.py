"""Dense windows on tiny checkpoints of each architecture: what they equal, and which pixels they see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from anyanomaly_openclip.dense import find_dense_tower
from anyanomaly_openclip.encoder import OpenClipEncoder
from anyanomaly_openclip.options import OpenClipOptions

from anyanomaly.errors import BackendError
from anyanomaly.testing.contracts import EncoderContract
from anyanomaly.types import Box, Crop, FloatArray, Frame, Video
from tests.support.tiny_encoders import ARCHITECTURES, make_encoder, make_resnet
from tests.support.tiny_models import make_clip

pytestmark = pytest.mark.engine

SIDE = 240
TILES: list[Box] = [(0, 0, 120, 120), (120, 0, 240, 120), (0, 120, 120, 240), (120, 120, 240, 240)]
WINDOWS: list[Box] = [(0, 0, 48, 48), (96, 48, 144, 96), (80, 80, 160, 160), (0, 0, 240, 240), (7, 9, 12, 30)]
VIT, RESNET = "clip", "resnet"


def make(name: str, folder: Path) -> Path:
    if name == VIT:
        return make_clip(folder)
    return make_resnet(folder) if name == RESNET else make_encoder(name, folder)


@pytest.fixture(scope="module", params=[VIT, RESNET, "siglip2", "pe-core", "mobileclip2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(request.param, tmp_path_factory.mktemp("dense") / request.param)


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Iterator[OpenClipEncoder]:
    with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu", normalize_windows=True)) as encoder:
        yield encoder


def frame(seed: int, side: int = SIDE) -> Frame:
    """Return a frame with coloured areas over noise."""
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 90, (side, side, 3), dtype=np.uint8)
    for channel in range(3):
        x, y = rng.integers(0, side // 2, 2)
        image[y : y + side // 3, x : x + side // 2, channel] = 250
    return Frame(Video("v", "v", 25.0, 9, side, side), seed, seed / 25, np.ascontiguousarray(image))


def dense(encoder: OpenClipEncoder, frames: list[Frame], windows: list[Box]) -> FloatArray:
    """Return vectors (n_frames, n_windows, dim)."""
    vectors = encoder.encode_crops([Crop(frame, window, "dense") for frame in frames for window in windows])
    return vectors.reshape(len(frames), len(windows), -1)


def test_a_window_that_is_a_tile_has_its_exact_vector(encoder: OpenClipEncoder) -> None:
    frames = [frame(0), frame(1)]
    exact = encoder.encode_crops([Crop(frame, tile, "stretch") for frame in frames for tile in TILES])
    vectors = dense(encoder, frames, TILES)
    np.testing.assert_allclose(vectors.reshape(8, -1), exact, atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3  # the frames do differ


@pytest.mark.parametrize("name", sorted({*ARCHITECTURES} - {"siglip2", "pe-core", "mobileclip2"}))
def test_every_other_architecture_has_dense_windows(name: str, tmp_path: Path) -> None:
    with OpenClipEncoder(OpenClipOptions(model=str(make_encoder(name, tmp_path / name)), device="cpu")) as encoder:
        exact = encoder.encode_crops([Crop(frame(0), tile, "stretch") for tile in TILES])
        np.testing.assert_allclose(dense(encoder, [frame(0)], TILES)[0], exact, atol=1e-5)


def test_with_one_tile_the_whole_frame_has_its_exact_vector(folder: Path) -> None:
    options = OpenClipOptions(model=str(folder), device="cpu", dense_tiles=1)
    with OpenClipEncoder(options) as encoder:
        whole = encoder.encode_crops([Crop(frame(0), None, "dense"), Crop(frame(0), None, "stretch")])
        np.testing.assert_allclose(whole[0], whole[1], atol=1e-5)
        assert "1-tiles" in encoder.fingerprint


def test_windows_depend_on_no_other_window_frame_or_order(encoder: OpenClipEncoder) -> None:
    frames = [frame(number) for number in range(5)]  # more than one pass holds
    vectors = dense(encoder, frames, WINDOWS)
    alone = np.concatenate([dense(encoder, [frames[4]], [window]) for window in WINDOWS], axis=1)
    np.testing.assert_allclose(vectors[4], alone[0], atol=1e-5)
    np.testing.assert_allclose(dense(encoder, frames[1::-1], WINDOWS[::-1])[::-1, ::-1], vectors[:2], atol=1e-5)
    mixed = [Crop(frames[0]), Crop(frames[1], WINDOWS[0], "dense"), Crop(frames[0], WINDOWS[1], "stretch")]
    np.testing.assert_allclose(encoder.encode_crops(mixed)[1], vectors[1, 0], atol=1e-5)


def test_a_window_sees_its_own_pixels_and_none_outside_its_tiles(encoder: OpenClipEncoder) -> None:
    window = (8, 8, 100, 100)  # within the first tile
    other = frame(3).image.copy()
    original = frame(0)
    outside = np.array(original.image)
    outside[:, 120:] = other[:, 120:]
    outside[120:] = other[120:]
    within = np.array(original.image)
    within[8:100, 8:100] = other[8:100, 8:100]
    frames = [original, *(Frame(original.video, 0, 0.0, image) for image in (outside, within))]
    vectors = dense(encoder, frames, [window])[:, 0]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-5)
    assert np.abs(vectors[2] - vectors[0]).max() > 1e-3


def test_windows_of_a_frame_differ_from_each_other(encoder: OpenClipEncoder) -> None:
    (vectors,) = dense(encoder, [frame(0)], [*TILES, *WINDOWS])
    distances = np.abs(vectors[:, None] - vectors[None]).max(axis=-1) + np.eye(len(vectors))
    assert distances.min() > 1e-4


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (37, 240)])
def test_frames_of_any_size_have_dense_windows(encoder: OpenClipEncoder, size: tuple[int, int]) -> None:
    height, width = size
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    small = Frame(Video("v", "v", 25.0, 1, width, height), 0, 0.0, image)
    vectors = dense(encoder, [small], [(0, 0, width, height), (0, 0, 1, 1)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-4)


def test_half_precision_is_close(folder: Path, encoder: OpenClipEncoder) -> None:
    with OpenClipEncoder(
        OpenClipOptions(model=str(folder), device="cpu", dtype="bfloat16", normalize_windows=True)
    ) as half:
        cosines = (dense(half, [frame(0)], WINDOWS) * dense(encoder, [frame(0)], WINDOWS)).sum(axis=-1)
        assert cosines.min() > 0.98


def change_config(folder: Path, **vision: object) -> Path:
    """Change the vision tower in a folder's configuration; its weights stay random, so none are needed."""
    import open_clip
    from safetensors.torch import save_file

    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["vision_cfg"] |= vision
    path.write_text(json.dumps(config))
    model = open_clip.model.CLIP(**config["model_cfg"])
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def test_a_tower_that_pools_the_mean_of_its_tokens_has_dense_windows(tmp_path: Path) -> None:
    for name, final in (("before", False), ("after", True)):
        folder = change_config(make_clip(tmp_path / name), pool_type="avg", final_ln_after_pool=final)
        with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")) as encoder:
            assert encoder.dense_windows
            exact = encoder.encode_crops([Crop(frame(0), tile, "stretch") for tile in TILES])
            np.testing.assert_allclose(dense(encoder, [frame(0)], TILES)[0], exact, atol=1e-5)


def test_a_tower_without_dense_windows_says_so_and_still_encodes(tmp_path: Path) -> None:
    """CoCa's pooling by many queries is no kind of tower that has them."""
    vision = {"attentional_pool": True, "attn_pooler_heads": 2, "attn_pooler_queries": 4}
    folder = change_config(make_clip(tmp_path / "coca"), **vision)
    with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")) as encoder:
        assert not encoder.dense_windows
        assert encoder.encode_crops([Crop(frame(0), TILES[0], "stretch")]).shape == (1, 64)
        with pytest.raises(
            BackendError, match=r"^The image tower of .*coca has no dense windows\. Use exact ones: .*\.$"
        ):
            encoder.encode_crops([Crop(frame(0), TILES[0], "dense")])


def test_a_tower_that_computes_something_else_is_refused(tmp_path: Path) -> None:
    """A release of open_clip may change a tower whose class stays the same."""
    with OpenClipEncoder(OpenClipOptions(model=str(make_clip(tmp_path / "clip")), device="cpu")) as encoder:
        model = encoder._model
        assert find_dense_tower(model) is not None
        pool = model.visual._pool
        model.visual._pool = lambda states: tuple(part.roll(1, -1) for part in pool(states))
        assert find_dense_tower(model) is None


def test_a_window_outside_its_frame_gives_one_sentence(encoder: OpenClipEncoder) -> None:
    with pytest.raises(BackendError, match="a window covers no part of its frame"):
        dense(encoder, [frame(0)], [(400, 0, 410, 10)])


def test_passes_hold_as_many_tiles_as_a_batch(encoder: OpenClipEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    tower = encoder._dense_tower()
    assert tower is not None
    encode, sizes = tower.encode, []

    def record(inputs: torch.Tensor, weights: torch.Tensor, n_tiles: int) -> torch.Tensor:
        sizes.append((len(inputs), len(weights)))
        return encode(inputs, weights, n_tiles)

    monkeypatch.setattr(tower, "encode", record)
    dense(encoder, [frame(number) for number in range(5)], WINDOWS)
    assert sizes == [(16, len(WINDOWS)), (4, len(WINDOWS))]


class TestContract(EncoderContract):
    @pytest.fixture
    def component(self, tmp_path: Path) -> OpenClipEncoder:
        return OpenClipEncoder(OpenClipOptions(model=str(make_resnet(tmp_path / "resnet")), device="cpu"))
