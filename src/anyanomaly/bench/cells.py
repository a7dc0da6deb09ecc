"""The cells of a recipe: one configuration per backend, dataset and ablation."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

from anyanomaly.assemble.capabilities import resolve_and_check
from anyanomaly.assemble.resolve import fill_in, resolve_components
from anyanomaly.assemble.resolved_component import ResolvedComponent
from anyanomaly.bench.digests import content_digests
from anyanomaly.bench.recipe import AblationEntry, BackendEntry, DatasetEntry, Recipe
from anyanomaly.config.load import Layer, load_settings
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import MissingRequirement, UsageError
from anyanomaly.evaluation.result import DatasetSelection
from anyanomaly.registry import Registry

DatasetFolders: TypeAlias = Mapping[str, Mapping[str, str]]
"""Options with the folders of a dataset (``root``, ``labels``), by the dataset's name."""


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
        """The name of its file without a suffix; it does not depend on the order of the cells."""
        words = re.sub(r"[^a-z0-9]+", "-", self.label.lower()).strip("-")
        return f"{words[:80]}-{self.key[:8]}"

    @property
    def model_key(self) -> str:
        """A digest of the models that it loads: cells with the same one share a process."""
        return _digest([self.config.backend.model_dump(), self.config.encoder.model_dump(), self.config.run.device])


def make_cells(recipe: Recipe, folders: DatasetFolders, registry: Registry) -> list[Cell]:
    """Return the cells of a recipe, each checked without loading a model or a dataset.

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
        components = _resolve_components(cell, registry)
        cells.append(replace(cell, key=_cell_key(cell, recipe, versions, components)))
    return cells


def _cell_key(cell: Cell, recipe: Recipe, versions: Mapping[str, str], components: Sequence[ResolvedComponent]) -> str:
    selection = cell.selection
    return _digest(
        [
            fill_in(cell.config, components).model_dump(mode="json"),
            selection.name,
            dict(selection.options),
            selection.classes,
            recipe.protocols,
            recipe.speed.model_dump(exclude={"published"}) if recipe.speed else None,
            cell.ablation.speed_texts,
            {group: list(names) for group, names in cell.dataset.groups.items()},
            versions,
            content_digests(_files(cell, components)),
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


def _resolve_components(cell: Cell, registry: Registry) -> tuple[ResolvedComponent, ...]:
    """Return the components of a cell, checked. A missing package fails later, in the cell's own process."""
    try:
        with suppress(MissingRequirement):
            spec = registry.find("dataset", cell.selection.name)
            registry.check_requirements(spec)
            registry.check_options(spec, cell.selection.options)
        with suppress(MissingRequirement):
            resolve_and_check(cell.config, registry)
        return resolve_components(cell.config, registry)
    except UsageError as error:
        raise type(error)(f"In '{cell.label}': {error}") from error


def _files(cell: Cell, components: Sequence[ResolvedComponent]) -> Iterator[Path]:
    """Yield the files and folders of weights, prompts and the like that a cell names, except those of its dataset."""
    prompt = cell.config.prompt
    templates = (prompt.name, prompt.reason, *(prompt.per_backend or {}).values())
    yield from (Path(name) for name in templates if name.endswith(".toml") and Path(name).is_file())
    for component in components:
        yield from component.options.named_files()


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=list)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
