"""A LLaMA in an original's folder: its configuration and its tokenizer, as the original reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.prefix.checkpoint import read_json


def llama_config(config: Mapping[str, Any]) -> Any:
    """Return the language model's configuration from one that says more."""
    from transformers import LlamaConfig

    return LlamaConfig.from_dict({name: value for name, value in config.items() if not name.startswith("mm_")})


def read_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in ``folder``."""
    from transformers import AutoTokenizer, LlamaTokenizer

    kind = str(read_json(folder / "tokenizer_config.json").get("tokenizer_class", ""))
    # By its model type a folder of the original layout gets a general tokenizer, which drops leading spaces.
    maker = LlamaTokenizer if kind.startswith("LlamaTokenizer") else AutoTokenizer
    with translate_errors(str(folder)):
        return maker.from_pretrained(str(folder))
