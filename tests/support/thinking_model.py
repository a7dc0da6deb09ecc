"""A tiny model that starts every answer with the special token <think>, whatever its prompt says."""

from __future__ import annotations

from pathlib import Path

from tests.support.tiny_models import make_model

UNUSED_TOKEN, MARKER = "<|vision_pad|>", "<think>"


def make_thinking_model(folder: Path) -> Path:
    """Write the checkpoint, a Qwen2.5-VL, into ``folder`` and return the folder."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    make_model("qwen2_5_vl", folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        text = (folder / name).read_text(encoding="utf-8")
        (folder / name).write_text(text.replace(UNUSED_TOKEN, MARKER), encoding="utf-8")
    token = AutoTokenizer.from_pretrained(folder).convert_tokens_to_ids(MARKER)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    with torch.no_grad():  # a feature that is large after every text token, and that only this token's logit reads
        model.get_input_embeddings().weight[:, 0] = 10.0
        model.get_output_embeddings().weight[:, 0] = 0.0
        model.get_output_embeddings().weight[token, 0] = 50.0
    model.save_pretrained(folder)
    return folder
