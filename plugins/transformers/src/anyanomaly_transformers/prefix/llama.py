"""LLaMA in the folder of an original checkpoint: its configuration and tokenizer, as the original reads them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly_transformers.errors import translate_errors
from anyanomaly_transformers.prefix.checkpoint import read_json


def llama_config(config: Mapping[str, Any]) -> Any:
    """Return the configuration of the language model, out of that of the whole model."""
    from transformers import LlamaConfig

    return LlamaConfig.from_dict({name: value for name, value in config.items() if not name.startswith("mm_")})


def read_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in ``folder``.

    :raises AnyAnomalyError: when its files are missing or damaged.
    """
    from transformers import AutoTokenizer, LlamaTokenizer

    kind = str(read_json(folder / "tokenizer_config.json").get("tokenizer_class", ""))
    # For the model type of an original layout AutoTokenizer picks a general tokenizer, which drops leading spaces.
    tokenizer_class = LlamaTokenizer if kind.startswith("LlamaTokenizer") else AutoTokenizer
    with translate_errors(str(folder)):
        return tokenizer_class.from_pretrained(str(folder))
