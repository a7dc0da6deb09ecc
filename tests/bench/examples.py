"""A recipe for the fake plugins of the command line's tests, and results of its cells."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from anyanomaly.bench.cell_result import CellResult
from anyanomaly.bench.cells import Cell, make_cells
from anyanomaly.bench.facts import Facts
from anyanomaly.bench.recipe import Recipe, read_recipe
from anyanomaly.bench.results import Results
from anyanomaly.bench.speed import SpeedResult
from anyanomaly.engine.clock import Speed
from anyanomaly.evaluation.result import (
    ClassResult,
    DatasetSelection,
    EvaluationResult,
    GroupResult,
    HardwareCard,
    MeanResult,
    ProtocolResult,
)
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
    """Write a recipe and its published figures."""
    (folder / "facts.json").write_text(FACTS)
    path = folder / "recipe.toml"
    path.write_text(text)
    return path


def load_registry() -> Registry:
    return load(PLUGINS)


def recipe_and_cells(folder: Path, text: str = RECIPE) -> tuple[Recipe, list[Cell]]:
    recipe = read_recipe(write_recipe(folder, text))
    return recipe, make_cells(recipe, {"scenes": {"root": str(folder)}}, load_registry())


def class_result(auc: float, null_auc: float) -> ClassResult:
    return ClassResult(
        auc=auc,
        interval=(auc - 0.1, auc + 0.05),
        null_auc=null_auc,
        null_auc_95=None,
        p_null=None,
        macro_auc=None,
        macro_auc_padded=None,
        ap=None,
        eer=None,
        best_f1=None,
        best_f1_threshold=None,
        n_frames=48,
        n_positive=8,
        n_without_score=0,
        mixes=(),
        first_context_alone=None,
        events=None,
        video_auc={},
    )


def cell_result(auc: float, fps: float, oracle: float | None = None, backend: str = "red") -> CellResult:
    """Return the result of a cell with one class.

    :param auc: under the protocol ``fixed``. :param oracle: under ``paper-oracle``; None: the same.
    :param backend: the fingerprint of the backend.
    """
    protocols, group = {}, {}
    for name, measured in (("fixed", class_result(auc, 0.5)), ("paper-oracle", class_result(oracle or auc, 0.6))):
        mean = MeanResult(measured.auc, measured.interval, measured.null_auc, None)
        protocols[name] = ProtocolResult(mean, {"red": measured})
        group[name] = GroupResult(measured.auc, measured.interval)
    evaluation = EvaluationResult(
        dataset=DatasetSelection("scenes"),
        config={},
        versions=None,
        encoder=None,
        backend=backend,
        revisions=None,
        readers=(),
        prompt=None,
        reason_prompt=None,
        hardware=HardwareCard("a CPU", 2, None, (), "a system", "3"),
        n_videos=6,
        notes=(),
        problems=(),
        protocols=protocols,
        groups={"action": group},
    )
    stages_s = {"decode": 0.048, "encode": 0.096, "contexts": 0.024, "answer": 0.96, "wait": 0.0}
    speed = Speed(48 / fps, 2, 48, 48, 1, 2.0, 600, 16, stages_s)
    return CellResult(evaluation, SpeedResult(speed, 0.1, 0.2, 2, 1, 512.0, None))


def make_results(folder: Path, by_number: Mapping[int, CellResult], text: str = RECIPE) -> Results:
    recipe, cells = recipe_and_cells(folder, text)
    return Results(recipe, Facts(folder / "facts.json"), cells, by_number)
