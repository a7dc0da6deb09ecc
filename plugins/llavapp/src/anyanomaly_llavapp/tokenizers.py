"""A checkpoint's tokenizer, as its original reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anyanomaly_transformers.faults import translated
from anyanomaly_transformers.prefix.checkpoint import read_json


def read_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in ``folder``."""
    from transformers import AutoTokenizer, LlamaTokenizer

    kind = str(read_json(folder / "tokenizer_config.json").get("tokenizer_class", ""))
    # By its model type a folder of the original layout gets a general tokenizer, which drops leading spaces.
    maker = LlamaTokenizer if kind.startswith("LlamaTokenizer") else AutoTokenizer
    with translated(str(folder)):
        return maker.from_pretrained(str(folder))
