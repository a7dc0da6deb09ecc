"""Every recipe that ships runs from its file to its tables and plot, on stand-ins for its datasets and models."""

from __future__ import annotations

import contextlib
import csv
import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from anyanomaly.bench.bench import Bench
from anyanomaly.bench.cells import make_cells
from anyanomaly.bench.ledger import Ledger
from anyanomaly.bench.recipe import Recipe, read_recipe
from anyanomaly.bench.report import read_facts, write_report
from anyanomaly.bench.worker import SharingRegistry, run_cell

RECIPES = sorted((Path(__file__).parents[2] / "benchmarks" / "recipes").glob("*.toml"))
STAND_INS = str(Path(__file__).with_name("stand_ins.py"))
PROTOCOLS = ("fixed", "paper")  # the quick ones: a search over all mixes takes a second per class


@pytest.fixture
def only_stand_ins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Disable the installed plugins: their datasets and models have the names of the stand-ins."""
    names = [point.name for point in entry_points(group="anyanomaly")]
    monkeypatch.setenv("ANYANOMALY_DISABLE_PLUGINS", ",".join(names))
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))


@pytest.mark.usefixtures("only_stand_ins")
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_to_its_tables(path: Path, tmp_path: Path) -> None:
    recipe = _smallest(read_recipe(path))
    bench = _run_in_this_process(recipe, tmp_path)
    page = write_report(bench, recipe, read_facts(recipe, path))

    assert len(bench.cells) == _n_cells(recipe)
    for result in bench.results.values():
        mean = result.evaluation.protocols["fixed"].mean
        assert mean is not None
        assert mean.auc is not None
        assert (result.speed is not None) == (recipe.speed is not None)
    folder = bench.ledger.folder
    with (folder / "table.csv").open() as file:
        sources = {row["source"] for row in csv.DictReader(file)}
    assert sources >= {*PROTOCOLS, *(["published"] if recipe.published else [])}
    assert page.startswith(f"# {recipe.title}\n")
    assert len(json.loads((folder / "result.json").read_text())["cells"]) == len(bench.cells)
    assert (folder / "fps-auc.svg").exists() == (recipe.speed is not None)


def _smallest(recipe: Recipe) -> Recipe:
    speed = recipe.speed and recipe.speed.model_copy(update={"segments": 2, "warmup": 1, "latency": 1})
    return recipe.model_copy(update={"protocols": PROTOCOLS, "speed": speed})


def _run_in_this_process(recipe: Recipe, folder: Path) -> Bench:
    """Run all cells; `test_bench` covers the processes that a bench starts, which would take most of the time here."""
    scenes = folder / "scenes"
    scenes.mkdir()
    folders = {entry.name: {"root": str(scenes)} for entry in recipe.dataset}
    with contextlib.closing(SharingRegistry([STAND_INS])) as registry:
        cells = make_cells(recipe, folders, registry)
        bench = Bench(recipe, cells, Ledger(folder / "out"), folders)
        for cell in cells:
            bench.ledger.put(cell, run_cell(cell, recipe, registry, lambda message: None))
            result = bench.ledger.get(cell)
            assert result is not None, cell.label
            bench.results[cell.number] = result
    return bench


def _n_cells(recipe: Recipe) -> int:
    n_cells = 1
    for entries in (recipe.backend, recipe.dataset, recipe.ablation):
        n_cells *= sum(not entry.cited for entry in entries)
    return n_cells
