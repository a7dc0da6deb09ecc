"""The files of a bench: all results, tables in three formats, the plot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyanomaly.api.safe_file import write_file
from anyanomaly.bench.bench import Bench
from anyanomaly.bench.facts import Facts
from anyanomaly.bench.ledger import to_json
from anyanomaly.bench.plot import draw
from anyanomaly.bench.recipe import Improvement, Recipe
from anyanomaly.bench.render import comma_separated, escape_markdown, latex, markdown, markdown_rows
from anyanomaly.bench.results import ORACLE, Results
from anyanomaly.bench.speed_table import NOTE, speed_rows
from anyanomaly.bench.tables import CITED, NULL_AUC, PUBLISHED, ResultTable, result_table
from anyanomaly.evaluation.hardware import hardware_card
from anyanomaly.masking import mask_urls_in

LEGEND = (
    "AUC in %, over all frames of all videos, mean over classes where there are several: value [95 % interval over "
    "videos]"
)
SOURCE_MEANINGS = {
    "fixed": "nothing is chosen on the labels under test",
    "cross-class": "weights and smoothing chosen on the other classes",
    "cross-video": "weights and smoothing chosen on the other videos",
    "paper": "the published arithmetic without its search",
    ORACLE: "the published search on the labels under test, which inflates and is what published figures are",
    NULL_AUC: "what that search reaches on labels that are shifted circularly against the scores",
    PUBLISHED: "as its authors give it",
    CITED: "a method that is not run here, as its authors give it",
}
MAX_PROBLEMS = 20


def write_report(bench: Bench, recipe: Recipe, facts: Facts) -> str:
    """Write the results so far to the bench's folder, and return the Markdown.

    :raises OutputError: when a file cannot be written. :raises MissingRequirement: without matplotlib, at the end.
    """
    results = Results(recipe, facts, bench.cells, bench.results)
    table = result_table(results)
    folder = bench.ledger.folder
    page = _page(bench, results, table)
    write_file(folder / "table.md", page)
    write_file(folder / "table.csv", comma_separated(table))
    write_file(folder / "table.tex", latex(table))
    write_file(folder / "result.json", to_json(_summary(bench, recipe, facts)))
    draw(results, recipe.title, describe_machine(), folder)
    return page


def describe_machine() -> str:
    """Return the machine in one line: GPUs, CPU, cores, memory."""
    card = hardware_card()
    gpus = [f"{gpu.name} ({gpu.memory or '?'}, driver {gpu.driver or '?'})" for gpu in card.gpus]
    memory = f", {card.memory_gib} GiB" if card.memory_gib else ""
    return f"{', '.join(gpus)}{'; ' if gpus else ''}{card.cpu}, {card.cores} cores{memory}"


def _page(bench: Bench, results: Results, table: ResultTable) -> str:
    sources = {line.source for line in table.lines}
    parts = [f"# {escape_markdown(results.recipe.title)}", markdown(table), _legend(results.recipe, table, sources)]
    if rows := speed_rows(results):
        parts += [markdown_rows(rows), NOTE]
    if results.facts.source and sources & {PUBLISHED, CITED}:
        parts.append(f"Published figures: {results.facts.source}")
    failures = [f"{bench.cells[number].label}: {failure.reason}" for number, failure in sorted(bench.failures.items())]
    if failures:
        parts.append(f"Failed:\n\n{_bullets(failures)}")
    if pages := _pages(bench):
        parts.append(f"The worst false alarms and misses of each cell:\n\n{pages}")
    if problems := _problems(bench):
        parts.append(f"Not measured:\n\n{_bullets(problems)}")
    if mixed_weights := _mixed_weights(bench):
        parts.append(f"Different weights under one name:\n\n{_bullets(mixed_weights)}")
    parts += [results.recipe.note.strip(), f"Machine: {describe_machine()}."]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _legend(recipe: Recipe, table: ResultTable, sources: set[str]) -> str:
    has_differences = any(figure.difference is not None for figure in table.figures)
    difference = " (difference to the published figure)" if has_differences else ""
    remarks = [f"{source}: {meaning}" for source, meaning in SOURCE_MEANINGS.items() if source in sources]
    if recipe.improvement is not None:
        remarks.append(f"{recipe.improvement.label}: {_improvement_meaning(recipe.improvement)}")
    remarks += table.legend
    return f"{LEGEND}{difference}.\n\n{_bullets(remarks)}"


def _pages(bench: Bench) -> str:
    """Return links to the pages of the finished cells as a list in Markdown."""
    pages = {bench.cells[number].label: bench.ledger.page(bench.cells[number]) for number in sorted(bench.results)}
    lines = [
        f"- [{escape_markdown(label)}]({page.relative_to(bench.ledger.folder).as_posix()})"
        for label, page in pages.items()
        if page.is_file()
    ]
    return "\n".join(lines)


def _bullets(sentences: Iterable[str]) -> str:
    """Return texts from outside as a list in Markdown."""
    return "\n".join(f"- {escape_markdown(sentence)}" for sentence in sentences)


def _improvement_meaning(improvement: Improvement) -> str:
    improved = f"'{improvement.of}'" if improvement.of else "the row"
    return f"the AUC of {improved} minus that of '{improvement.base}', in % of the latter"


def _problems(bench: Bench) -> list[str]:
    """Return the problems of the datasets, each once, with the first cell that reports it."""
    first_labels: dict[str, str] = {}  # of the cell that reports a problem first
    for number, result in sorted(bench.results.items()):
        for problem in result.evaluation.problems:
            first_labels.setdefault(problem, bench.cells[number].label)
    lines = [f"{label}: {problem}" for problem, label in first_labels.items()]
    n_more = len(lines) - MAX_PROBLEMS
    return lines[:MAX_PROBLEMS] + ([f"and {n_more} more; see result.json"] if n_more > 0 else [])


def _mixed_weights(bench: Bench) -> list[str]:
    """Return cells that name the same models as others but ran other weights, of a server or of a hub branch."""
    first_uses: dict[tuple[str, str], tuple[str, str]] = {}  # models and role to fingerprint and label
    lines = []
    for number, result in sorted(bench.results.items()):
        cell = bench.cells[number]
        fingerprints = {"encoder": result.evaluation.encoder, "backend": result.evaluation.backend}
        for role, fingerprint in fingerprints.items():
            if not fingerprint:
                continue
            first_fingerprint, label = first_uses.setdefault((cell.model_key, role), (fingerprint, cell.label))
            if first_fingerprint != fingerprint:
                lines.append(
                    f"{cell.label}: {role} {fingerprint}, but {label} ran {first_fingerprint}. "
                    f"Delete {bench.ledger.path(cell.file_stem)}, or that of the other cell, and run again."
                )
    return lines


def _summary(bench: Bench, recipe: Recipe, facts: Facts) -> Mapping[str, Any]:
    cells = []
    for cell in bench.cells:
        content: dict[str, Any] = {
            "label": cell.label,
            "key": cell.key,
            "config": cell.config.model_dump(mode="json"),
        }
        if result := bench.results.get(cell.number):
            content |= result.to_json()
        if failure := bench.failures.get(cell.number):
            content["failed"] = failure.reason
        cells.append(content)
    summary = {
        "recipe": recipe.model_dump(mode="json"),
        "published": facts.source,
        "hardware": asdict(hardware_card()),
        "cells": cells,
    }
    return {name: mask_urls_in(value) for name, value in summary.items()}


def read_facts(recipe: Recipe, path: Path) -> Facts:
    """Return the published figures that a recipe names.

    :param path: of the recipe. :raises UsageError: when they cannot be read.
    """
    return Facts(path.parent / recipe.facts if recipe.facts else None)
