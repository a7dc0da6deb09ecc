"""Find the three parts of MiniGPT-4, which are published in three places."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from anyanomaly_transformers.api import find_checkpoint, read_config

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly_minigpt4.options import MiniGpt4Options

FILE_PATTERNS = ("*.json", "*.safetensors", "tokenizer.model")  # the hub repository also has the weights as *.bin


class Parts(NamedTuple):
    """Folder of the language model, file of the image tower, and file of the projection that MiniGPT-4 trained."""

    language: Path
    vision: Path
    projection: Path


def find_parts(options: MiniGpt4Options) -> Parts:
    """Return the parts that ``options`` name.

    :raises MissingRequirement: when a part is missing.
    :raises UsageError: when the folder holds no LLaMA-2 chat model.
    """
    root = find_checkpoint(options.model, options.revision, FILE_PATTERNS)
    language = _find_language(root)
    read_config(language, {"llama"}, "the LLaMA-2 chat model")
    return Parts(
        language,
        _find_file(root, options.vision, "eva_vit_g.pth", "--backend.vision", "the EVA image tower of LAVIS"),
        _find_file(
            root,
            options.projection,
            "pretrained_minigpt4_llama2_7b.pth",
            "--backend.projection",
            "MiniGPT-4's checkpoint for LLaMA-2",
        ),
    )


def _find_language(root: Path) -> Path:
    if (root / "config.json").is_file():
        return root
    folders = sorted(path.parent for path in root.glob("*/config.json"))
    if len(folders) != 1:
        raise UsageError(
            f"The folder {str(root)!r} must hold one language model, a config.json in it or in one of its folders, but "
            f"holds {len(folders)}. Give the folder of the LLaMA-2 chat model."
        )
    return folders[0]


def _find_file(root: Path, user_path: str, name: str, option: str, part: str) -> Path:
    candidates = [Path(user_path).expanduser()] if user_path else [root / name, root.parent / name]
    if path := next((candidate for candidate in candidates if candidate.is_file()), None):
        return path
    problem = f"There is no file {user_path!r}" if user_path else f"There is no {name} in or beside {str(root)!r}"
    raise MissingRequirement(f"{problem}: {part}. Download it (docs/backends/minigpt4.md) and give it with {option}.")
