"""What a checkpoint says of itself: which MiniCPM-V it is, its sizes, how it cuts images, its marks."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from anyanomaly_transformers.api import find_checkpoint, read_config, read_json

from anyanomaly.errors import BackendError, UsageError
from anyanomaly_minicpm.images import Slicing, read_slicing
from anyanomaly_minicpm.options import MiniCpmOptions

NEEDED = ("*.json", "*.safetensors")
ELSEWHERE = ("model_type", "architectures", "auto_map", "vision_config", "slice_config", "_name_or_path", "torch_dtype")


class Version(NamedTuple):
    """What differs between the two versions and stands in no file."""

    language: str  # the class of transformers
    ends: tuple[str, ...]  # marks that end an answer; "" is the tokenizer's own
    slice_marks: tuple[str, str]  # names, in the image settings, of the marks around one slice
    group_marks: tuple[str, str] | None  # around all slices of an image
    grid: bool  # the tower is told the rows and columns of a view
    keeps_size: bool  # slicing can be switched off, which leaves an image as it is
    hides_zero: bool  # token 0, an exclamation mark, is masked in the prompt, for it is taken for padding


_IMAGE, _SLICE = ("im_start", "im_end"), ("slice_start", "slice_end")
VERSIONS = {
    2.5: Version("Llama", ("", "<|eot_id|>"), _IMAGE, _SLICE, grid=False, keeps_size=False, hides_zero=False),
    2.6: Version("Qwen2", ("<|im_end|>", "<|endoftext|>"), _SLICE, None, grid=True, keeps_size=True, hides_zero=True),
}
MARKS = {
    "im_start": "<image>",
    "im_end": "</image>",
    "slice_start": "<slice>",
    "slice_end": "</slice>",
    "unk": "<unk>",
    "im_id_start": "<image_id>",
    "im_id_end": "</image_id>",
}


class Checkpoint(NamedTuple):
    """A folder of MiniCPM-V, its weights not read."""

    folder: Path
    version: Version
    config: dict[str, Any]
    slicing: Slicing
    marks: dict[str, str]
    numbered: bool  # each image has its number before it

    @property
    def language(self) -> dict[str, Any]:
        """Return the settings of the language model."""
        return {name: value for name, value in self.config.items() if name not in ELSEWHERE}

    @property
    def tower(self) -> dict[str, Any]:
        """Return the settings of the image tower."""
        settings = {name: value for name, value in self.config["vision_config"].items() if name != "model_type"}
        dropped = bool(self.config.get("drop_vision_last_layer", True))
        return settings | {"num_hidden_layers": settings["num_hidden_layers"] - dropped}

    @property
    def n_queries(self) -> int:
        """Return how many embeddings a view becomes."""
        return int(self.config.get("query_num", 64))


def read_checkpoint(options: MiniCpmOptions) -> Checkpoint:
    """Return the checkpoint that ``options`` name.

    :raises AnyAnomalyError: when it is not there, or neither MiniCPM-Llama3-V-2.5 nor MiniCPM-V 2.6 as published.
    """
    folder = find_checkpoint(options.model, options.revision, NEEDED)
    config = read_config(folder, {"minicpmv"}, "MiniCPM-V")
    version = _version(folder, config)
    images = read_json(folder / "preprocessor_config.json")
    marks = {name: str(images.get(name, mark)) for name, mark in MARKS.items()}
    resizes = bool(images.get("slice_mode", True)) or not version.keeps_size
    read = Checkpoint(
        folder, version, config, read_slicing(images, resizes=resizes), marks, bool(images.get("use_image_id", False))
    )
    if (told := images.get("image_feature_size", 64)) != read.n_queries:
        raise BackendError(
            f"In {str(folder)!r} a view becomes {read.n_queries} embeddings by config.json and {told} by "
            "preprocessor_config.json. A file of it is another model's."
        )
    return read


def _version(folder: Path, config: dict[str, Any]) -> Version:
    told = config.get("version")
    found = next((version for number, version in VERSIONS.items() if str(told) == str(number)), None)
    if found is None or not isinstance(config.get("vision_config"), dict):
        raise UsageError(
            f"The folder {str(folder)!r} holds MiniCPM-V of version {told!r}. This backend runs 2.5 and 2.6."
        )
    if "quantization_config" in config:
        raise UsageError(
            f"The weights in {str(folder)!r} are quantized. Use the full ones, with --backend.quantization 4bit."
        )
    return found
