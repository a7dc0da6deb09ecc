"""Load the tokenizer of a model, without running code that comes with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import open_clip
import torch
from huggingface_hub import snapshot_download
from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, HFTokenizer

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.kit import first_line

FOLDER_SCHEME = "local-dir:"
"""Prefix by which open_clip knows that a model's name is a folder."""

Tokenize: TypeAlias = Callable[[list[str]], torch.Tensor]
"""From n texts to token ids (n, context length): truncated, with the end token kept, and padded."""


def load_tokenizer(name: str) -> Tokenize:
    """Return the tokenizer of a model that open_clip knows by ``name``.

    :raises UsageError: when a folder lacks it.
    :raises MissingRequirement: when it is not on this machine and cannot be downloaded.
    """
    text_config = open_clip.get_model_config(name)["text_cfg"]
    repository = text_config.get("hf_tokenizer_name")
    if not repository:
        return open_clip.get_tokenizer(name)  # type: ignore[no-any-return]
    if name.startswith(FOLDER_SCHEME):
        return load_folder_tokenizer(Path(name.removeprefix(FOLDER_SCHEME)), text_config)
    try:
        # transformers looks for a config.json in the repository, and fails without a network where there is none
        folder = snapshot_download(repository, allow_patterns=["*.json", "*.model"])
    except Exception as error:  # the hub's client raises its own errors and those of its HTTP client
        raise MissingRequirement(
            f"The tokenizer of {name} ({repository}) is not on this machine and could not be downloaded: "
            f"{first_line(error)} Connect once, or give a folder with weights and tokenizer as --encoder.model."
        ) from error
    return load_folder_tokenizer(Path(folder), text_config)


def load_folder_tokenizer(folder: Path, text_config: Mapping[str, Any]) -> Tokenize:
    """Return the tokenizer of transformers in a folder.

    :param text_config: open_clip's configuration of the text tower. :raises UsageError: when there is no tokenizer.
    """
    if not (folder / "tokenizer.json").is_file() and not any(folder.glob("*.model")):
        # transformers would make one with an empty vocabulary, in which all texts are alike
        raise UsageError(
            f"The folder {folder} holds no tokenizer: tokenizer.json is missing. "
            f"Copy the complete repository of the model."
        )
    settings = {**text_config.get("tokenizer_kwargs", {}), "trust_remote_code": False}
    length, mode = text_config.get("context_length", DEFAULT_CONTEXT_LENGTH), text_config.get("tokenizer_mode")
    try:
        return HFTokenizer(str(folder), length, tokenizer_mode=mode, **settings)  # type: ignore[no-any-return]
    except (OSError, ValueError, ImportError) as error:
        raise UsageError(f"The tokenizer in {folder} cannot be loaded: {first_line(error)}") from error
