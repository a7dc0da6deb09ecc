"""Video-ChatGPT: patches of up to 100 frames, averaged over space and over time, into LLaMA's embeddings."""

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
    resolve_device,
    resolve_dtype,
)

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.types import Query
from anyanomaly_llavapp.model import read_projector
from anyanomaly_llavapp.options import VideoChatGptOptions

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

NAME = "Video-ChatGPT"
TYPES = ("llava", "VideoChatGPT")
MAX_FRAMES = 100
AT_ONCE = 16  # frames in one pass of the tower
MARKS = ("<vid_patch>", "<vid_start>", "<vid_end>")
EMBEDDINGS = "model.embed_tokens.weight"
PROJECTOR = "model.mm_projector."


class VideoChatGptModel:
    """A loaded Video-ChatGPT: the base model with what the adapter replaces."""

    def __init__(self, options: VideoChatGptOptions, profile: Profile) -> None:
        from transformers import LlamaForCausalLM

        device = resolve_device(options.device)
        dtype = resolve_dtype(options, device)
        folder = find_checkpoint(options.model, options.revision)
        config = read_config(folder, TYPES, f"the base of {NAME}")
        adapter = _adapter_file(options.adapter, folder)
        trained = Tensors(adapter)
        clip = find_clip(options.published_tower, folder, options.tower)  # the original has no other
        self.profile = profile
        self.files: Sequence[Path] = (folder, adapter, *([clip.folder] if clip.folder else []))
        self.tokenizer = read_tokenizer(folder)
        self.tokenizer.add_tokens(list(MARKS), special_tokens=True)
        _check_adapter(trained, len(self.tokenizer), adapter)
        self._side: int = clip.config.image_size
        self._processor = clip_processor(clip.preprocessing, pad=False)
        self.tower = ClipTower(clip.config, clip.tensors(), device=device, dtype=dtype)
        linear = {f"0.{name.removeprefix(PROJECTOR)}": trained[name] for name in trained if name.startswith(PROJECTOR)}
        self.projector = read_projector(linear, device, dtype)
        base = {name: value for name, value in Tensors(folder).items() if not _replaced(name)}
        self.language = load_language_model(LlamaForCausalLM, llama_config(config), base, options)
        _embed(self.language, trained[EMBEDDINGS])

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        """Return the prompt: token ids, and one place for all frames, between the marks of a video."""
        frames = tuple(chosen_frames(len(query.images)))
        ids = encode_layout(self.tokenizer, self.profile.layout(query, [ImageSlot(frames)] if frames else []))
        if not frames:
            return ids
        words, slot, end = ids
        assert isinstance(words, list)
        assert isinstance(end, list)
        _, opened, closed = self.tokenizer.convert_tokens_to_ids(list(MARKS))
        # The tokenizer of the original's time put a space before every text, also before one that starts with a space.
        space = self.tokenizer.convert_tokens_to_ids("▁")
        return [[*words, opened], slot, [closed, space, *end]]

    def encode_images(self, groups: Sequence[Sequence[Image]]) -> Sequence[Sequence[Tensor]]:
        """Return one tensor (100 + patches, hidden) per group: the frames of a video."""
        dtype = next(self.projector.parameters()).dtype
        return [[self.projector(self.pooled(frames).to(dtype))] for frames in groups]

    def pooled(self, frames: Sequence[Image]) -> Tensor:
        """Return (100 + patches, width) in half precision, as the original hands it to its projector."""
        import torch

        parts = [frames[at : at + AT_ONCE] for at in range(0, len(frames), AT_ONCE)]
        features = torch.cat([self.tower(self.pixels(part)) for part in parts])
        over_space = features.mean(dim=1)
        missing = over_space.new_zeros(MAX_FRAMES - len(frames), features.shape[-1])
        return torch.cat([over_space, missing, features.mean(dim=0)]).half()

    def pixels(self, frames: Sequence[Image]) -> Tensor:
        """Return what the tower takes (n, 3, side, side); frames are squeezed to a square first."""
        squares = [_nearest(frame, self._side) for frame in frames]
        values: Tensor = self._processor(images=squares, return_tensors="pt")["pixel_values"]
        return values


def chosen_frames(n_frames: int) -> list[int]:
    """Return which of a video's frames are seen: the middles of at most 100 stretches of equal length."""
    wanted = min(n_frames, MAX_FRAMES)
    length = (n_frames - 1) / max(wanted, 1)
    ends = [round(length * at) for at in range(wanted + 1)]
    return [(start + end) // 2 for start, end in pairwise(ends)]


def _nearest(frame: Image, side: int) -> Image:
    """Return ``frame`` as a square of nearest pixels: those that torch takes, which Pillow does not."""
    import numpy as np
    import torch
    from PIL import Image
    from torch.nn.functional import interpolate

    pixels = np.asarray(frame.convert("RGB"))
    if pixels.shape[:2] == (side, side):
        return frame
    places = [torch.arange(length, dtype=torch.float32)[None, None] for length in pixels.shape[:2]]
    rows, columns = (interpolate(each, size=side)[0, 0].long().numpy() for each in places)
    return Image.fromarray(pixels[rows][:, columns])


def _adapter_file(adapter: str, base: Path) -> Path:
    """Return the file of what was trained on videos: where it is named, or in a folder of that name beside the base."""
    path = Path(adapter).expanduser()
    if path.is_file():
        return path
    beside = base.parent / path.name
    folder = beside if not path.is_dir() and beside.is_dir() else find_checkpoint(adapter, only=("*.bin",))
    files = sorted(folder.glob("*.bin"))
    if len(files) != 1:
        raise UsageError(
            f"The folder {str(folder)!r} holds {len(files)} files of weights, and {NAME}'s adapter is one. "
            "Give the file with --backend.adapter."
        )
    return files[0]


def _check_adapter(trained: Mapping[str, Tensor], n_tokens: int, path: Path) -> None:
    names = {EMBEDDINGS, f"{PROJECTOR}weight", f"{PROJECTOR}bias"}
    if set(trained) != names:
        odd = sorted(set(trained) ^ names)[0]
        raise BackendError(f"{path.name!r} is no adapter of {NAME}: {odd!r} is wrongly there, or not there.")
    if (rows := len(trained[EMBEDDINGS])) != n_tokens:
        raise BackendError(
            f"{path.name!r} embeds {rows} tokens, and the tokenizer of the base model has {n_tokens}. "
            "The two do not belong together."
        )


def _replaced(name: str) -> bool:
    """Tell whether a weight of the base model is replaced by the adapter's, or of the CLIP that older files hold."""
    return name.startswith((PROJECTOR, "model.vision_tower."))


def _embed(language: Any, table: Tensor) -> None:
    """Give ``language`` the embeddings of the adapter.

    The marks have embeddings, and no place among the answers: the original draws their last layer's rows at random.
    """
    from torch import nn

    own = language.get_input_embeddings()
    if table.shape[1] != own.weight.shape[1]:
        raise BackendError(f"The adapter embeds in {table.shape[1]} numbers, and the base in {own.weight.shape[1]}.")
    own.weight = nn.Parameter(table.to(own.weight.device, own.weight.dtype), requires_grad=False)
    own.num_embeddings = len(table)
