"""Tiny encoders of today's architectures: their vectors equal those of plain open_clip and transformers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from anyanomaly_openclip.encoder import OpenClipEncoder
from anyanomaly_openclip.options import OpenClipOptions
from anyanomaly_openclip.presets import MetaClip2Options, SigLip2Options
from PIL import Image
from safetensors.torch import load_file, save_file

from anyanomaly.errors import AnyAnomalyError, MissingRequirement, UsageError
from anyanomaly.testing.contracts import EncoderContract
from anyanomaly.types import Crop, Frame, Video
from tests.support.tiny_encoders import ARCHITECTURES, make_encoder, make_metaclip2

pytestmark = pytest.mark.engine

SHORT_TEXTS = ["a car", "Bicycle!", ""]
LANGUAGES = ["a person is running", "街上的人在奔跑", "رجل يركض في الشارع", "एक आदमी सड़क पर दौड़ रहा है", "🚲 🔥"]
INPUT_SIZES = {"siglip2": 256, "pe-core": 384, "mobileclip2": 256, "mobileclip2-b": 224, "metaclip2": 224}


@dataclass(frozen=True)
class Loaded:
    """One checkpoint in our encoder and in plain open_clip."""

    folder: Path
    encoder: OpenClipEncoder
    model: Any
    preprocess: Callable[[Image.Image], torch.Tensor]
    tokenize: Callable[[Sequence[str]], torch.Tensor]

    def image_vectors(self, inputs: torch.Tensor) -> np.ndarray:
        return unit(self.model.encode_image(inputs))

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        return unit(self.model.encode_text(self.tokenize(texts)))


def unit(vectors: torch.Tensor) -> np.ndarray:
    return np.asarray(torch.nn.functional.normalize(vectors.detach(), dim=-1))


@pytest.fixture(scope="module", params=ARCHITECTURES)
def loaded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    folder = make_encoder(request.param, tmp_path_factory.mktemp("encoders") / request.param)
    encoder = OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu", normalize_windows=True))
    encoder.load()
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    return Loaded(folder, encoder, model.eval(), preprocess, open_clip.get_tokenizer(f"local-dir:{folder}"))


@pytest.fixture(scope="module")
def multilingual(tmp_path_factory: pytest.TempPathFactory) -> dict[str, OpenClipEncoder]:
    """Return the encoders for texts in many languages, loaded."""
    folder = tmp_path_factory.mktemp("multilingual")
    folders = {name: make_encoder(name, folder / name) for name in ("siglip2", "metaclip2")}
    folders["metaclip2 of transformers"] = make_metaclip2(folder / "transformers")
    encoders = {name: OpenClipEncoder(OpenClipOptions(model=str(path), device="cpu")) for name, path in folders.items()}
    for encoder in encoders.values():
        encoder.load()
    return encoders


def frames() -> list[Frame]:
    """Return two frames, wider than high, with coloured areas: random pixels alone are alike after pooling."""
    rng = np.random.default_rng(0)
    video = Video("v", "v", 25.0, 2, 320, 240)
    images = rng.integers(0, 90, (2, 240, 320, 3), dtype=np.uint8)
    for channel, image in enumerate(images):
        image[40:200, 60 : 120 + 60 * channel, channel] = 255
    return [Frame(video, index, index / 25, np.ascontiguousarray(image)) for index, image in enumerate(images)]


def test_frames_have_the_vectors_of_open_clip(loaded: Loaded) -> None:
    inputs = torch.stack([loaded.preprocess(Image.fromarray(frame.image)) for frame in frames()])
    assert inputs.shape[-2:] == (loaded.encoder.image_size,) * 2
    vectors = loaded.encoder.encode_crops([Crop(frame) for frame in frames()])
    np.testing.assert_allclose(vectors, loaded.image_vectors(inputs), atol=1e-5)
    assert np.abs(vectors - vectors[0]).max() > 1e-3  # the frames do differ


def test_windows_have_the_vectors_of_open_clip_for_normalised_pixels(loaded: Loaded) -> None:
    boxes = [(0, 0, 60, 60), (0, 0, 320, 240)]
    side, config = loaded.encoder.image_size, loaded.model.visual.preprocess_cfg
    mean, std = (torch.tensor(config[key])[:, None, None] for key in ("mean", "std"))
    inputs = []
    for frame in frames():
        pixels = torch.from_numpy(frame.image.copy()).permute(2, 0, 1).float() / 255
        for x0, y0, x1, y1 in boxes:
            window = torch.nn.functional.interpolate(pixels[None, :, y0:y1, x0:x1], size=(side, side), mode="bilinear")
            inputs.append((window[0] - mean) / std)
    vectors = loaded.encoder.encode_crops([Crop(frame, box, "stretch") for frame in frames() for box in boxes])
    np.testing.assert_allclose(vectors, loaded.image_vectors(torch.stack(inputs)), atol=1e-5)


@pytest.mark.parametrize(
    "texts", [SHORT_TEXTS, LANGUAGES, ["a car", "many words " * 300]], ids=["short", "many", "long"]
)
def test_texts_have_the_vectors_of_open_clip(loaded: Loaded, texts: list[str]) -> None:
    np.testing.assert_allclose(loaded.encoder.encode_texts(texts), loaded.text_vectors(texts), atol=1e-5)


def test_the_input_size_is_that_of_the_model(loaded: Loaded) -> None:
    assert loaded.encoder.image_size == INPUT_SIZES[loaded.folder.name]


def test_half_precision_is_close(loaded: Loaded) -> None:
    with OpenClipEncoder(OpenClipOptions(model=str(loaded.folder), device="cpu", dtype="bfloat16")) as half:
        crops = [Crop(frame) for frame in frames()]
        assert (half.encode_crops(crops) * loaded.encoder.encode_crops(crops)).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("name", ["siglip2", "metaclip2", "metaclip2 of transformers"])
def test_texts_in_many_languages_have_vectors_of_their_own(name: str, multilingual: dict[str, OpenClipEncoder]) -> None:
    encoder = multilingual[name]
    vectors = encoder.encode_texts(LANGUAGES)
    np.testing.assert_allclose(np.concatenate([encoder.encode_texts([text]) for text in LANGUAGES]), vectors, atol=1e-5)
    np.testing.assert_array_equal(encoder.encode_texts(LANGUAGES), vectors)
    distances = np.abs(vectors[:, None] - vectors[None]).max(axis=-1) + np.eye(len(LANGUAGES))
    assert distances.min() > 1e-3


@pytest.mark.parametrize("name", ["siglip2", "metaclip2", "metaclip2 of transformers"])
@pytest.mark.parametrize("text", LANGUAGES)
def test_longer_texts_are_truncated_to_the_context_length(
    name: str, text: str, multilingual: dict[str, OpenClipEncoder]
) -> None:
    encoder, long_text = multilingual[name], f"{text} " * 100
    np.testing.assert_allclose(
        encoder.encode_texts([long_text]), encoder.encode_texts([long_text + "another end"]), atol=1e-6
    )


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_metaclip2_has_the_vectors_of_transformers(tmp_path: Path, activation: str) -> None:
    from transformers import AutoTokenizer, MetaClip2Model

    folder = make_metaclip2(tmp_path, activation=activation)
    model, tokenizer = MetaClip2Model.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    texts = [*LANGUAGES, "many words " * 100]
    tokens = tokenizer(texts, padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")) as encoder, torch.inference_mode():
        expected = unit(model.get_text_features(input_ids=tokens.input_ids).pooler_output)
        np.testing.assert_allclose(encoder.encode_texts(texts), expected, atol=1e-5)
        assert encoder._loaded
        inputs = torch.stack([encoder._loaded.preprocess(Image.fromarray(frame.image)) for frame in frames()])
        expected = unit(model.get_image_features(pixel_values=inputs).pooler_output)
        np.testing.assert_allclose(encoder.encode_crops([Crop(frame) for frame in frames()]), expected, atol=1e-5)


def hub_copy(cache: Path, repository: str) -> Path:
    """Return the folder of a repository's only snapshot in a cache of the hub's client."""
    root = cache / f"models--{repository.replace('/', '--')}"
    (root / "refs").mkdir(parents=True)
    (root / "refs" / "main").write_text("1" * 40)
    return root / "snapshots" / ("1" * 40)


def test_models_of_the_hub_are_loaded_from_its_cache_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    options = MetaClip2Options(device="cpu")
    with pytest.raises(MissingRequirement, match=r"metaclip-2-worldwide-b32 .* could not be downloaded: [^\n]+$"):
        OpenClipEncoder(options).load()
    make_metaclip2(hub_copy(tmp_path, options.model.removeprefix("hf-hub:")))
    make_encoder("siglip2", hub_copy(tmp_path, "timm/ViT-B-32-SigLIP2-256"))
    for present in (options, SigLip2Options(model="hf-hub:timm/ViT-B-32-SigLIP2-256", device="cpu")):
        with OpenClipEncoder(present) as encoder:
            assert encoder.encode_texts(LANGUAGES).shape[0] == len(LANGUAGES)


def test_a_file_of_weights_has_the_preprocessing_of_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """open_clip gives a named model with a file of weights CLIP's mean, std and crop, whatever the model."""
    folder = make_encoder("pe-core", tmp_path / "pe-core")
    config = json.loads((folder / "open_clip_config.json").read_text())["model_cfg"]
    rows = {"meta": open_clip.get_pretrained_cfg("PE-Core-B-16", "meta")}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny-pe-core", config)
    monkeypatch.setitem(open_clip.pretrained._PRETRAINED, "tiny-pe-core", rows)
    file = str(folder / "open_clip_model.safetensors")
    crops = [Crop(frame) for frame in frames()]
    with (
        OpenClipEncoder(OpenClipOptions(model="tiny-pe-core", pretrained=file, device="cpu")) as named,
        OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")) as whole,
    ):
        np.testing.assert_array_equal(named.encode_crops(crops), whole.encode_crops(crops))


