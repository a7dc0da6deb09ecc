"""Results as a table: published figures, ours under each protocol, intervals, differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeAlias

from anyanomaly.bench.cells import Cell
from anyanomaly.bench.facts import Facts
from anyanomaly.bench.recipe import Choice, Recipe

PUBLISHED, CITED, FLOOR = "published", "cited", "floor of paper-oracle"
ORACLE = "paper-oracle"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the table: an AUC in percent, or frames per second."""

    value: float
    interval: tuple[float, float] | None = None
    difference: float | None = None  # less the published one
    digits: int = 1


@dataclass(frozen=True, slots=True)
class ClassEntry:
    """A class, the mean of a group of classes, or of all."""

    label: str
    name: str = ""
    group: str = ""
    cited: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: figures of one kind, for one row."""

    row: str
    source: str  # published, cited, or a protocol
    figures: tuple[Figure | str | None, ...]  # a word: why there is none


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table for people, in no format yet."""

    title: str
    rows: str  # what the rows are
    columns: tuple[str, ...]
    lines: tuple[Line, ...]


Place: TypeAlias = Mapping[str, Any]
"""A choice per axis: backend, dataset, ablation, class."""


class Results:
    """What is known of each cell, by the labels of its choices."""

    def __init__(
        self, recipe: Recipe, facts: Facts, cells: Sequence[Cell], found: Mapping[int, Mapping[str, Any]]
    ) -> None:
        self.recipe = recipe
        self.facts = facts
        self.cells = cells
        self.found = found
        self._by_labels = {(c.backend.label, c.dataset.label, c.ablation.label): c.number for c in cells}

    def of(self, place: Place) -> Mapping[str, Any] | None:
        """Return the result of the cell at a place; None: not run, or failed."""
        number = self._by_labels.get(_labels(place))
        return None if number is None else self.found.get(number)

    def failed(self, place: Place) -> bool:
        """Tell whether there should be a result at a place and is none."""
        return _labels(place) in self._by_labels and self.of(place) is None

    def published(self, place: Place) -> float | None:
        """Return the published AUC at a place, in percent."""
        return self.facts.figure(self.recipe.published, self._words(place))

    def published_fps(self, place: Place) -> float | None:
        """Return the published frames per second at a place."""
        speed = self.recipe.speed
        if speed is None or not all(place[axis].published_speed for axis in ("backend", "dataset", "ablation")):
            return None
        return self.facts.figure(speed.published, self._words(place))

    def fps(self, place: Place) -> float | None:
        """Return our frames per second as the paper counts."""
        found = self.of(place)
        return found["speed"]["paper_fps"] if found and found["speed"] else None

    def auc(self, place: Place, protocol: str, field: str = "auc") -> tuple[float, tuple[float, float] | None] | None:
        """Return our AUC at a place and its interval, in percent; None: there is none.

        :param field: ``floor`` for what the protocol makes of shifted labels, without an interval.
        """
        found = self.of(place)
        part: Mapping[str, Any] | None = None
        if found is not None:
            measured, entry = found["protocols"].get(protocol, {}), place["class"]
            if entry.name:
                part = measured.get("classes", {}).get(entry.name)
            elif entry.group:
                part = found["groups"].get(entry.group, {}).get(protocol)
            else:
                part = measured.get("mean")
        if part is None or part.get(field) is None:
            return None
        low_high = part["interval"] if field == "auc" else None
        return 100 * part[field], None if low_high is None else (100 * low_high[0], 100 * low_high[1])

    def classes(self) -> list[ClassEntry]:
        """Return what of the classes is shown."""
        overall = ClassEntry("average")
        if self.recipe.classes == "mean":
            return [overall]
        groups: dict[str, list[str]] = {}
        for choice in self.recipe.dataset:
            for group, names in choice.groups.items():
                known = groups.setdefault(group, [])
                known += [name for name in names if name not in known]
        if self.recipe.classes == "groups":
            return [*(ClassEntry(group, group=group) for group in groups), ClassEntry(self.recipe.overall)]
        grouped = [name for names in groups.values() for name in names]
        others = dict.fromkeys(
            name
            for found in self.found.values()
            for measured in found["protocols"].values()
            for name in measured["classes"]
            if name not in grouped
        )
        entries = []
        for group, members in groups.items():
            entries += [ClassEntry(name.replace("_", " "), name=name, group=group) for name in members]
            entries.append(ClassEntry(f"{group} average", group=group))
        return [*entries, *(ClassEntry(name, name=name) for name in others), overall]

    def choices(self, axis: str) -> Sequence[Any]:
        """Return the entries of an axis."""
        found: Sequence[Any] = self.classes() if axis == "class" else getattr(self.recipe, axis)
        return found

    def places(self, axes: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yield the combinations of some axes."""
        for entries in product(*(self.choices(axis) for axis in axes)):
            yield dict(zip(axes, entries, strict=True))

    def whole(self, place: Place) -> Place:
        """Return a place with an entry for each axis, where there is only one to choose from."""
        return {axis: self.choices(axis)[0] for axis in ("backend", "dataset", "ablation", "class")} | dict(place)

    def _words(self, place: Place) -> dict[str, str]:
        choices: dict[str, Choice] = {axis: place[axis] for axis in ("backend", "dataset", "ablation")}
        entry: ClassEntry = place["class"]
        words = {axis: choice.published or choice.label for axis, choice in choices.items()}
        return {**words, "class": entry.name or "average", "group": entry.group or self.recipe.overall}


def result_table(results: Results) -> ResultTable:
    """Return the table that the recipe asks for."""
    recipe = results.recipe
    columns = list(results.places(recipe.columns))
    speeds = list(results.places([axis for axis in recipe.columns if axis not in ("dataset", "class")]))
    titles = [_label(column) for column in columns]
    if recipe.speed is not None:
        titles += [" ".join(filter(None, ["FPS", _label(column)])) for column in speeds]
    else:
        speeds = []
    lines: list[Line] = []
    for row in results.places(recipe.rows):
        label = _label(row)
        places = [results.whole({**row, **column}) for column in columns]
        fast = [list(_over_datasets(results, {**row, **column})) for column in speeds]
        lines += _lines(results, label, places, fast, cited=any(entry.cited for entry in row.values()))
    rows = " · ".join({"backend": "LVLM", "class": "class"}.get(axis, axis) for axis in recipe.rows)
    return ResultTable(recipe.title, rows, tuple(titles), tuple(lines))


def _lines(
    results: Results, label: str, places: Sequence[Place], fast: Sequence[Sequence[Place]], cited: bool
) -> Iterator[Line]:
    published = [results.published(place) for place in places]
    published_fps = [_mean([results.published_fps(place) for place in each]) for each in fast]
    told = [*published, *published_fps]
    if any(value is not None for value in told):
        digits = [1] * len(published) + [2] * len(published_fps)
        figures = tuple(
            None if value is None else Figure(value, digits=shown) for value, shown in zip(told, digits, strict=True)
        )
        yield Line(label, CITED if cited else PUBLISHED, figures)
    if cited:
        return
    for number, protocol in enumerate(results.recipe.protocols):
        figures_: list[Figure | str | None] = []
        for place, known in zip(places, published, strict=True):
            ours = results.auc(place, protocol)
            if ours is None:
                figures_.append("failed" if results.failed(place) else None)
            else:
                figures_.append(Figure(*ours, None if known is None else ours[0] - known))
        for each, known in zip(fast, published_fps, strict=True):
            value = _mean([results.fps(place) for place in each])
            figures_.append(
                None if value is None or number else Figure(value, None, None if known is None else value - known, 2)
            )
        yield Line(label, protocol, tuple(figures_))
    if ORACLE in results.recipe.protocols:
        floors = [results.auc(place, ORACLE, "floor") for place in places]
        if any(floors):
            yield Line(
                label, FLOOR, (*(None if each is None else Figure(each[0]) for each in floors), *[None] * len(fast))
            )


def _over_datasets(results: Results, place: Place) -> Iterator[Place]:
    """Yield a place for each data set, unless it says which."""
    if "dataset" in place:
        yield results.whole(place)
    else:
        for choice in results.choices("dataset"):
            yield results.whole({**place, "dataset": choice})


def _labels(place: Place) -> tuple[str, str, str]:
    return place["backend"].label, place["dataset"].label, place["ablation"].label


def _label(place: Place) -> str:
    return " · ".join(entry.label for entry in place.values() if entry.label)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [each for each in values if each is not None]
    return sum(known) / len(known) if known else None
