"""The encoder on a tiny model, and its errors."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from anyanomaly_openclip.encoder import OpenClipEncoder
from anyanomaly_openclip.hub import hub_paths
from anyanomaly_openclip.images import FirstTokenBlock
from anyanomaly_openclip.loading import load_model
from anyanomaly_openclip.options import OpenClipOptions

from anyanomaly.errors import AnyAnomalyError, BackendError, MissingRequirement, UsageError
from anyanomaly.types import Crop, Frame, Video
from tests.support.tiny_models import make_clip

pytestmark = pytest.mark.engine

TEXTS = ["a car", "bicycle", "a long tale of " + "many words " * 60, "東京 {x} <b>"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Iterator[OpenClipEncoder]:
    with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu", batch_size=5)) as encoder:
        yield encoder


def crops() -> list[Crop]:
    rng = np.random.default_rng(0)
    video = Video("v", "v", 25.0, 3, 64, 48)
    frames = [Frame(video, at, 0.0, rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)) for at in range(3)]
    boxes = [(0, 0, 20, 20), (10, 5, 40, 35), (30, 20, 50, 40)]
    windows = [Crop(frame, box, "stretch") for frame in frames for box in boxes]
    return [windows[0], Crop(frames[0]), *windows[1:], Crop(frames[1], boxes[1]), Crop(frames[2], None, "stretch")]


def test_rows_are_unit_float32_in_the_order_of_the_crops(encoder: OpenClipEncoder) -> None:
    vectors = encoder.encode_crops(crops())
    single_vectors = np.concatenate([encoder.encode_crops([crop]) for crop in crops()])
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(vectors, single_vectors, atol=1e-5)


def test_a_box_equals_an_image_that_was_cut_out_before(encoder: OpenClipEncoder) -> None:
    for crop in crops():
        x0, y0, x1, y1 = crop.box or (0, 0, 64, 48)
        pixels = np.ascontiguousarray(crop.frame.image[y0:y1, x0:x1])
        cut_out = Crop(Frame(crop.frame.video, 0, 0.0, pixels), None, crop.fit)
        np.testing.assert_allclose(encoder.encode_crops([crop]), encoder.encode_crops([cut_out]), atol=1e-6)


def test_vectors_of_texts_equal_the_models_own_with_padding(encoder: OpenClipEncoder) -> None:
    loaded = encoder._loaded
    assert loaded
    padded = loaded.model.encode_text(loaded.tokenize(TEXTS)).detach().numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS, unit=False), padded, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(encoder.encode_texts(TEXTS), axis=1), 1, atol=1e-5)


def test_vectors_of_images_equal_those_of_the_full_last_block(encoder: OpenClipEncoder, folder: Path) -> None:
    loaded, full_model = encoder._loaded, load_model(OpenClipOptions(model=str(folder))).model
    assert loaded
    assert isinstance(loaded.model.visual.transformer.resblocks[-1], FirstTokenBlock)
    side = encoder.image_size
    pixels = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        np.testing.assert_allclose(loaded.model.encode_image(pixels), full_model.encode_image(pixels), atol=1e-5)


def test_no_inputs_give_no_rows(encoder: OpenClipEncoder) -> None:
    assert encoder.encode_crops([]).shape == encoder.encode_texts([]).shape == (0, 64)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_close(dtype: str, folder: Path, encoder: OpenClipEncoder) -> None:
    with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu", dtype=dtype)) as half:
        cosines = (half.encode_crops(crops()) * encoder.encode_crops(crops())).sum(axis=1)
        assert cosines.min() > 0.99
        assert half.fingerprint != encoder.fingerprint


def test_the_fingerprint_depends_on_the_weights_and_not_on_the_folder(tmp_path: Path, encoder: OpenClipEncoder) -> None:
    def fingerprint(seed: int) -> str:
        folder = make_clip(tmp_path / str(seed), seed=seed)
        with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")) as copy:
            return copy.fingerprint

    assert fingerprint(0) == encoder.fingerprint
    assert fingerprint(1) != encoder.fingerprint


def test_the_fingerprint_depends_on_the_preprocessing(tmp_path: Path, encoder: OpenClipEncoder) -> None:
    """Otherwise the answer store would reuse answers although the model gets other pixels."""
    config_file = make_clip(tmp_path) / "open_clip_config.json"
    config = json.loads(config_file.read_text())
    config["preprocess_cfg"]["resize_mode"] = "squash"
    config_file.write_text(json.dumps(config))
    with OpenClipEncoder(OpenClipOptions(model=str(tmp_path), device="cpu")) as squashing:
        assert squashing.fingerprint != encoder.fingerprint


def test_a_wrong_model_gives_a_one_line_error(tmp_path: Path, folder: Path) -> None:
    text = tmp_path / "notes.safetensors"
    text.write_text("not weights")
    pickle = tmp_path / "evil.pt"
    pickle.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR.")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes((folder / "open_clip_model.safetensors").read_bytes()[:1000])
    for model in (str(tmp_path / "missing"), str(tmp_path), "ViT-B-33", str(text), str(pickle), str(cut)):
        with pytest.raises(AnyAnomalyError) as caught:
            OpenClipEncoder(OpenClipOptions(model=model, device="cpu")).load()
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 400
    with pytest.raises(UsageError, match=r"has no weights 'nonsense'"):
        OpenClipEncoder(OpenClipOptions(pretrained="nonsense")).load()
    with pytest.raises(
        UsageError, match=r"^Device 'warp' cannot be used: .{1,200}\. Use --encoder.device auto or cpu\.$"
    ):
        OpenClipEncoder(OpenClipOptions(model=str(folder), device="warp")).load()


def test_weights_that_cannot_be_downloaded_give_a_one_line_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def unreachable(**_: object) -> None:
        logging.getLogger("huggingface_hub.test").warning("Retrying in 8s")
        raise ConnectionError("no route\nto the hub")

    monkeypatch.setattr("open_clip.pretrained.hf_hub_download", unreachable)
    with pytest.raises(MissingRequirement, match=r"\(openai\) are not on this machine .*: no route\. Connect once"):
        OpenClipEncoder(OpenClipOptions()).load()
    assert not caplog.records


def test_an_encoder_that_is_not_loaded_gives_an_error(folder: Path) -> None:
    encoder = OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu"))
    encoder.close()
    with pytest.raises(BackendError, match=r"'openclip' is not loaded\. Call load\(\)"):
        encoder.encode_crops(crops())


def test_the_hub_paths_are_those_of_open_clip() -> None:
    table = {(model, tag): open_clip.get_pretrained_cfg(model, tag) for model, tag in open_clip.list_pretrained()}
    assert hub_paths() == {key: settings["hf_hub"] for key, settings in table.items() if settings.get("hf_hub")}
