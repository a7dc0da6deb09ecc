"""Weights and prompts that change under the same name: the cells that use them are run again."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.bench.bench import Bench
from anyanomaly.bench.contents import contents
from anyanomaly.bench.facts import Facts
from anyanomaly.bench.ledger import Ledger
from anyanomaly.bench.report import write_report
from tests.bench.made import RECIPE, made, result


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    np.random.default_rng(0).random(200_000).tofile(folder / "weights.bin")
    return folder


def test_trained_anew_they_are_others_and_copied_they_are_the_same(weights: Path, tmp_path: Path) -> None:
    first = contents([weights])
    os.utime(weights / "weights.bin", (0, 0))
    assert contents([weights.rename(tmp_path / "elsewhere")]) == first
    trained = np.fromfile(tmp_path / "elsewhere" / "weights.bin") + 1e-6
    trained.tofile(tmp_path / "elsewhere" / "weights.bin")
    assert contents([tmp_path / "elsewhere"]) != first


def test_a_cell_is_another_with_other_weights_and_only_one_that_uses_them(weights: Path, tmp_path: Path) -> None:
    recipe = RECIPE.replace('config.backend = "red"', f'config.backend = {{ name = "red", words = "{weights}" }}')
    before = [cell.key for cell in made(tmp_path, recipe)[1]]
    (weights / "config.json").write_text('{"layers": 2}')
    after = [cell.key for cell in made(tmp_path, recipe)[1]]
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, False, True, True]


def test_a_prompt_file_counts_too(tmp_path: Path) -> None:
    prompt = tmp_path / "mine.toml"
    recipe = RECIPE.replace("[config]", f'[config]\nprompt.name = "{prompt}"')
    keys = set()
    for words in ("Is there {text}?", "Do you see {text}?"):
        prompt.write_text(words)
        keys |= {cell.key for cell in made(tmp_path, recipe)[1]}
    assert len(keys) == 2 * 4


def test_cells_that_name_the_same_model_and_had_another_are_told(tmp_path: Path) -> None:
    recipe, cells = made(tmp_path)
    bench = Bench(recipe, cells, Ledger(tmp_path / "out"))
    for number, backend in enumerate(("server/a", "server/b", "dead/a", "dead/a")):
        bench.results[number] = {**result(0.5, 1.0), "backend": backend}
    told = write_report(bench, recipe, Facts(None)).split("Not of the same weights:")[1]
    assert "Red · Scenes · proposed: backend server/b, and for Red · Scenes · w/o context it was server/a." in told
    assert "Dead" not in told
