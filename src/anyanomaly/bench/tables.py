"""Results as a table: published figures, ours under each protocol, intervals, differences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from anyanomaly.bench.results import ORACLE, Place, Results

PUBLISHED, CITED, NULL_AUC = "published", "cited", f"null AUC of {ORACLE}"
FPS_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of the table: an AUC or an improvement in percent, or frames per second."""

    value: float
    interval: tuple[float, float] | None = None
    difference: float | None = None  # value minus the published one
    digits: int = 1
    mark: str = ""  # a sign that the legend explains


Entry: TypeAlias = Figure | str | None
"""One entry of a table: a figure, a text, or nothing."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: figures of one kind, for one row."""

    row: str
    source: str  # published, cited, or a protocol
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A table, independent of the format that it is written in."""

    title: str
    rows: str  # what the rows are
    columns: tuple[str, ...]
    lines: tuple[Line, ...]
    legend: tuple[str, ...] = ()  # what columns and marks mean

    @property
    def figures(self) -> Iterator[Figure]:
        """All figures, line by line."""
        return (entry for line in self.lines for entry in line.entries if isinstance(entry, Figure))


@dataclass(frozen=True, slots=True)
class _RowPlaces:
    """The places of one row of the table, per kind of column."""

    aucs: Sequence[Place]
    improvements: Sequence[tuple[Place, Place] | None]  # base and improved; None: the base itself
    speeds: Sequence[Sequence[Place]]  # over the datasets that are averaged


def result_table(results: Results) -> ResultTable:
    """Return the table that the recipe describes."""
    recipe = results.recipe
    auc_columns = list(results.combinations(recipe.columns))
    titles = [*(column.label for column in recipe.fact), *map(_label, auc_columns)]
    improvement_columns, speed_columns = [], []
    if recipe.improvement is not None:
        improvement_columns = list(results.combinations([axis for axis in recipe.columns if axis != "ablation"]))
        titles += [_join(_label(column), recipe.improvement.label) for column in improvement_columns]
    if recipe.speed is not None:
        speed_axes = [axis for axis in recipe.columns if axis not in ("dataset", "class")]
        speed_columns = list(results.combinations(speed_axes))
        titles += [_join("FPS", _label(column)) for column in speed_columns]
    lines: list[Line] = []
    for row in results.combinations(recipe.rows):
        places = _RowPlaces(
            [results.place({**row, **column}) for column in auc_columns],
            [_compared_places(results, {**row, **column}) for column in improvement_columns],
            [_over_datasets(results, {**row, **column}) for column in speed_columns],
        )
        lines += _lines(results, _label(row), places, is_cited=any(entry.cited for entry in row.values()))
    row_title = " · ".join({"backend": "LVLM"}.get(axis, axis) for axis in recipe.rows)
    marks = "".join(entry.mark for line in lines for entry in line.entries if isinstance(entry, Figure))
    legend = [f"{column.label}: {column.meaning}" for column in recipe.fact if column.meaning]
    legend += [f"{mark.sign}: {mark.meaning}" for mark in recipe.mark if mark.sign in marks]
    return ResultTable(recipe.title, row_title, tuple(titles), tuple(lines), tuple(legend))


def _lines(results: Results, label: str, places: _RowPlaces, is_cited: bool) -> Iterator[Line]:
    facts: tuple[Entry, ...] = tuple(results.facts_of(places.aucs[0]))
    published = _published_entries(results, places)
    if any(entry is not None for entry in published):
        yield Line(label, CITED if is_cited else PUBLISHED, (*facts, *published))
        facts = ("",) * len(facts)  # once per row
    if is_cited:
        return
    for number, protocol in enumerate(results.recipe.protocols):
        speeds = [None if number else _speed_entry(results, group) for group in places.speeds]  # of no protocol: once
        yield Line(
            label,
            protocol,
            (
                *facts,
                *(_auc_entry(results, place, protocol) for place in places.aucs),
                *(_improvement_entry(results, pair, protocol) for pair in places.improvements),
                *speeds,
            ),
        )
        facts = ("",) * len(facts)
    if ORACLE in results.recipe.protocols:
        null_aucs = [results.null_auc(place, ORACLE) for place in places.aucs]
        if any(value is not None for value in null_aucs):
            without = (None,) * (len(places.improvements) + len(places.speeds))
            yield Line(label, NULL_AUC, (*facts, *(_figure(value, results) for value in null_aucs), *without))


def _published_entries(results: Results, places: _RowPlaces) -> list[Entry]:
    entries: list[Entry] = []
    for place in places.aucs:
        figure = _figure(results.published_auc(place), results)
        entries.append(figure and replace(figure, mark=results.marks_of(place)))
    for pair in places.improvements:
        improvement = None
        if pair is not None:
            improvement = results.published_improvement(pair[1])
            if improvement is None:
                improvement = _improvement(*map(results.published_auc, pair))
        entries.append(_figure(improvement, results))
    for group in places.speeds:
        value = _mean([results.published_fps(place) for place in group])
        entries.append(None if value is None else Figure(value, digits=FPS_DIGITS))
    return entries


def _auc_entry(results: Results, place: Place, protocol: str) -> Entry:
    auc = results.auc(place, protocol)
    if auc is None:
        return "failed" if results.has_failed(place) else None
    value, bounds = auc
    published = results.published_auc(place) if results.is_same_model(place) else None
    return Figure(value, bounds, None if published is None else value - published, results.recipe.digits)


def _improvement_entry(results: Results, pair: tuple[Place, Place] | None, protocol: str) -> Entry:
    if pair is None:
        return None
    base, improved = (results.auc(place, protocol) for place in pair)
    return _figure(_improvement(base and base[0], improved and improved[0]), results)


def _speed_entry(results: Results, places: Sequence[Place]) -> Entry:
    value = _mean([results.fps(place) for place in places])
    if value is None:
        return None
    is_same_model = all(results.is_same_model(place) for place in places)
    published = _mean([results.published_fps(place) for place in places]) if is_same_model else None
    return Figure(value, None, None if published is None else value - published, FPS_DIGITS)


def _improvement(base: float | None, improved: float | None) -> float | None:
    """Return by how many percent of ``base`` a figure is above it, as the paper counts."""
    return None if not base or improved is None else 100 * (improved - base) / base


def _compared_places(results: Results, entries: Mapping[str, Any]) -> tuple[Place, Place] | None:
    """Return the places that an improvement compares; None in the row of the base itself."""
    improvement = results.recipe.improvement
    assert improvement is not None  # there are such columns
    by_label = {entry.label: entry for entry in results.recipe.ablation}
    base = by_label[improvement.base]
    improved = by_label[improvement.of] if improvement.of else results.place(entries).ablation
    if improved is base:
        return None
    return results.place({**entries, "ablation": base}), results.place({**entries, "ablation": improved})


def _over_datasets(results: Results, entries: Mapping[str, Any]) -> list[Place]:
    """Return a place per dataset, or the one place where the entries name a dataset."""
    datasets = [entries["dataset"]] if "dataset" in entries else results.axis("dataset")
    return [results.place({**entries, "dataset": dataset}) for dataset in datasets]


def _figure(value: float | None, results: Results) -> Figure | None:
    return None if value is None else Figure(value, digits=results.recipe.digits)


def _label(entries: Mapping[str, Any]) -> str:
    return " · ".join(entry.label for entry in entries.values() if entry.label)


def _join(*titles: str) -> str:
    return " ".join(filter(None, titles))


def _mean(values: Sequence[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return sum(numbers) / len(numbers) if numbers else None
