"""What a bench leaves in its folder: all results, tables in three formats, the plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyanomaly.bench.bench import Bench
from anyanomaly.bench.facts import Facts
from anyanomaly.bench.ledger import to_json, write_text
from anyanomaly.bench.plot import draw
from anyanomaly.bench.recipe import Improvement, Recipe
from anyanomaly.bench.render import comma_separated, latex, markdown, markdown_rows
from anyanomaly.bench.results import ORACLE, Results
from anyanomaly.bench.speeds import NOTE, speed_rows
from anyanomaly.bench.tables import CITED, NULL_AUC, PUBLISHED, ResultTable, result_table
from anyanomaly.evaluation.hardware import hardware_card

LEGEND = (
    "AUC in %, over all frames of all videos, mean over classes where there are several: value [95 % interval over "
    "videos]"
)
PROTOCOLS = {
    "fixed": "nothing is chosen on the labels under test",
    "cross-class": "weights and smoothing chosen on the other classes",
    "cross-video": "weights and smoothing chosen on the other videos",
    "paper": "the published arithmetic without its search",
    ORACLE: "the published search on the labels under test, which inflates and is what published figures are",
    NULL_AUC: "what that search reaches on labels that are shifted circularly against the scores",
    PUBLISHED: "as its authors give it",
    CITED: "a method that is not run here, as its authors give it",
}


def write_report(bench: Bench, recipe: Recipe, facts: Facts) -> str:
    """Write everything there is so far, and return the Markdown.

    :raises OutputError: when a file cannot be written. :raises MissingRequirement: without matplotlib, at the end.
    """
    results = Results(recipe, facts, bench.cells, bench.results)
    table = result_table(results)
    folder = bench.ledger.folder
    text = _page(bench, results, table)
    write_text(folder / "table.md", text)
    write_text(folder / "table.csv", comma_separated(table))
    write_text(folder / "table.tex", latex(table))
    write_text(folder / "result.json", to_json(_summary(bench, recipe, facts)))
    draw(results, recipe.title, machine(), folder)
    return text


def machine() -> str:
    """Return the machine in a few words."""
    card = hardware_card()
    gpus = ", ".join(f"{gpu.name} ({gpu.memory or '?'}, driver {gpu.driver or '?'})" for gpu in card.gpus)
    memory = f", {card.memory_gib} GiB" if card.memory_gib else ""
    return f"{gpus + '; ' if gpus else ''}{card.cpu}, {card.cores} cores{memory}"


def _page(bench: Bench, results: Results, table: ResultTable) -> str:
    recipe = results.recipe
    shown = {line.source for line in table.lines}
    difference = " (difference to the published figure)" if _has_differences(table) else ""
    remarks = [f"{name}: {meaning}" for name, meaning in PROTOCOLS.items() if name in shown]
    if recipe.improvement is not None:
        remarks.append(f"{recipe.improvement.label}: {_improvement_meaning(recipe.improvement)}")
    remarks += table.legend
    legend = "\n".join([f"{LEGEND}{difference}.", "", *(f"- {remark}" for remark in remarks)])
    parts = [f"# {recipe.title}", markdown(table), legend]
    if rows := speed_rows(results):
        parts += [markdown_rows(rows), NOTE]
    if results.facts.source and shown & {PUBLISHED, CITED}:
        parts.append(f"Published figures: {results.facts.source}")
    failed = [f"- {bench.cells[number].label}: {each.reason}" for number, each in sorted(bench.failures.items())]
    if failed:
        parts.append("Failed:\n\n" + "\n".join(failed))
    problems = _problems(bench)
    if problems:
        parts.append("Left out:\n\n" + "\n".join(problems))
    if mixed := _mixed(bench):
        parts.append("Not of the same weights:\n\n" + "\n".join(mixed))
    parts += [recipe.note.strip(), f"Machine: {machine()}."]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _has_differences(table: ResultTable) -> bool:
    return any(figure.difference is not None for figure in table.figures)


def _improvement_meaning(improvement: Improvement) -> str:
    improved = f"'{improvement.of}'" if improvement.of else "the row"
    return f"by how many percent of its AUC '{improvement.base}' is improved by {improved}"


def _problems(bench: Bench) -> list[str]:
    """Return what of the data sets could not be used, each once."""
    told: dict[str, str] = {}
    for number, found in sorted(bench.results.items()):
        for problem in found["problems"]:
            told.setdefault(problem, bench.cells[number].label)
    lines = [f"- {label}: {problem}" for problem, label in told.items()]
    return lines[:20] + ([f"- and {len(lines) - 20} more; see result.json"] if len(lines) > 20 else [])


def _mixed(bench: Bench) -> list[str]:
    """Say which cells name the same models as others and were answered by other weights: a server's, a hub's branch."""
    first: dict[tuple[str, str], tuple[str, str]] = {}  # models and role to fingerprint and label
    lines = []
    for number, found in sorted(bench.results.items()):
        cell = bench.cells[number]
        for role in ("encoder", "backend"):
            if known := found.get(role):
                other, label = first.setdefault((cell.models, role), (known, cell.label))
                if other != known:
                    file = bench.ledger.folder / "cells" / f"{cell.file}.json"
                    lines.append(
                        f"- {cell.label}: {role} {known}, and for {label} it was {other}. Delete {file}, or that of "
                        f"the other, and run again."
                    )
    return lines


def _summary(bench: Bench, recipe: Recipe, facts: Facts) -> Mapping[str, Any]:
    return {
        "recipe": recipe.model_dump(mode="json"),
        "published": facts.source,
        "hardware": asdict(hardware_card()),
        "cells": [
            {
                "label": cell.label,
                "config": cell.config.model_dump(mode="json"),
                **bench.results.get(cell.number, {}),
                **({"failed": bench.failures[cell.number].reason} if cell.number in bench.failures else {}),
            }
            for cell in bench.cells
        ],
    }


def facts_of(recipe: Recipe, path: Path) -> Facts:
    """Return the published figures that a recipe names.

    :raises UsageError: when they cannot be read.
    """
    return Facts(path.parent / recipe.facts if recipe.facts else None)
