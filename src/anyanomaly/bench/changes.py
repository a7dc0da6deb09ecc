"""A recipe with other weights, another data set or other settings than it names: what a rehearsal needs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from anyanomaly.bench.recipe import DatasetEntry, Recipe, RecipeEntry
from anyanomaly.errors import UsageError

R = TypeVar("R", bound=RecipeEntry)


def with_models(recipe: Recipe, models: Mapping[str, str]) -> Recipe:
    """Return the recipe with other weights for the backends of these names.

    :raises UsageError: when none of its rows runs a backend of that name.
    """
    run = {_name(each.config) for each in (*recipe.backend, *recipe.ablation) if not each.cited} - {""}
    if unknown := [name for name in models if name not in run]:
        known = ", ".join(sorted(run)) or "none"
        raise UsageError(f"No row of the recipe runs the backend '{unknown[0]}'. It runs {known}.")

    def changed(rows: Sequence[R]) -> tuple[R, ...]:
        return tuple(
            each.model_copy(update={"config": laid_over(each.config, {"backend": {"model": models[name]}})})
            if (name := _name(each.config)) in models
            else each
            for each in rows
        )

    return recipe.model_copy(update={"backend": changed(recipe.backend), "ablation": changed(recipe.ablation)})


def with_dataset(recipe: Recipe, name: str) -> Recipe:
    """Return the recipe over another data set, with the settings for its own first; published figures do not apply."""
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
    """Return the recipe with settings that go over all its own: "run.max_tokens=8", "dataset.n_videos=2".

    :raises UsageError: when one is no KEY=VALUE.
    """
    settings: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise UsageError(f"--set takes KEY=VALUE, for example --set run.max_tokens=8; got '{pair}'.")
        table: Any = _value(text)
        for part in reversed(key.split(".")):
            table = {part: table}
        settings = laid_over(settings, table)
    options = settings.pop("dataset", {})
    if not isinstance(options, Mapping):
        raise UsageError("--set dataset.OPTION=VALUE sets an option of the data sets; --dataset names another one.")
    datasets = [each.model_copy(update={"options": laid_over(each.options, options)}) for each in recipe.dataset]
    changes: dict[str, Any] = {"same_model": False} if _name(settings) else {}  # --set backend=NAME
    ablations = [
        entry.model_copy(update={**changes, "config": laid_over(entry.config, settings)}) for entry in recipe.ablation
    ]
    return recipe.model_copy(update={"dataset": tuple(datasets), "ablation": tuple(ablations)})


def laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables with those of ``over`` over them; a component that is only named gets options."""
    merged = dict(under)
    for key, new in over.items():
        old = merged.get(key)
        if isinstance(old, str) and isinstance(new, Mapping) and "name" not in new:
            old = {"name": old}
        merged[key] = laid_over(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else new
    return merged


def _name(config: Mapping[str, Any]) -> str:
    """Return the name of the backend that a table of settings names."""
    backend = config.get("backend", "")
    return str(backend.get("name", "")) if isinstance(backend, Mapping) else str(backend)


def _value(text: str) -> Any:
    """Return a value as in a config file; what is none there is taken as words."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