@pytest.mark.parametrize("make", [lambda folder: make_encoder("siglip2", folder), make_metaclip2])
def test_a_folder_without_its_tokenizer_gives_a_one_line_error(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    folder = make(tmp_path / "model")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(UsageError, match=r"holds no tokenizer: tokenizer\.json is missing\. Copy the complete"):
        OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")).load()


def damage(kind: str, folder: Path) -> None:
    weights, config = folder / "model.safetensors", folder / "config.json"
    state, settings = load_file(weights), json.loads(config.read_text())
    if kind == "weights missing":
        weights.unlink()
    elif kind == "a layer missing":
        del state["text_model.encoder.layers.1.mlp.fc1.weight"]
    elif kind == "a projection missing":
        del state["vision_model.encoder.layers.1.self_attn.k_proj.bias"]
    elif kind == "a layer of another size":
        state["text_model.encoder.layers.1.mlp.fc1.weight"] = torch.zeros(3, 32)
    elif kind == "an unknown weight":
        state["vision_model.adapter.weight"] = torch.zeros(3)
    elif kind == "an unknown activation":
        settings["text_config"]["hidden_act"] = "relu"
    config.write_text(json.dumps(settings))
    if weights.exists():
        save_file(state, weights)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("weights missing", r"no model\.safetensors"),
        ("a layer missing", "mlp.c_fc.weight"),
        ("a projection missing", "in_proj_bias"),
        ("a layer of another size", "mlp.c_fc.weight"),
        ("an unknown weight", "adapter"),
        ("an unknown activation", "'relu'"),
    ],
)
def test_a_damaged_metaclip2_gives_a_one_line_error(kind: str, message: str, tmp_path: Path) -> None:
    folder = make_metaclip2(tmp_path)
    damage(kind, folder)
    with pytest.raises(AnyAnomalyError, match=message) as caught:
        OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")).load()
    assert "\n" not in str(caught.value)


def test_code_that_comes_with_a_tokenizer_is_not_run(tmp_path: Path) -> None:
    """open_clip would run it, where the model's configuration asks for that."""
    folder, marker = make_encoder("siglip2", tmp_path / "model"), tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')\nclass Evil: ...\n")
    for name, change in (
        (
            "open_clip_config.json",
            lambda c: c["model_cfg"]["text_cfg"]["tokenizer_kwargs"].update(trust_remote_code=True),
        ),
        ("tokenizer_config.json", lambda c: c.update(auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]})),
    ):
        config = json.loads((folder / name).read_text())
        change(config)
        (folder / name).write_text(json.dumps(config))
    with OpenClipEncoder(OpenClipOptions(model=str(folder), device="cpu")) as encoder:
        assert len(encoder.encode_texts(["a person"])) == 1
    assert not marker.exists()


@pytest.fixture(scope="module")
def siglip2_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_encoder("siglip2", tmp_path_factory.mktemp("contract") / "siglip2")


class TestContract(EncoderContract):
    @pytest.fixture
    def component(self, siglip2_folder: Path) -> OpenClipEncoder:
        return OpenClipEncoder(SigLip2Options(model=str(siglip2_folder), device="cpu"))
