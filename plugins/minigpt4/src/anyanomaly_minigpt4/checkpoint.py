"""Where the three parts of MiniGPT-4 lie: they come from three places."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from anyanomaly_transformers.api import find_checkpoint, read_config

from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly_minigpt4.options import MiniGpt4Options

NEEDED = ("*.json", "*.safetensors", "tokenizer.model")  # of the hub's folder, which holds each weight twice


class Parts(NamedTuple):
    """The language model's folder, the image tower's file, and the file of what MiniGPT-4 trained."""

    language: Path
    vision: Path
    projection: Path


def find_parts(options: MiniGpt4Options) -> Parts:
    """Return the parts that ``options`` name.

    :raises MissingRequirement: when one is not there. :raises UsageError: when a folder holds no such language model.
    """
    root = find_checkpoint(options.model, options.revision, NEEDED)
    language = _language(root)
    read_config(language, {"llama"}, "the LLaMA-2 chat model")
    return Parts(
        language,
        _file(root, options.vision, "eva_vit_g.pth", "--backend.vision", "the EVA image tower of LAVIS"),
        _file(
            root,
            options.projection,
            "pretrained_minigpt4_llama2_7b.pth",
            "--backend.projection",
            "MiniGPT-4's checkpoint for LLaMA-2",
        ),
    )


def _language(root: Path) -> Path:
    if (root / "config.json").is_file():
        return root
    inside = sorted(path.parent for path in root.glob("*/config.json"))
    if len(inside) != 1:
        raise UsageError(
            f"The folder {str(root)!r} holds {len(inside)} language models, and one is needed: a config.json in it, or "
            "in one folder of it. Give the folder of the LLaMA-2 chat model."
        )
    return inside[0]


def _file(root: Path, given: str, name: str, option: str, what: str) -> Path:
    places = [Path(given).expanduser()] if given else [root / name, root.parent / name]
    if found := next((place for place in places if place.is_file()), None):
        return found
    where = f"{given!r} is not there" if given else f"No {name} lies in or beside {str(root)!r}"
    raise MissingRequirement(f"{where}: {what}. Download it (docs/backends/minigpt4.md) and give it with {option}.")
