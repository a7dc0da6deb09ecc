"""The configurations that a recipe stands for."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

from anyanomaly.bench.contents import contents
from anyanomaly.bench.recipe import AblationEntry, BackendEntry, DatasetEntry, Recipe
from anyanomaly.config.load import Layer, load_settings
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.evaluation.result import DatasetSelection
from anyanomaly.registry import Registry

Places: TypeAlias = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Cell:
    """One configuration over one data set. ``key`` changes with all that can change its figures."""

    number: int  # in the recipe's order
    backend: BackendEntry
    dataset: DatasetEntry
    ablation: AblationEntry
    config: RunConfig
    data: DatasetSelection
    key: str

    @property
    def label(self) -> str:
        """How it is called in messages."""
        return " · ".join(each.label for each in (self.backend, self.dataset, self.ablation) if each.label)

    @property
    def file(self) -> str:
        """The name of its file, without a suffix: it stays when cells are put before it."""
        words = re.sub(r"[^a-z0-9]+", "-", self.label.lower()).strip("-")
        return f"{words[:80]}-{self.key[:8]}"

    @property
    def models(self) -> str:
        """Names the models that it loads: cells of the same models share a process."""
        return _digest([self.config.backend.model_dump(), self.config.encoder.model_dump(), self.config.run.device])


def make_cells(recipe: Recipe, places: Places, registry: Registry) -> list[Cell]:
    """Return the cells of a recipe, each checked as far as that goes without loading anything.

    :param places: options that say where a data set is, by its name.
    :raises UsageError: for a component, a setting or an option that does not exist, naming the cell.
    """
    known = {choice.name for choice in recipe.dataset}
    if unknown := sorted(set(places) - known):
        raise UsageError(f"The recipe has no data set '{unknown[0]}'; it has {', '.join(sorted(known))}.")
    versions = registry.versions()
    choices = product(recipe.backend, recipe.dataset, recipe.ablation)
    run = [each for each in choices if not any(choice.cited for choice in each)]
    cells = []
    for number, (backend, dataset, ablation) in enumerate(run):
        layers = [
            Layer(place, tables)
            for place, tables in (
                ("the recipe", recipe.config),
                (f"dataset '{dataset.label}'", dataset.config),
                (f"backend '{backend.label}'", backend.config),
                (f"ablation '{ablation.label}'", ablation.config),
            )
        ]
        for layer in layers:
            _check_layer(layer)
        config = load_settings(layers).config
        options = {**dataset.options, **places.get(dataset.name, {})}
        data = DatasetSelection(dataset.name, options, dataset.classes)
        what = [config.model_dump(mode="json"), data.name, dict(data.options), data.classes, recipe.protocols]
        speed = recipe.speed.model_dump(exclude={"published"}) if recipe.speed else None
        groups = {name: list(each) for name, each in dataset.groups.items()}
        cell = Cell(number, backend, dataset, ablation, config, data, "")
        _check(cell, registry)
        files = contents(_files(cell, registry))
        cells.append(replace(cell, key=_digest([*what, speed, ablation.speed_texts, groups, versions, files])))
    return cells


def _check_layer(layer: Layer) -> None:
    try:
        RunConfig.model_validate(layer.tables)
    except UsageError as error:
        raise type(error)(f"In {layer.origin}: {error}") from error
    if given := sorted({"texts", "videos", "sink"} & set(layer.tables)):
        raise UsageError(f"In {layer.origin}: '{given[0]}' has no place in a recipe; the data set says what is run.")


def _check(cell: Cell, registry: Registry) -> None:
    """Look for the components and check their options; what only lacks something to install fails when it is run."""
    for role, name, options in _components(cell):
        with suppress(MissingRequirement):
            spec = registry.find(role, name)
            registry.check_requirements(spec)
            try:
                registry.options_model(spec).validate_values(options, f"{role.capitalize()} '{name}'")
            except UsageError as error:
                raise type(error)(f"In '{cell.label}': {error}") from error


def _files(cell: Cell, registry: Registry) -> Iterator[Path]:
    """Yield the weights, prompts and the like that a cell takes from files."""
    prompt = cell.config.prompt
    templates = (prompt.name, prompt.reason, *(prompt.per_backend or {}).values())
    yield from (Path(name) for name in templates if name.endswith(".toml") and Path(name).is_file())
    for role, name, options in _components(cell):
        if role != "dataset":  # its files are no part of a configuration, and may be a whole archive
            with suppress(MissingRequirement):
                model = registry.options_model(registry.find(role, name))
                yield from model.validate_values(options, name).named_files()


def _components(cell: Cell) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    config = cell.config
    yield "dataset", cell.data.name, cell.data.options
    yield "selector", config.selector.name, config.selector.options
    yield "encoder", config.encoder.name, config.encoder.options
    if config.backend.name != "auto":
        yield "backend", config.backend.name, config.backend.options
    for name in config.contexts:
        yield "context", name, config.context.get(name, {})


def _digest(what: Any) -> str:
    text = json.dumps(what, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
