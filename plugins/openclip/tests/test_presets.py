"""The presets: what they declare, and runs with tiny checkpoints, compared with plain open_clip."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from anyanomaly_openclip import OPENCLIP
from anyanomaly_openclip.presets import MetaClip2Options, MobileClip2Options, PeCoreOptions, SigLip2Options
from PIL import Image

from anyanomaly import registry
from anyanomaly.api import Download, Encoder, Options
from anyanomaly.builtin.contexts import PositionContext, TemporalContext
from anyanomaly.builtin.options import NearestOptions, PositionOptions, TemporalOptions
from anyanomaly.builtin.selectors import TopThenGroupSelector
from anyanomaly.cli import main
from anyanomaly.types import Crop, EventText, FloatArray, Frame, Segment, Video
from tests.support.tiny_encoders import make_encoder

SAFETENSORS = "open_clip_model.safetensors"
XLM_V = Download("facebook/xlm-v-base", file="tokenizer.json")
PRESETS = {
    "siglip2": (SigLip2Options, (Download("timm/ViT-B-32-SigLIP2-256", file=SAFETENSORS),)),
    "pe-core": (PeCoreOptions, (Download("timm/PE-Core-B-16", file=SAFETENSORS),)),
    "mobileclip2": (MobileClip2Options, (Download("timm/MobileCLIP2-S0-OpenCLIP", file=SAFETENSORS),)),
    "metaclip2": (MetaClip2Options, (Download("facebook/metaclip-2-worldwide-b32"),)),
}
TEXT = "自行车 bicycle"


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_differs_from_openclip_in_its_defaults_alone(name: str) -> None:
    plugins = registry.load()
    spec = plugins.find("encoder", name)
    own = {
        field: getattr(spec, field)
        for field in ("name", "summary", "options", "requires", "install", "memory", "licence")
    }
    assert spec == replace(OPENCLIP, **own)
    options, downloads = PRESETS[name]
    assert plugins.options_model(spec) is options
    assert set(options.model_fields) == set(plugins.options_model(plugins.find("encoder", "openclip")).model_fields)
    assert options().downloads() == downloads
    assert options().normalize_windows  # the published code does not, for CLIP alone


@pytest.mark.parametrize(
    ("model", "downloads"),
    [
        ("ViT-SO400M-16-SigLIP2-384", (Download("timm/ViT-SO400M-16-SigLIP2-384", file=SAFETENSORS),)),
        ("ViT-B-16-SigLIP2-512", (Download("timm/ViT-B-16-SigLIP2-512", file=SAFETENSORS),)),
    ],
)
def test_other_sizes_have_the_tag_of_the_preset(model: str, downloads: tuple[Download, ...]) -> None:
    assert SigLip2Options(model=model).downloads() == downloads


def test_a_tokenizer_in_another_repository_is_a_download_of_its_own(tmp_path: Path) -> None:
    model, file = "ViT-H-14-worldwide-quickgelu", tmp_path / "weights.safetensors"
    weights = Download("timm/vit_huge_patch14_clip_224.metaclip2_worldwide", file=SAFETENSORS)
    assert MetaClip2Options(model=model).downloads() == (weights, XLM_V)
    file.touch()
    assert MetaClip2Options(model=model, pretrained=str(file)).downloads() == (XLM_V,)
    assert SigLip2Options(pretrained=str(file)).downloads() == (
        Download("timm/ViT-B-32-SigLIP2-256", file="tokenizer.json"),
    )
    assert PeCoreOptions(pretrained=str(file)).downloads() == ()


@pytest.mark.parametrize("options", [SigLip2Options(), PeCoreOptions(), MobileClip2Options()])
def test_the_default_weights_are_in_open_clips_table(options: SigLip2Options) -> None:
    assert options.pretrained in open_clip.list_pretrained_tags_by_model(options.model)


class PlainEncoder(Encoder[Options]):
    """Plain open_clip, one crop at a time, for a folder; windows are normalised."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Options())
        self._model, self._preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
        self._model.eval()
        self._tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
        self.image_size = self._model.visual.image_size[0]

    @property
    def fingerprint(self) -> str:
        return "plain"

    @torch.no_grad()
    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        inputs = torch.stack([self._input(crop) for crop in crops])
        return self._model.encode_image(inputs, normalize=True).numpy()

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        return self._model.encode_text(self._tokenize(list(texts)), normalize=unit).numpy()

    def _input(self, crop: Crop) -> torch.Tensor:
        x0, y0, x1, y1 = crop.box or (0, 0, *crop.frame.image.shape[1::-1])
        pixels = crop.frame.image[y0:y1, x0:x1]
        if crop.fit == "centre":
            return self._preprocess(Image.fromarray(pixels))
        config = self._model.visual.preprocess_cfg
        mean, std = (torch.tensor(config[key])[:, None, None] for key in ("mean", "std"))
        scaled = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None].float() / 255
        return (torch.nn.functional.interpolate(scaled, size=(self.image_size,) * 2, mode="bilinear")[0] - mean) / std


def expected_scores(folder: Path, frames_folder: Path) -> dict[str, float]:
    """Return the score of each context for the frames as one segment, computed with plain open_clip."""
    encoder, text = PlainEncoder(folder), EventText(TEXT, (TEXT,))
    images = [np.asarray(Image.open(path).convert("RGB")) for path in sorted(frames_folder.iterdir())]
    video = Video("v", "v", 25.0, len(images), images[0].shape[1], images[0].shape[0])
    frames = tuple(Frame(video, index, index / 25, np.array(image)) for index, image in enumerate(images))
    segment = Segment(video, 0, 0, len(frames), frames, np.arange(len(frames)) / 25)
    selector = TopThenGroupSelector(NearestOptions())
    generators = {"position": PositionContext(PositionOptions()), "temporal": TemporalContext(TemporalOptions())}
    for component in (selector, *generators.values()):
        component.encoder = encoder
    key_frames = selector.select(segment, text)
    scores = {}
    for name, generator in generators.items():
        (context,) = generator.build(segment, text, key_frames)
        image = encoder.encode_crops([Crop(Frame(video, 0, 0.0, context.images[0]))])[0]
        scores[name] = (1 + float(image @ encoder.encode_texts([TEXT])[0])) / 2
    return scores


def write_frames(folder: Path) -> Path:
    """Write two frames of coloured patches: no two windows are equal, so that the best one is the same everywhere."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        patches = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        Image.fromarray(patches).resize((240, 180), Image.Resampling.NEAREST).save(folder / f"{number}.png")
    return folder


@pytest.mark.engine
@pytest.mark.parametrize("preset", PRESETS)
def test_a_run_and_a_page_have_the_contexts_of_plain_open_clip(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    folder = make_encoder(preset, tmp_path / "model")
    frames = write_frames(tmp_path / "frames")
    flags = [str(frames), "-t", TEXT, "--encoder", preset, "--encoder.model", str(folder), "--backend", "similarity"]
    flags += ["--context", "position", "--context", "temporal", "--device", "cpu"]
    assert main(["run", *flags, "-o", str(tmp_path / "out.jsonl")]) == 0, capsys.readouterr().err
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    (scores,) = (line["scores"] for line in lines if "scores" in line)
    assert {name: score["value"] for name, score in scores.items()} == pytest.approx(
        expected_scores(folder, frames), abs=1e-4
    )
    assert main(["show", *flags, "--at", "0", "-d", str(tmp_path / "page")]) == 0, capsys.readouterr().err
    assert (tmp_path / "page" / "index.html").is_file()
