"""A recipe over the fake plugins of the command line's tests, and results as cells give them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly.bench.cells import Cell, make_cells
from anyanomaly.bench.facts import Facts
from anyanomaly.bench.recipe import Recipe, read_recipe
from anyanomaly.bench.results import Results
from anyanomaly.registry import Registry, load

CLI = Path(__file__).parents[1] / "cli"
PLUGINS = (str(CLI / "fake_plugin.py"), str(CLI / "fake_dataset.py"))

RECIPE = """
title = "Scenes & more"
facts = "facts.json"
published = "t/{backend}/{dataset}/{ablation}"
protocols = ["fixed", "paper-oracle"]

[config]
selector = "middle"
encoder = "colour"
[config.run]
segment_frames = 8
smooth_seconds = 0

[speed]
segments = 2
warmup = 1
latency = 2
published = "t/{backend}/fps"

[[backend]]
label = "Red"
config.backend = "red"

[[backend]]
label = "Dead"
config.backend = { name = "red", fail = "bug" }

[[backend]]
label = "Other"
cited = true

[[dataset]]
label = "Scenes"
name = "scenes"
classes = ["red", "any"]
groups.action = ["red"]

[[ablation]]
label = "w/o context"
published = "without"
published_speed = false
config.contexts = ["key"]

[[ablation]]
label = "proposed"
"""
FACTS = """{"source": "Someone, 2026.", "t": {
 "red": {"scenes": {"without": 80, "proposed": 85.5}, "fps": 6.67, "trained": 0},
 "other": {"scenes": {"without": 70, "proposed": 71}, "fps": 1.36, "trained": 1, "remark": "Without is easier"}}}"""


def write_recipe(folder: Path, text: str = RECIPE) -> Path:
    """Write the recipe and its facts."""
    (folder / "facts.json").write_text(FACTS)
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def registry() -> Registry:
    return load(PLUGINS)


def made(folder: Path, text: str = RECIPE) -> tuple[Recipe, list[Cell]]:
    recipe = read_recipe(write_recipe(folder, text))
    return recipe, make_cells(recipe, {"scenes": {"root": str(folder)}}, registry())


def result(auc: float, fps: float, oracle: float | None = None) -> dict[str, Any]:
    """Return what a cell gives, in part."""
    measured = {"auc": auc, "interval": [auc - 0.1, auc + 0.05], "null_auc": 0.5}
    best = {**measured, "auc": auc if oracle is None else oracle, "null_auc": 0.6}
    protocols = {
        name: {"mean": each, "classes": {"red": each}} for name, each in (("fixed", measured), ("paper-oracle", best))
    }
    speed = {
        **{"paper_fps": fps, "n_segments": 2, "n_texts": 1, "segments_per_s": fps / 24, "real_time": fps / 25},
        **{"latency_p50_s": 0.1, "latency_p95_s": 0.2, "prompt_tokens": 300, "output_tokens": 8},
        **{"peak_mib": 512.0, "gpu_mib": None},
        "stages_ms_per_frame": {"decode": 1.0, "encode": 2.0, "contexts": 0.5, "answer": 20.0},
    }
    groups = {"action": {name: each["mean"] for name, each in protocols.items()}}
    return {"protocols": protocols, "groups": groups, "speed": speed, "problems": []}


def results(folder: Path, found: Mapping[int, dict[str, Any]], text: str = RECIPE) -> Results:
    recipe, cells = made(folder, text)
    return Results(recipe, Facts(folder / "facts.json"), cells, found)
