"""Repositories of open_clip's weights on the Hugging Face hub, without importing open_clip, which imports torch."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_TABLE = "_PRETRAINED"
_QUICK_GELU = "-quickgelu"
"""open_clip gives weights that need QuickGELU a second model name, with this ending."""


def is_model_name(model: str) -> bool:
    """Return whether open_clip has a configuration of this name."""
    package = find_spec("open_clip")
    folder = Path(package.origin).parent / "model_configs" if package and package.origin else None
    return folder is not None and model in {path.stem for path in folder.glob("*.json")}


@cache
def tokenizer_repository(model: str) -> str:
    """Return the hub id of the tokenizer of a named model; empty: open_clip's own tokenizer, or an unknown model."""
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        return ""
    try:
        path = Path(package.origin).parent / "model_configs" / f"{model}.json"
        return str(json.loads(path.read_text(encoding="utf-8"))["text_cfg"].get("hf_tokenizer_name", ""))
    except (OSError, ValueError, KeyError):
        return ""


@cache
def hub_paths() -> dict[tuple[str, str], str]:
    """Return open_clip's table of weights: "owner/name/" or "owner/name/file" by model name and tag.

    The table is read from open_clip's source. It is empty when open_clip is not installed or its source has another
    form than expected. Weights that are not on the hub are not in it.
    """
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        return {}
    try:
        tree = ast.parse((Path(package.origin).parent / "pretrained.py").read_text(encoding="utf-8"))
    except (OSError, SyntaxError):
        return {}
    assignments = {
        target.id: statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    paths = {}
    for model, tags in _items(assignments.get(_TABLE)):
        for tag, weights in _items(assignments.get(tags.id) if isinstance(tags, ast.Name) else tags):
            settings = dict(_items(weights))
            hub_path = settings.get("hf_hub")
            if isinstance(hub_path, ast.Constant) and hub_path.value:
                paths[model, tag] = str(hub_path.value)
                if "quick_gelu" in settings:
                    paths[model + _QUICK_GELU, tag] = str(hub_path.value)
    return paths


def _items(node: ast.expr | None) -> Iterator[tuple[str, ast.expr]]:
    """Yield the items of a dictionary display, or the keyword arguments of a call."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield str(key.value), value
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg:
                yield keyword.arg, keyword.value
