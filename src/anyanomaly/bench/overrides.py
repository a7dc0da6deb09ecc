"""Changes to a recipe from the command line: other weights, another dataset, other settings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from anyanomaly.bench.recipe import DatasetEntry, Recipe, RecipeEntry
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import UsageError

E = TypeVar("E", bound=RecipeEntry)


def with_models(recipe: Recipe, models: Mapping[str, str]) -> Recipe:
    """Return the recipe with other weights for the backends of these names.

    :param models: the weights, as in the option ``model``, by the name of the backend.
    :raises UsageError: when the recipe runs no backend of that name.
    """
    entries = [*recipe.backend, *recipe.ablation]
    backend_names = {_backend_name(entry.config) for entry in entries if not entry.cited} - {""}
    if unknown_names := [name for name in models if name not in backend_names]:
        choices = ", ".join(sorted(backend_names)) or "none"
        raise UsageError(f"No row of the recipe runs the backend '{unknown_names[0]}'. It runs {choices}.")
    return recipe.model_copy(
        update={
            "backend": tuple(_with_model(entry, models) for entry in recipe.backend),
            "ablation": tuple(_with_model(entry, models) for entry in recipe.ablation),
        }
    )


def with_dataset(recipe: Recipe, name: str) -> Recipe:
    """Return the recipe on another dataset, with the settings of its first one; published figures do not apply."""
    entry = DatasetEntry(label=name, name=name, config=recipe.dataset[0].config)
    unpublished = {"published": ""}
    changes: dict[str, Any] = {
        "dataset": (entry,),
        "note": f"{recipe.note}\n\nRun on the dataset {name}, not on the recipe's.".strip(),
        "speed": recipe.speed and recipe.speed.model_copy(update=unpublished),
        "improvement": recipe.improvement and recipe.improvement.model_copy(update=unpublished),
    }
    return recipe.model_copy(update=unpublished | changes)


def with_settings(recipe: Recipe, pairs: Sequence[str]) -> Recipe:
    """Return the recipe with settings that override all its own: "run.max_tokens=8", "dataset.n_videos=2".

    :raises UsageError: when one is not of the form KEY=VALUE.
    """
    if not pairs:
        return recipe
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"--set takes KEY=VALUE, for example --set run.max_tokens=8; got '{pair}'.")
        table: Any = _parse_value(text)
        for part in reversed(key.split(".")):
            table = {part: table}
        settings = merge_tables(settings, table)
    options = settings.pop("dataset", {})
    if not isinstance(options, Mapping):
        raise UsageError("--set dataset.OPTION=VALUE sets an option of the datasets; --dataset names another one.")
    datasets = [entry.model_copy(update={"options": merge_tables(entry.options, options)}) for entry in recipe.dataset]
    try:
        RunConfig.model_validate(settings)
    except UsageError as error:
        raise type(error)(f"In --set: {error}") from error
    changes: dict[str, Any] = {"same_model": False} if _backend_name(settings) else {}
    ablations = [
        entry.model_copy(update={**changes, "config": merge_tables(entry.config, settings)})
        for entry in recipe.ablation
    ]
    note = f"{recipe.note}\n\nRun with settings that are not the recipe's: {', '.join(pairs)}.".strip()
    return recipe.model_copy(update={"dataset": tuple(datasets), "ablation": tuple(ablations), "note": note})


def merge_tables(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the values of ``overrides``; a component that ``base`` only names can get options."""
    merged = dict(base)
    for key, value in overrides.items():
        current = merged.get(key)
        if isinstance(current, str) and isinstance(value, Mapping) and "name" not in value:
            current = {"name": current}
        if isinstance(current, Mapping) and isinstance(value, Mapping):
            merged[key] = merge_tables(current, value)
        else:
            merged[key] = value
    return merged


def _with_model(entry: E, models: Mapping[str, str]) -> E:
    name = _backend_name(entry.config)
    if name not in models:
        return entry
    return entry.model_copy(update={"config": merge_tables(entry.config, {"backend": {"model": models[name]}})})


def _backend_name(config: Mapping[str, Any]) -> str:
    """Return the name of the backend in a table of settings; "" when it names none."""
    backend = config.get("backend", "")
    return str(backend.get("name", "")) if isinstance(backend, Mapping) else str(backend)


def _parse_value(text: str) -> Any:
    """Return a value as in a config file; anything that the parser does not read as TOML is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # no TOML, a number of too many digits, or nested too deeply
        return text
