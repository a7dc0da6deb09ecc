"""Prompt templates: choose the one that a run uses, and read it from its file."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from anyanomaly.config.files import read_toml
from anyanomaly.config.model import RunConfig
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.errors import InvalidOption


def scoring_prompt(config: RunConfig, backend: str) -> str:
    """Return the name, or file, of the template that asks for the score.

    :param backend: name of the run's backend, never ``auto``: a preset may have a special template for it.
    """
    if template := (config.prompt.per_backend or {}).get(backend):
        return template
    if config.prompt.name != "auto":
        return config.prompt.name
    scale = config.run.scale
    expected = "consideration" if scale == "tenths" else f"consideration-{scale}"
    return {"expected": expected, "yes-no": "yes-no"}.get(config.run.scoring, "reason-consideration")


def load_template(config: RunConfig, name: str) -> PromptTemplate:
    """Return a template; output word, system message and order of the configuration override those of the template.

    :param name: a template of this package, or a .toml file.
    :raises InvalidOption: when there is no such template, or it is invalid.
    """
    settings = config.prompt
    overrides = {"output_word": settings.output_word, "system": settings.system, "text_first": settings.text_first}
    fields = _read_fields(name) | {key: value for key, value in overrides.items() if value is not None}
    try:
        return PromptTemplate(name=Path(name).stem, **fields)
    except (TypeError, ValueError) as error:
        raise InvalidOption(f"Prompt '{name}' cannot be used: {error}. Fix its TOML file.") from error


def _read_fields(name: str) -> dict[str, Any]:
    if name.endswith(".toml"):
        return read_toml(Path(name), "prompt file")
    folder = files("anyanomaly") / "prompts"
    names = sorted(file.name.removesuffix(".toml") for file in folder.iterdir() if file.name.endswith(".toml"))
    if name not in names:
        raise InvalidOption(f"There is no prompt '{name}'. Use one of {', '.join(names)}, or a .toml file.")
    return tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
