"""Results of cells and published figures, looked up by backend, dataset, ablation and class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from anyanomaly.bench.cell_result import CellResult
from anyanomaly.bench.cells import Cell
from anyanomaly.bench.facts import Facts, fill_slots, same_words
from anyanomaly.bench.recipe import AblationEntry, BackendEntry, DatasetEntry, Recipe, RecipeEntry
from anyanomaly.evaluation.result import ClassResult, GroupResult, MeanResult
from anyanomaly.metrics.resampling import Interval

ORACLE = "paper-oracle"


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class, the mean of a group of classes, or the mean of all."""

    label: str
    name: str = ""
    group: str = ""
    cited: bool = False


AxisEntry: TypeAlias = RecipeEntry | ClassEntry


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the table: one entry of each axis."""

    backend: BackendEntry
    dataset: DatasetEntry
    ablation: AblationEntry
    class_entry: ClassEntry

    @property
    def entries(self) -> tuple[RecipeEntry, ...]:
        """The entries that the recipe lists."""
        return self.backend, self.dataset, self.ablation

    @property
    def labels(self) -> tuple[str, str, str]:
        """The labels of these entries, which name the cell."""
        return self.backend.label, self.dataset.label, self.ablation.label


class Results:
    """The results of a recipe's cells, beside the published figures."""

    def __init__(
        self, recipe: Recipe, facts: Facts, cells: Sequence[Cell], by_number: Mapping[int, CellResult]
    ) -> None:
        self.recipe = recipe
        self.facts = facts
        self.cells = cells
        self._by_number = by_number
        self._numbers = {(cell.backend.label, cell.dataset.label, cell.ablation.label): cell.number for cell in cells}

    def of_cell(self, cell: Cell) -> CellResult | None:
        """Return the result of a cell; None: not run, or failed."""
        return self._by_number.get(cell.number)

    def at(self, place: Place) -> CellResult | None:
        """Return the result of the cell at a place; None: not run, or failed."""
        number = self._numbers.get(place.labels)
        return None if number is None else self._by_number.get(number)

    def has_failed(self, place: Place) -> bool:
        """Return whether a place has a cell without a result."""
        return place.labels in self._numbers and self.at(place) is None

    def auc(self, place: Place, protocol: str) -> tuple[float, Interval | None] | None:
        """Return our AUC at a place and its 95 % interval, in percent; None: there is none."""
        measured = self._measured(place, protocol)
        if measured is None or measured.auc is None:
            return None
        bounds = measured.interval
        return 100 * measured.auc, None if bounds is None else (100 * bounds[0], 100 * bounds[1])

    def null_auc(self, place: Place, protocol: str) -> float | None:
        """Return the AUC in percent that a protocol reaches on circularly shifted labels; None: there is none."""
        measured = self._measured(place, protocol)
        if not isinstance(measured, ClassResult | MeanResult) or measured.null_auc is None:
            return None
        return 100 * measured.null_auc

    def fps(self, place: Place) -> float | None:
        """Return our frames per second, counted as in the paper."""
        result = self.at(place)
        return result.speed.throughput.paper_fps if result and result.speed else None

    def published_auc(self, place: Place) -> float | None:
        """Return the published AUC at a place, in percent."""
        return self.facts.figure(self.recipe.published, self._replacements(place))

    def published_fps(self, place: Place) -> float | None:
        """Return the published frames per second at a place."""
        speed = self.recipe.speed
        if speed is None or not all(entry.published_speed for entry in place.entries):
            return None
        return self.facts.figure(speed.published, self._replacements(place))

    def published_improvement(self, place: Place) -> float | None:
        """Return the published improvement at a place, in percent."""
        improvement = self.recipe.improvement
        return None if improvement is None else self.facts.figure(improvement.published, self._replacements(place))

    def is_same_model(self, place: Place) -> bool:
        """Return whether a place runs the model of the published figures: the last entry that sets it decides."""
        statements = [entry.same_model for entry in place.entries if entry.same_model is not None]
        return statements[-1] if statements else True

    def facts_of(self, place: Place) -> list[str]:
        """Return the texts of the fact columns at a place; empty where nothing is published."""
        replacements = self._replacements(place)
        values = [self.facts.text(column.path, replacements) or "" for column in self.recipe.fact]
        return [column.values.get(value, value) for column, value in zip(self.recipe.fact, values, strict=True)]

    def marks_of(self, place: Place) -> str:
        """Return the signs after the published figure of a place."""
        replacements = self._replacements(place)
        return "".join(
            mark.sign
            for mark in self.recipe.mark
            if same_words(self.facts.text(mark.path, replacements), fill_slots(mark.value, replacements))
        )

    def classes(self) -> list[ClassEntry]:
        """Return the classes and averages that the table shows."""
        if self.recipe.classes == "mean":
            return [ClassEntry("average")]
        groups: dict[str, list[str]] = {}
        for dataset in self.recipe.dataset:
            for group, names in dataset.groups.items():
                members = groups.setdefault(group, [])
                members += [name for name in names if name not in members]
        if self.recipe.classes == "groups":
            return [*(ClassEntry(group, group=group) for group in groups), ClassEntry(self.recipe.overall)]
        entries = []
        for group, members in groups.items():
            entries += [ClassEntry(name.replace("_", " "), name=name, group=group) for name in members]
            entries.append(ClassEntry(f"{group} average", group=group))
        grouped = {name for members in groups.values() for name in members}
        ungrouped = [ClassEntry(name, name=name) for name in self._measured_classes() if name not in grouped]
        return [*entries, *ungrouped, ClassEntry("average")]

    def axis(self, axis: str) -> Sequence[AxisEntry]:
        """Return the entries of an axis."""
        entries: Sequence[AxisEntry] = self.classes() if axis == "class" else getattr(self.recipe, axis)
        return entries

    def combinations(self, axes: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the combinations of the entries of some axes, by axis."""
        for entries in product(*(self.axis(axis) for axis in axes)):
            yield dict(zip(axes, entries, strict=True))

    def place(self, entries: Mapping[str, Any]) -> Place:
        """Return the place of these entries; for other axes, their first entry."""
        first = {axis: self.axis(axis)[0] for axis in ("backend", "dataset", "ablation", "class")}
        by_axis: dict[str, Any] = {**first, **entries}
        return Place(by_axis["backend"], by_axis["dataset"], by_axis["ablation"], by_axis["class"])

    def _measured(self, place: Place, protocol: str) -> ClassResult | GroupResult | MeanResult | None:
        """Return the figures of the class, the group or all classes at a place; None: there are none."""
        result, entry = self.at(place), place.class_entry
        if result is None or protocol not in result.evaluation.protocols:
            return None
        measured = result.evaluation.protocols[protocol]
        if entry.name:
            return measured.classes.get(entry.name)
        if entry.group:
            return result.evaluation.groups.get(entry.group, {}).get(protocol)
        return measured.mean

    def _measured_classes(self) -> list[str]:
        """Return the names of all classes that any cell has measured."""
        protocols = [protocol for result in self._by_number.values() for protocol in
                     result.evaluation.protocols.values()]  # fmt: skip
        return list(dict.fromkeys(name for protocol in protocols for name in protocol.classes))

    def _replacements(self, place: Place) -> dict[str, str]:
        backend, dataset, ablation = (entry.published or entry.label for entry in place.entries)
        entry = place.class_entry
        return {
            "backend": backend,
            "dataset": dataset,
            "ablation": ablation,
            "class": entry.name or "average",
            "group": entry.group or self.recipe.overall,
        }
