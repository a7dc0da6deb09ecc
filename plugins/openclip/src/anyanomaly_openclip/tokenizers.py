"""Load the tokenizer of a model, without running code that comes with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

import open_clip
import torch
from open_clip.tokenizer import HFTokenizer

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
    config = open_clip.get_model_config(name)["text_cfg"]
    repository = config.get("hf_tokenizer_name")
    if not repository:
        return open_clip.get_tokenizer(name)  # type: ignore[no-any-return]
    if name.startswith(FOLDER_SCHEME):
        _check_folder(Path(name.removeprefix(FOLDER_SCHEME)))
    with _explain_errors(name, repository):
        return open_clip.get_tokenizer(name, trust_remote_code=False)  # type: ignore[no-any-return]


def load_folder_tokenizer(folder: Path, context_length: int) -> Tokenize:
    """Return the tokenizer of a folder in transformers' layout.

    :raises UsageError: when the folder lacks it.
    """
    _check_folder(folder)
    with _explain_errors(str(folder), str(folder)):
        return HFTokenizer(str(folder), context_length, trust_remote_code=False)  # type: ignore[no-any-return]


def _check_folder(folder: Path) -> None:
    """Fail without a vocabulary: transformers would make an empty one, in which all texts are alike."""
    if not (folder / "tokenizer.json").is_file() and not any(folder.glob("*.model")):
        raise UsageError(
            f"The folder {folder} holds no tokenizer: tokenizer.json is missing. "
            f"Copy the complete repository of the model."
        )


@contextmanager
def _explain_errors(name: str, repository: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, ImportError) as error:
        raise MissingRequirement(
            f"The tokenizer of {name} ({repository}) is not on this machine, or cannot be loaded: {first_line(error)} "
            f"Connect once, or give a folder with weights and tokenizer as --encoder.model."
        ) from error
