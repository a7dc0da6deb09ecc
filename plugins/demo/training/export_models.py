"""Writes the trained models as shipped: folders for open_clip and transformers, and the tower's readout."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tiny_tokenizer
import torch
from examples import MAX_PIXELS
from language_model import build_model
from safetensors.torch import load_file, save_file

MIN_PIXELS = 56 * 56
READOUT = "readout.safetensors"
"""The tower's readout of the classes. Only further training needs it."""


def export_models(clip: Path, checkpoint: Path, models: Path) -> None:
    """Write ``models/clip``, ``models/qwen2.5-vl`` and the readout.

    :param clip: folder of the trained CLIP.
    :param checkpoint: file of ``head_fit.fit``.
    """
    (models / "clip").mkdir(parents=True, exist_ok=True)
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        shutil.copyfile(clip / name, models / "clip" / name)
    save_transformers_folder(checkpoint, models / "qwen2.5-vl")
    auxiliary_heads = torch.load(checkpoint, weights_only=True)["auxiliary_heads"]
    readout = {
        name.removeprefix("heads."): value for name, value in auxiliary_heads.items() if name.startswith("heads.")
    }
    save_file(readout, models / READOUT)


def write_tower_checkpoint(models: Path, out: Path) -> None:
    """Write the exported tower and its readout as a checkpoint, from which ``vision_tower.train`` can start."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(models / "qwen2.5-vl", dtype=torch.float32)
    torch.save({"tower": model.model.visual.state_dict(), "heads": load_file(models / READOUT)}, out)


def save_transformers_folder(checkpoint: Path, folder: Path) -> None:
    """Write a checkpoint as a folder that transformers and vLLM load, with weights in bfloat16."""
    model, processor = build_model(tokenizer := tiny_tokenizer.build_tokenizer()), build_processor(tokenizer)
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)


def build_processor(tokenizer: Any) -> Any:
    """Return the processor: images of at most MAX_PIXELS, so 30 to 36 tokens each."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    pixels = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(size=pixels),
        chat_template=tiny_tokenizer.CHAT_TEMPLATE,
    )
