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

from anyanomaly.bench.digests import content_digests
from anyanomaly.bench.recipe import AblationEntry, BackendEntry, DatasetEntry, Recipe
from anyanomaly.config.load import Layer, load_settings
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.evaluation.result import DatasetSelection
from anyanomaly.registry import Registry

DatasetFolders: TypeAlias = Mapping[str, Mapping[str, str]]
"""Options that say where a dataset is (``root``, ``labels``), by the dataset's name."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One configuration on one dataset."""

    number: int  # in the recipe's order
    backend: BackendEntry
    dataset: DatasetEntry
    ablation: AblationEntry
    config: RunConfig
    selection: DatasetSelection
    key: str  # a digest of everything that can change the figures

    @property
    def label(self) -> str:
        """Its name in messages."""
        return " · ".join(entry.label for entry in (self.backend, self.dataset, self.ablation) if entry.label)

    @property
    def file_stem(self) -> str:
        """The name of its file without a suffix; the same when cells are put before it in the recipe."""
        words = re.sub(r"[^a-z0-9]+", "-", self.label.lower()).strip("-")
        return f"{words[:80]}-{self.key[:8]}"

    @property
    def model_key(self) -> str:
        """A digest of the models that it loads: cells with the same one share a process."""
        return _digest([self.config.backend.model_dump(), self.config.encoder.model_dump(), self.config.run.device])


def make_cells(recipe: Recipe, folders: DatasetFolders, registry: Registry) -> list[Cell]:
    """Return the cells of a recipe, each checked as far as that is possible without loading anything.

    :param folders: options that say where a dataset is, by its name.
    :raises UsageError: for a component, a setting or an option that does not exist, naming the cell.
    """
    dataset_names = {dataset.name for dataset in recipe.dataset}
    if unknown_names := sorted(set(folders) - dataset_names):
        raise UsageError(f"The recipe has no dataset '{unknown_names[0]}'; it has {', '.join(sorted(dataset_names))}.")
    versions = registry.versions()
    cells: list[Cell] = []
    for backend, dataset, ablation in product(recipe.backend, recipe.dataset, recipe.ablation):
        if backend.cited or dataset.cited or ablation.cited:
            continue
        layers = [
            Layer("the recipe", recipe.config),
            Layer(f"dataset '{dataset.label}'", dataset.config),
            Layer(f"backend '{backend.label}'", backend.config),
            Layer(f"ablation '{ablation.label}'", ablation.config),
        ]
        for layer in layers:
            _check_layer(layer)
        config = load_settings(layers).config
        options = {**dataset.options, **folders.get(dataset.name, {})}
        selection = DatasetSelection(dataset.name, options, dataset.classes)
        cell = Cell(len(cells), backend, dataset, ablation, config, selection, "")
        _check_components(cell, registry)
        cells.append(replace(cell, key=_cell_key(cell, recipe, versions, registry)))
    return cells


def _cell_key(cell: Cell, recipe: Recipe, versions: Mapping[str, str], registry: Registry) -> str:
    selection = cell.selection
    return _digest(
        [
            cell.config.model_dump(mode="json"),
            selection.name,
            dict(selection.options),
            selection.classes,
            recipe.protocols,
            recipe.speed.model_dump(exclude={"published"}) if recipe.speed else None,
            cell.ablation.speed_texts,
            {group: list(names) for group, names in cell.dataset.groups.items()},
            versions,
            content_digests(_files(cell, registry)),
        ]
    )


def _check_layer(layer: Layer) -> None:
    try:
        RunConfig.model_validate(layer.tables)
    except UsageError as error:
        raise type(error)(f"In {layer.origin}: {error}") from error
    if misplaced := sorted({"texts", "videos", "sink"} & set(layer.tables)):
        raise UsageError(
            f"In {layer.origin}: '{misplaced[0]}' cannot be set in a recipe; texts and videos come from the dataset."
        )


def _check_components(cell: Cell, registry: Registry) -> None:
    """Check that components exist and take their options. A missing package fails later, in the cell's own process."""
    for role, name, options in _components(cell):
        with suppress(MissingRequirement):
            spec = registry.find(role, name)
            registry.check_requirements(spec)
            try:
                registry.options_model(spec).validate_values(options, f"{role.capitalize()} '{name}'")
            except UsageError as error:
                raise type(error)(f"In '{cell.label}': {error}") from error


def _files(cell: Cell, registry: Registry) -> Iterator[Path]:
    """Yield the files and folders of weights, prompts and the like that a cell names."""
    prompt = cell.config.prompt
    templates = (prompt.name, prompt.reason, *(prompt.per_backend or {}).values())
    yield from (Path(name) for name in templates if name.endswith(".toml") and Path(name).is_file())
    for role, name, options in _components(cell):
        if role != "dataset":  # its files are not part of a configuration, and may be many gigabytes
            with suppress(MissingRequirement):
                model = registry.options_model(registry.find(role, name))
                yield from model.validate_values(options, name).named_files()


def _components(cell: Cell) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield role, name and options of each component of a cell."""
    config = cell.config
    yield "dataset", cell.selection.name, cell.selection.options
    yield "selector", config.selector.name, config.selector.options
    yield "encoder", config.encoder.name, config.encoder.options
    if config.backend.name != "auto":
        yield "backend", config.backend.name, config.backend.options
    for name in config.contexts:
        yield "context", name, config.context.get(name, {})


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
