"""Equality with the original implementation, and the errors of the encoder."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anyanomaly_imagebind.encoder import ImageBindEncoder
from anyanomaly_imagebind.options import ImageBindOptions
from PIL import Image

from anyanomaly.errors import AnyAnomalyError, MissingRequirement
from anyanomaly.testing.contracts import EncoderContract
from anyanomaly.types import Crop, Frame, Video
from tests.support.shared import shared

pytestmark = pytest.mark.engine


def options(**changes: Any) -> ImageBindOptions:
    folder = shared("oracle", "lvlms", "imagebind", "checkpoint")
    return ImageBindOptions(**{"model": str(folder), "vision_heads": 4, "text_heads": 2, "device": "cpu"} | changes)


@pytest.fixture(scope="module")
def encoder() -> Iterator[ImageBindEncoder]:
    with ImageBindEncoder(options()) as encoder:
        yield encoder


@pytest.fixture(scope="module")
def expected() -> dict[str, np.ndarray]:
    with np.load(shared("oracle", "lvlms", "imagebind", "expected.npz")) as arrays:
        return dict(arrays)


@pytest.fixture(scope="module")
def values() -> dict[str, Any]:
    return dict(json.loads(shared("oracle", "lvlms", "imagebind", "expected.json").read_text())["values"])


def crop(pixels: np.ndarray) -> Crop:
    height, width, _ = pixels.shape
    return Crop(Frame(Video("", "", 1.0, 1, width, height), 0, 0.0, pixels))


def read_image(name: str) -> np.ndarray:
    with Image.open(shared("oracle", "lvlms", "imagebind", "inputs", f"{name}.png")) as image:
        return np.asarray(image.convert("RGB"))


def test_model_inputs_equal_the_originals(
    encoder: ImageBindEncoder, expected: dict[str, np.ndarray], values: dict[str, Any]
) -> None:
    loaded = encoder._loaded
    assert loaded
    mean, std = torch.tensor(loaded.mean)[:, None, None], torch.tensor(loaded.std)[:, None, None]
    for name in values["images"]:
        pixels = loaded.preprocess(Image.fromarray(read_image(name)))
        grey = ((pixels * std + mean) * 255).round().numpy()
        np.testing.assert_array_equal(grey, expected[f"{name}/pixels_u8"], err_msg=name)
        down, across = values[f"{name}/pixels_strided_step"]
        np.testing.assert_allclose(pixels[:, ::down, ::across], expected[f"{name}/pixels_strided"], atol=1e-6)


def test_vectors_of_images_equal_the_originals(
    encoder: ImageBindEncoder, expected: dict[str, np.ndarray], values: dict[str, Any]
) -> None:
    vectors = encoder.encode_crops([crop(read_image(name)) for name in values["images"]])
    np.testing.assert_allclose(vectors, expected["vision_embeddings"], atol=1e-5)


def test_vectors_of_texts_equal_the_originals_also_when_truncated(
    encoder: ImageBindEncoder, expected: dict[str, np.ndarray], values: dict[str, Any]
) -> None:
    assert encoder._loaded
    np.testing.assert_array_equal(encoder._loaded.tokenize(values["texts"]), expected["text_ids"])
    scaled = encoder.encode_texts(values["texts"], unit=False)
    np.testing.assert_allclose(scaled, expected["text_embeddings"], atol=1e-5)
    unit = encoder.encode_texts(values["texts"])
    np.testing.assert_allclose(unit * values["text_scale"], expected["text_embeddings"], atol=1e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_close(dtype: str, encoder: ImageBindEncoder, values: dict[str, Any]) -> None:
    crops = [crop(read_image(name)) for name in values["images"]]
    with ImageBindEncoder(options(dtype=dtype)) as half:
        assert (half.encode_crops(crops) * encoder.encode_crops(crops)).sum(axis=1).min() > 0.99
        assert half.fingerprint != encoder.fingerprint


@pytest.mark.parametrize("size", [(1, 1), (20, 10000)])
def test_images_of_extreme_shapes_have_vectors(size: tuple[int, int], encoder: ImageBindEncoder) -> None:
    vectors = encoder.encode_crops([crop(np.zeros((*size, 3), np.uint8))])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch ran",)


def write_broken_file(kind: str, complete: Path, path: Path) -> None:
    state = torch.load(complete, weights_only=True)
    if kind == "another":
        torch.save({"model.embed_tokens.weight": torch.zeros(2, 2)}, path)
    elif kind == "list":
        torch.save([torch.zeros(2)], path)
    elif kind == "short":
        path.write_bytes(complete.read_bytes()[: 2**20])
    elif kind == "code in an archive":
        torch.save({**state, "extra": Evil()}, path)
    elif kind == "code":
        path.write_bytes(pickle.dumps(Evil()))
    elif kind == "lacking":
        del state["modality_trunks.text.blocks.1.norm_1.bias"]
        torch.save(state, path)
    elif kind == "unequal":
        state["modality_trunks.vision.blocks.1.mlp.fc1.weight"] = torch.zeros(3, 64)
        torch.save(state, path)
    elif kind == "unknown":
        torch.save({**state, "modality_trunks.vision.blocks.0.gamma_1": torch.zeros(1)}, path)


KINDS = {
    "another": "another model, not ImageBind",
    "list": "no named weights",
    "short": "is incomplete",
    "code in an archive": "holds code",
    "code": "holds no weights",
    "lacking": r"transformer\.resblocks\.1\.ln_1\.bias",
    "unequal": "do not fit together",
    "unknown": "gamma_1",
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_file_gives_a_one_line_error(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_broken_file(
        kind, shared("oracle", "lvlms", "imagebind", "checkpoint", "imagebind_huge.pth"), tmp_path / "wrong.pth"
    )
    with pytest.raises(AnyAnomalyError, match=KINDS[kind]) as caught:
        ImageBindEncoder(options(model="wrong.pth")).load()
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_heads_that_do_not_fit_give_a_one_line_error() -> None:
    with pytest.raises(AnyAnomalyError, match=r"into 7 heads\. Change --encoder\.text-heads"):
        ImageBindEncoder(options(text_heads=7)).load()


def test_missing_weights_give_a_one_line_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr("torch.hub.download_url_to_file", unreachable)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(MissingRequirement, match=r"not be downloaded: no route\. Get https://"):
        ImageBindEncoder(options(model="imagebind_huge")).load()
    with pytest.raises(MissingRequirement, match=r"no file 'nowhere\.pth'"):
        ImageBindEncoder(options(model="nowhere.pth")).load()


class TestContract(EncoderContract):
    @pytest.fixture
    def component(self) -> ImageBindEncoder:
        return ImageBindEncoder(options())
