"""Writes the trained models into the plugin: open_clip's folder, transformers' folder, and the tower's readout."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import tokens
import torch
from answers import build
from examples import MAX_PIXELS
from safetensors.torch import load_file, save_file

MIN_PIXELS = 56 * 56
READOUT = "readout.safetensors"
"""What the tower's tokens say of the classes: of use only to who trains it further."""


def ship(clip: Path, said: Path, models: Path) -> None:
    """Write ``models/clip``, ``models/qwen2.5-vl`` and the readout from what training left."""
    (models / "clip").mkdir(parents=True, exist_ok=True)
    for name in ("open_clip_config.json", "open_clip_model.safetensors"):
        shutil.copyfile(clip / name, models / "clip" / name)
    save(said, models / "qwen2.5-vl")
    aids = torch.load(said, weights_only=True)["aids"]
    readout = {name.removeprefix("heads."): value for name, value in aids.items() if name.startswith("heads.")}
    save_file(readout, models / READOUT)


def begin(models: Path, out: Path) -> None:
    """Write the shipped tower and its readout as a checkpoint from which ``tower.train`` can start."""
    from transformers import Qwen2_5_VLForConditionalGeneration

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(models / "qwen2.5-vl", dtype=torch.float32)
    torch.save({"tower": model.model.visual.state_dict(), "heads": load_file(models / READOUT)}, out)


def save(checkpoint: Path, folder: Path) -> None:
    """Write a checkpoint as a folder that transformers and vLLM load, weights in bfloat16."""
    model, processor = build(tokenizer := tokens.build()), processor_of(tokenizer)
    model.load_state_dict(torch.load(checkpoint, weights_only=True)["model"])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.to(torch.bfloat16).save_pretrained(folder)
    processor.save_pretrained(folder)


def processor_of(tokenizer: Any) -> Any:
    """Return the processor: images of at most MAX_PIXELS, so 30 to 36 tokens each."""
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    pixels = {"shortest_edge": MIN_PIXELS, "longest_edge": MAX_PIXELS}
    return Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(size=pixels),
        chat_template=tokens.CHAT,
    )


if __name__ == "__main__":
    import sys

    ship(*(Path(argument) for argument in sys.argv[1:4]))
    for path in sorted(Path(sys.argv[3]).rglob("*.*")):
        print(f"{path.stat().st_size:>9,} {path}")
