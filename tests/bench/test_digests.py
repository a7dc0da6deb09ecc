"""Weights and prompts that change under the same name: the cells that use them are run again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.bench.bench import Bench
from anyanomaly.bench.digests import content_digests
from anyanomaly.bench.facts import Facts
from anyanomaly.bench.ledger import Ledger
from anyanomaly.bench.report import write_report
from tests.bench.examples import RECIPE, cell_result, recipe_and_cells


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    np.random.default_rng(0).random(200_000).tofile(folder / "weights.bin")
    return folder


def test_the_digest_changes_with_training_and_not_with_copying(weights: Path, tmp_path: Path) -> None:
    first = content_digests([weights])
    os.utime(weights / "weights.bin", (0, 0))
    assert content_digests([weights.rename(tmp_path / "elsewhere")]) == first
    trained = np.fromfile(tmp_path / "elsewhere" / "weights.bin") + 1e-6
    trained.tofile(tmp_path / "elsewhere" / "weights.bin")
    assert content_digests([tmp_path / "elsewhere"]) != first


def test_the_key_changes_of_the_cells_that_use_the_weights(weights: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace('config.backend = "red"', f'config.backend = {{ name = "red", words = "{weights}" }}')
    before = [cell.key for cell in recipe_and_cells(tmp_path, recipe)[1]]
    (weights / "config.json").write_text('{"layers": 2}')
    after = [cell.key for cell in recipe_and_cells(tmp_path, recipe)[1]]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, True, True]


def test_the_key_changes_with_a_prompt_file(tmp_path: Path) -> None:
    prompt = tmp_path / "mine.toml"
    recipe = RECIPE.replace("[config]", f'[config]\nprompt.name = "{prompt}"')
    keys = set()
    for words in ("Is there {text}?", "Do you see {text}?"):
        prompt.write_text(f'question = "{words}"')
        keys |= {cell.key for cell in recipe_and_cells(tmp_path, recipe)[1]}
    assert len(keys) == 2 * 4


def test_cells_that_name_the_same_model_and_ran_other_weights_are_reported(tmp_path: Path) -> None:
    recipe, cells = recipe_and_cells(tmp_path)
    bench = Bench(recipe, cells, Ledger(tmp_path / "out"))
    for number, backend in enumerate(("server/a", "server/b", "dead/a", "dead/a")):
        bench.results[number] = cell_result(0.5, 1.0, backend=backend)
    remarks = write_report(bench, recipe, Facts(None)).split("Different weights under one name:")[1]
    assert "Red · Scenes · proposed: backend server/b, but Red · Scenes · w/o context ran server/a." in remarks
    assert "Dead" not in remarks
