"""CLIP as an image tower: where a checkpoint names it, its preprocessing, and the states of its patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly_transformers.prefix.attention import CLIP_ATTENTION, register_attention
from anyanomaly_transformers.prefix.checkpoint import Tensors, find_checkpoint, read_json
from anyanomaly_transformers.prefix.loading import build_empty, load_weights, rename_tensors

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

FILES = ("*.json", "model.safetensors", "pytorch_model.bin")


class Clip(NamedTuple):
    """A CLIP as a folder of transformers, not loaded."""

    config: Any  # of its image half
    preprocessing: dict[str, Any]
    folder: Path | None  # where weights of its own may be

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights of the image half.

        :raises MissingRequirement: without weights.
        """
        if self.folder is None:
            raise MissingRequirement("The checkpoint holds no image tower and names none. Get the complete one.")
        return rename_tensors(Tensors(self.folder), vision_tensor_name)

    def has_weights(self) -> bool:
        """Tell whether it has weights of its own."""
        return self.folder is not None and any(any(self.folder.glob(kind)) for kind in ("*.safetensors", "*.bin"))


def find_clip(named: str, beside: Path, option: str) -> Clip:
    """Return the CLIP that a checkpoint names, which lies beside or in it, or on the hub.

    :param beside: the checkpoint's folder; the original looks from where it was started.
    :param option: what the user gave instead; empty: nothing.
    :raises UsageError: when it is no CLIP. :raises MissingRequirement: when it is not to be had.
    """
    places = [Path(named), beside / named, beside.parent / named] if not option else []
    folder = next((place for place in places if place.is_dir()), None) or find_checkpoint(option or named, only=FILES)
    config = read_json(folder / "config.json")
    if config.get("model_type") not in ("clip", "clip_vision_model"):
        raise UsageError(f"The image tower {option or named!r} is a {config.get('model_type')!r}, and no CLIP.")
    from transformers import CLIPVisionConfig

    half = CLIPVisionConfig.from_dict(config.get("vision_config") or config)
    return Clip(half, read_json(folder / "preprocessor_config.json"), folder)


def vision_tensor_name(name: str) -> str | None:
    """Return the name of a weight of CLIP's image half in memory; None: it is the text's, or follows from sizes."""
    if name.startswith(("text_model.", "text_projection.", "visual_projection.")) or name == "logit_scale":
        return None
    return None if name.endswith(".position_ids") else name.removeprefix("vision_model.")


class ClipTower:
    """Images to patch features."""

    def __init__(
        self,
        config: Any,
        tensors: Mapping[str, Tensor],
        *,
        device: str,
        dtype: Any,
        layer: int = -2,
        keep_first: bool = False,
    ) -> None:
        from transformers import CLIPVisionModel

        self._model = build_empty(lambda: CLIPVisionModel(config))
        load_weights(self._model, tensors, what="the image tower", device=device, dtype=dtype)
        self._model.set_attn_implementation(
            register_attention(CLIP_ATTENTION)
        )  # the originals', for their last bits: pooling may enlarge them
        self._layer = layer
        self._skipped = 0 if keep_first else 1
        self._device, self._dtype = device, dtype

    def __call__(self, pixels: Tensor) -> Tensor:
        """Turn pixels (n, 3, side, side) into features (n, patches, width)."""
        states = self._model(pixels.to(self._device, self._dtype), output_hidden_states=True).hidden_states
        chosen: Tensor = states[self._layer][:, self._skipped :]
        return chosen


def clip_processor(preprocessing: Mapping[str, Any], *, pad: bool) -> Any:
    """Return what turns images into pixels, in Pillow as the originals do; ``pad``: to a square, in the mean colour."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    settings = {name: value for name, value in preprocessing.items() if not name.endswith("_type")}
    if pad:
        return LlavaImageProcessorPil(**(settings | {"do_pad": True}))
    return CLIPImageProcessorPil(**settings)


def pixel_values(processor: Any, images: Sequence[Image]) -> Tensor:
    """Return pixels (n, 3, side, side)."""
    values: Tensor = processor(images=list(images), return_tensors="pt")["pixel_values"]
    return values
