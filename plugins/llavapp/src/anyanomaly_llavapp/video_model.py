"""Video-ChatGPT: patch features of up to 100 frames, averaged over space and over time, then projected to LLaMA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly_transformers.api import (
    ClipTower,
    ImageSlot,
    Profile,
    Tensors,
    clip_processor,
    encode_layout,
    find_checkpoint,
    find_clip,
    llama_config,
    load_language_model,
    read_config,
    read_tokenizer,
    rename_tensors,
    resolve_device,
    resolve_dtype,
)

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import is_hub_id, local_path
from anyanomaly.types import Query
from anyanomaly_llavapp.model import read_projector
from anyanomaly_llavapp.options import VideoChatGptOptions

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

NAME = "Video-ChatGPT"
TYPES = ("llava", "VideoChatGPT")
MAX_FRAMES = 100
TOWER_BATCH = 16  # frames
VIDEO_TOKENS = ("<vid_patch>", "<vid_start>", "<vid_end>")
EMBEDDINGS = "model.embed_tokens.weight"
PROJECTOR = "model.mm_projector."


class VideoChatGptModel:
    """A loaded Video-ChatGPT, a `PrefixModel`: the base model, with the weights that the adapter replaces.

    :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
    """

    def __init__(self, options: VideoChatGptOptions, profile: Profile) -> None:
        from transformers import LlamaForCausalLM

        device = resolve_device(options.device)
        dtype = resolve_dtype(options, device)
        folder = find_checkpoint(options.model, options.revision)
        config = read_config(folder, TYPES, f"the base of {NAME}")
        adapter_path = _find_adapter(options.adapter, folder)
        adapter = Tensors(adapter_path)
        clip = find_clip(options.published_tower, folder, options.tower)  # the original supports no other
        self.profile = profile
        self.files: Sequence[Path] = (folder, adapter_path, *([clip.folder] if clip.folder else []))
        self.tokenizer = read_tokenizer(folder)
        self.tokenizer.add_tokens(list(VIDEO_TOKENS), special_tokens=True)
        _check_adapter(adapter, len(self.tokenizer), adapter_path)
        self._side: int = clip.config.image_size
        self._processor = clip_processor(clip.preprocessing, pad=False)
        self.tower = ClipTower(clip.config, clip.tensors(), device=device, dtype=dtype)
        linear = {f"0.{name.removeprefix(PROJECTOR)}": adapter[name] for name in adapter if name.startswith(PROJECTOR)}
        self.projector = read_projector(linear, device, dtype)
        base = rename_tensors(Tensors(folder), lambda name: None if _is_replaced(name) else name)
        self.language = load_language_model(LlamaForCausalLM, llama_config(config), base, options)
        _replace_embeddings(self.language, adapter[EMBEDDINGS])

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and one slot for all frames, between the special tokens of a video."""
        frames = tuple(sample_frames(len(query.images)))
        ids = encode_layout(self.tokenizer, self.profile.layout(query, [ImageSlot(frames)] if frames else []))
        if not frames:
            return ids
        text_before, slot, text_after = ids
        assert isinstance(text_before, list)
        assert isinstance(text_after, list)
        _, video_start, video_end = self.tokenizer.convert_tokens_to_ids(list(VIDEO_TOKENS))
        # The original's tokenizer puts a space before every text, even before a text that starts with one.
        space = self.tokenizer.convert_tokens_to_ids("▁")
        return [[*text_before, video_start], slot, [video_end, space, *text_after]]

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return the embeddings (100 + patches, hidden) of each group, the frames of a video."""
        dtype = next(self.projector.parameters()).dtype
        return [[self.projector(self.pool_features(frames).to(dtype))] for frames in groups]

    def pool_features(self, frames: Sequence[Image]) -> Tensor:
        """Return features (100 + patches, width): means over space of each frame, then means over time of each patch.

        Rows of missing frames are 0. The features are rounded to half precision, as in the original.
        """
        import torch

        batches = [frames[start : start + TOWER_BATCH] for start in range(0, len(frames), TOWER_BATCH)]
        features = torch.cat([self.tower(self.preprocess(batch)) for batch in batches])
        frame_means = features.mean(dim=1)
        padding = frame_means.new_zeros(MAX_FRAMES - len(frames), features.shape[-1])
        return torch.cat([frame_means, padding, features.mean(dim=0)]).half()

    def preprocess(self, frames: Sequence[Image]) -> Tensor:
        """Return the tower's input (n, 3, side, side) for n frames, which are stretched to squares."""
        squares = [_resize_to_square(frame, self._side) for frame in frames]
        values: Tensor = self._processor(images=squares, return_tensors="pt")["pixel_values"]
        return values


