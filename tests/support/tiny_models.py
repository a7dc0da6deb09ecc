"""Tiny random checkpoints of real architectures: seeded, made in seconds, loaded like published ones.

``python -m tests.support.tiny_models NAME FOLDER`` writes one. NAME is one of ``MODELS``
(a vision-language model with processor, tokenizer and chat template) or ``clip`` (an open_clip model).
The answers of such a model mean nothing; the tests need that it loads, answers, and repeats its answers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.support.tiny_gemma import gemma3, gemma4, gemma4_bidirectional
from tests.support.tiny_parts import SCALE
from tests.support.tiny_qwen import glm4v, minicpmv4_6, qwen2_5_vl, qwen2_5_vl_of_64, qwen2_5_vl_wide, qwen3_5, qwen3_vl
from tests.support.tiny_tiles import idefics3, internvl, internvl3_5, lfm2_vl, llava, smolvlm
from tests.support.tiny_weights import draw_weights

ARCHITECTURES: dict[str, Callable[[], tuple[Any, Any]]] = {
    make.__name__: make for make in (qwen2_5_vl, idefics3, internvl, gemma3, llava)
}
TODAY: dict[str, Callable[[], tuple[Any, Any]]] = {
    make.__name__: make for make in (qwen3_vl, qwen3_5, internvl3_5, minicpmv4_6, gemma4, smolvlm, lfm2_vl, glm4v)
}
"""Architectures of today's models; their weights favour scores and yes or no."""
SEEDS = {"qwen3_5": 1, "minicpmv4_6": 10}
"""Seeds, instead of 3, with which scores differ clearly between images and little between precisions."""
PUBLISHED_NAMES = {"lfm2_vl": ("model.vision_tower.", "model.vision_tower.vision_model.")}
"""Prefixes of tensors that transformers reads under the published name, and writes under its own."""
MODELS = (
    ARCHITECTURES | TODAY | {make.__name__: make for make in (qwen2_5_vl_wide, qwen2_5_vl_of_64, gemma4_bidirectional)}
)


def make_model(architecture: str, folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint of ``architecture``, a name of ``MODELS``, into ``folder`` and return the folder."""
    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, processor = MODELS[architecture]()
        if architecture in {*TODAY, "gemma4_bidirectional"}:
            draw_weights(model, processor.tokenizer, seed + SEEDS.get(architecture, 3))
        for weights in model.parameters():
            if weights.ndim > 1 and not weights.any():  # Gemma's image projector starts at zero: it would see nothing
                torch.nn.init.normal_(weights, std=SCALE)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    if architecture in PUBLISHED_NAMES:
        _rename_tensors(folder / "model.safetensors", *PUBLISHED_NAMES[architecture])
    processor.save_pretrained(folder)
    return folder


def _rename_tensors(path: Path, prefix: str, published_prefix: str) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {
        published_prefix + name.removeprefix(prefix) if name.startswith(prefix) else name: tensor
        for name, tensor in load_file(path).items()
    }
    save_file(tensors, path, metadata={"format": "pt"})


def make_clip(folder: Path, seed: int = 0) -> Path:
    """Write a small CLIP with open_clip's own tokenizer as an open_clip folder and return the folder."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    config = {
        "embed_dim": 64,
        "vision_cfg": {"image_size": 224, "layers": 2, "width": 64, "head_width": 32, "patch_size": 32},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.model.CLIP(**config)
    mean, std = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    folder.mkdir(parents=True, exist_ok=True)
    description = {"model_cfg": config, "preprocess_cfg": {"mean": mean, "std": std}}
    (folder / "open_clip_config.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")
    tensors = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def main(arguments: Sequence[str]) -> None:
    """Write the checkpoint that the command line asks for."""
    if len(arguments) != 2 or arguments[0] not in (*MODELS, "clip"):
        sys.exit(f"usage: python -m tests.support.tiny_models {'|'.join((*MODELS, 'clip'))} FOLDER")
    name, folder = arguments[0], Path(arguments[1])
    print(make_clip(folder) if name == "clip" else make_model(name, folder))


if __name__ == "__main__":
    main(sys.argv[1:])
