"""CLIP as an image tower: its files, its preprocessing, and the features of its patches."""

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
    """A CLIP in a folder of transformers, its weights not loaded."""

    config: Any  # CLIPVisionConfig
    preprocessing: dict[str, Any]
    folder: Path | None  # with its own weights; None: the checkpoint of the complete model has them

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the weights of the image encoder.

        :raises MissingRequirement: when there are none.
        """
        if self.folder is None:
            raise MissingRequirement(
                "The checkpoint holds no image tower and names none. Download the complete checkpoint."
            )
        return rename_tensors(Tensors(self.folder), vision_tensor_name)

    def has_weights(self) -> bool:
        """Return whether it has weights of its own."""
        return self.folder is not None and any(any(self.folder.glob(pattern)) for pattern in ("*.safetensors", "*.bin"))


def find_clip(name: str, checkpoint: Path, option: str) -> Clip:
    """Return the CLIP of a checkpoint: the user's, else in or beside the checkpoint's folder, else from the hub.

    :param name: as the checkpoint's configuration names it.
    :param checkpoint: the checkpoint's folder.
    :param option: the user's choice, a folder or a hub id; empty: none.
    :raises UsageError: when it is no CLIP.
    :raises MissingRequirement: when it is not on this machine and cannot be downloaded.
    """
    candidates = [checkpoint / name, checkpoint.parent / name] if not option else []
    local = next((folder for folder in candidates if folder.is_dir()), None)
    folder = local or find_checkpoint(option or name, only=FILES)
    config = read_json(folder / "config.json")
    if config.get("model_type") not in ("clip", "clip_vision_model"):
        raise UsageError(f"The image tower {option or name!r} is a {config.get('model_type')!r}, and no CLIP.")
    from transformers import CLIPVisionConfig

    vision_config = CLIPVisionConfig.from_dict(config.get("vision_config") or config)
    return Clip(vision_config, read_json(folder / "preprocessor_config.json"), folder)


def vision_tensor_name(name: str) -> str | None:
    """Return the name of a weight of CLIP's image encoder in memory; None: it is not part of the image encoder."""
    if name.startswith(("text_model.", "text_projection.", "visual_projection.")) or name == "logit_scale":
        return None
    return None if name.endswith(".position_ids") else name.removeprefix("vision_model.")


class ClipTower:
    """Image encoder that gives the features of one hidden layer.

    :param layer: the hidden layer, counted as in transformers.
    :param keep_first: keep the class token, the first one.
    """

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
        load_weights(self._model, tensors, label="the image tower", device=device, dtype=dtype)
        # The originals' attention, for equal last bits, which pooling may amplify.
        self._model.set_attn_implementation(register_attention(CLIP_ATTENTION))
        self._layer = layer
        self._n_skipped = 0 if keep_first else 1
        self._device, self._dtype = device, dtype

    def __call__(self, pixels: Tensor) -> Tensor:
        """Return features (n, patches, width) of pixels (n, 3, side, side)."""
        states = self._model(pixels.to(self._device, self._dtype), output_hidden_states=True).hidden_states
        features: Tensor = states[self._layer][:, self._n_skipped :]
        return features


def clip_processor(preprocessing: Mapping[str, Any], *, pad: bool) -> Any:
    """Return the image processor, which resizes with Pillow as the originals do.

    :param preprocessing: ``preprocessor_config.json`` of the CLIP.
    :param pad: pad images to a square with the mean colour, instead of cropping them.
    """
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

    settings = {name: value for name, value in preprocessing.items() if not name.endswith("_type")}
    if pad:
        return LlavaImageProcessorPil(**(settings | {"do_pad": True}))
    return CLIPImageProcessorPil(**settings)


def pixel_values(processor: Any, images: Sequence[Image]) -> Tensor:
    """Return float32 pixels (n, 3, side, side) of RGB images, normalised as the tower takes them."""
    values: Tensor = processor(images=list(images), return_tensors="pt")["pixel_values"]
    return values