def sample_frames(n_frames: int) -> list[int]:
    """Return indices of the frames to encode: the middles of at most 100 intervals of equal length."""
    n_intervals = min(n_frames, MAX_FRAMES)
    length = (n_frames - 1) / max(n_intervals, 1)
    boundaries = [round(length * index) for index in range(n_intervals + 1)]
    return [(start + stop) // 2 for start, stop in pairwise(boundaries)]


def _resize_to_square(frame: Image, side: int) -> Image:
    """Return ``frame`` resized by nearest neighbour as torch does, whose pixels differ from Pillow's."""
    import numpy as np
    import torch
    from PIL import Image
    from torch.nn.functional import interpolate

    pixels = np.asarray(frame.convert("RGB"))
    if pixels.shape[:2] == (side, side):
        return frame
    indices = [torch.arange(length, dtype=torch.float32)[None, None] for length in pixels.shape[:2]]
    rows, columns = (interpolate(axis, size=side)[0, 0].long().numpy() for axis in indices)
    return Image.fromarray(pixels[rows][:, columns])


def _find_adapter(adapter: str, base: Path) -> Path:
    """Return the adapter's file: the named file or folder, a folder of that name beside the base, or from the hub."""
    path = local_path(adapter, is_name=is_hub_id(adapter))
    if path and path.is_file():
        return path
    sibling = base.parent / Path(adapter).name
    folder = sibling if not path and sibling.is_dir() else find_checkpoint(adapter, only=("*.bin",))
    files = sorted(folder.glob("*.bin"))
    if len(files) != 1:
        raise UsageError(
            f"The folder {str(folder)!r} must hold one file of weights, the adapter of {NAME}, but holds {len(files)}. "
            "Give the file with --backend.adapter."
        )
    return files[0]


def _check_adapter(adapter: Mapping[str, Tensor], n_tokens: int, path: Path) -> None:
    expected_names = {EMBEDDINGS, f"{PROJECTOR}weight", f"{PROJECTOR}bias"}
    if set(adapter) != expected_names:
        name = sorted(set(adapter) ^ expected_names)[0]
        problem = "unknown" if name in adapter else "missing"
        raise BackendError(
            f"{path.name!r} is no adapter of {NAME}: the tensor {name!r} is {problem}. Give the file with "
            "--backend.adapter."
        )
    if (n_rows := len(adapter[EMBEDDINGS])) != n_tokens:
        raise BackendError(
            f"{path.name!r} has embeddings for {n_rows} tokens, but the tokenizer of the base model has {n_tokens}. "
            "Give the base model of this adapter with --backend.model."
        )


def _is_replaced(name: str) -> bool:
    """Return whether the adapter or the CLIP replaces a tensor of the base model; older files hold a CLIP too."""
    return name.startswith((PROJECTOR, "model.vision_tower."))


def _replace_embeddings(language: Any, table: Tensor) -> None:
    """Replace the input embeddings of ``language`` by those of the adapter (tokens, hidden).

    The output layer gets no rows for the special tokens of a video, so they are never part of an answer. The original
    initialises these rows at random.
    """
    from torch import nn

    embeddings = language.get_input_embeddings()
    weight = embeddings.weight
    if table.shape[1] != weight.shape[1]:
        raise BackendError(
            f"The adapter's embeddings have {table.shape[1]} values, but the base model's have {weight.shape[1]}. "
            "Give the base model of this adapter with --backend.model."
        )
    embeddings.weight = nn.Parameter(table.to(weight.device, weight.dtype), requires_grad=False)
    embeddings.num_embeddings = len(table)
