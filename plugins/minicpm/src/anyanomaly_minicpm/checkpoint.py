"""Read a checkpoint's settings: version, sizes, slicing of images, special tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from anyanomaly_transformers.api import find_checkpoint, read_config, read_json

from anyanomaly.errors import BackendError, UsageError
from anyanomaly_minicpm.images import Slicing, read_slicing
from anyanomaly_minicpm.options import MiniCpmOptions

FILE_PATTERNS = ("*.json", "*.safetensors")
NOT_OF_LANGUAGE = (
    "model_type",
    "architectures",
    "auto_map",
    "vision_config",
    "slice_config",
    "_name_or_path",
    "torch_dtype",
)


class Version(NamedTuple):
    """Differences between the two versions that no file of the checkpoint holds."""

    language: str  # "Llama" of the classes LlamaConfig and LlamaForCausalLM of transformers
    stop_tokens: tuple[str, ...]  # special tokens that end an answer; "": the tokenizer's own
    slice_tokens: tuple[str, str]  # keys in ``SPECIAL_TOKENS`` of the tokens around one slice
    group_tokens: tuple[str, str] | None  # keys of the tokens around all slices of an image
    has_grid_positions: bool  # the tower's positions of patches depend on rows and columns of a view
    can_keep_size: bool  # slicing can be disabled, and an image then keeps its size
    drops_token_zero: bool  # token 0, an exclamation mark, is masked in the prompt, because it is taken for padding


_IMAGE, _SLICE = ("im_start", "im_end"), ("slice_start", "slice_end")
VERSIONS = {
    2.5: Version(
        "Llama",
        ("", "<|eot_id|>"),
        _IMAGE,
        _SLICE,
        has_grid_positions=False,
        can_keep_size=False,
        drops_token_zero=False,
    ),
    2.6: Version(
        "Qwen2",
        ("<|im_end|>", "<|endoftext|>"),
        _SLICE,
        None,
        has_grid_positions=True,
        can_keep_size=True,
        drops_token_zero=True,
    ),
}
SPECIAL_TOKENS = {  # by their keys in preprocessor_config.json
    "im_start": "<image>",
    "im_end": "</image>",
    "slice_start": "<slice>",
    "slice_end": "</slice>",
    "unk": "<unk>",
    "im_id_start": "<image_id>",
    "im_id_end": "</image_id>",
}


class Checkpoint(NamedTuple):
    """The settings of a folder with MiniCPM-V, without its weights."""

    folder: Path
    version: Version
    config: dict[str, Any]
    slicing: Slicing
    special_tokens: dict[str, str]  # by the keys of ``SPECIAL_TOKENS``
    numbers_images: bool  # each image has its number before it

    @property
    def language_settings(self) -> dict[str, Any]:
        """The settings of the language model."""
        return {name: value for name, value in self.config.items() if name not in NOT_OF_LANGUAGE}

    @property
    def tower_settings(self) -> dict[str, Any]:
        """The settings of the image tower."""
        settings = {name: value for name, value in self.config["vision_config"].items() if name != "model_type"}
        n_dropped = int(bool(self.config.get("drop_vision_last_layer", True)))
        return settings | {"num_hidden_layers": settings["num_hidden_layers"] - n_dropped}

    @property
    def n_queries(self) -> int:
        """Number of embeddings of a view."""
        return int(self.config.get("query_num", 64))


def read_checkpoint(options: MiniCpmOptions) -> Checkpoint:
    """Return the checkpoint that ``options`` name.

    :raises AnyAnomalyError: when it is missing, or is neither MiniCPM-Llama3-V-2.5 nor MiniCPM-V 2.6 as published.
    """
    folder = find_checkpoint(options.model, options.revision, FILE_PATTERNS)
    config = read_config(folder, {"minicpmv"}, "MiniCPM-V")
    version = _find_version(folder, config)
    images = read_json(folder / "preprocessor_config.json")
    special_tokens = {key: str(images.get(key, token)) for key, token in SPECIAL_TOKENS.items()}
    resizes = bool(images.get("slice_mode", True)) or not version.can_keep_size
    slicing = read_slicing(images, resizes=resizes)
    numbers_images = bool(images.get("use_image_id", False))
    checkpoint = Checkpoint(folder, version, config, slicing, special_tokens, numbers_images)
    if (n_queries := images.get("image_feature_size", 64)) != checkpoint.n_queries:
        raise BackendError(
            f"In {str(folder)!r} a view has {checkpoint.n_queries} embeddings by config.json, but {n_queries} by "
            "preprocessor_config.json. One of the files belongs to another model; download the checkpoint again."
        )
    return checkpoint


def _find_version(folder: Path, config: dict[str, Any]) -> Version:
    number = config.get("version")
    version = {str(known_number): version for known_number, version in VERSIONS.items()}.get(str(number))
    if version is None or not isinstance(config.get("vision_config"), dict):
        raise UsageError(
            f"The folder {str(folder)!r} holds MiniCPM-V of version {number!r}. This backend runs 2.5 and 2.6."
        )
    if "quantization_config" in config:
        raise UsageError(
            f"The weights in {str(folder)!r} are quantised. Use the full weights with --backend.quantization 4bit."
        )
    return version
