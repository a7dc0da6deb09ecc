"""A recipe with other weights, another dataset or other settings: a rehearsal before hours on a GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from anyanomaly.bench.cells import Cell, make_cells
from anyanomaly.bench.overrides import with_dataset, with_models, with_settings
from anyanomaly.bench.recipe import Recipe, read_recipe
from anyanomaly.errors import UsageError
from tests.bench.examples import RECIPE, load_registry, write_recipe

Change = Callable[[Recipe], Recipe]


def cells(folder: Path, *changes: Change, text: str = RECIPE) -> Sequence[Cell]:
    recipe = read_recipe(write_recipe(folder, text))
    for change in changes:
        recipe = change(recipe)
    return make_cells(recipe, {}, load_registry())


def test_settings_override_those_of_the_recipe_its_datasets_and_its_rows(tmp_path: Path) -> None:
    pairs = ["run.segment_frames=12", "run.max_tokens=8", "selector=uniform", "contexts=['key']", "backend.level=2.0"]
    for cell in cells(tmp_path, lambda recipe: with_settings(recipe, pairs)):
        assert (cell.config.run.segment_frames, cell.config.run.max_tokens) == (12, 8)
        assert cell.config.run.smooth_seconds == 0
        assert (cell.config.selector.name, cell.config.contexts) == ("uniform", ("key",))
        assert cell.config.backend.name == "red"
        assert cell.config.backend.options["level"] == 2.0


def test_a_dataset_setting_is_an_option_of_every_dataset(tmp_path: Path) -> None:
    changed = with_settings(read_recipe(write_recipe(tmp_path)), ["dataset.n_videos=3", "dataset.split=test"])
    assert changed.dataset[0].options == {"n_videos": 3, "split": "test"}


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        (["run.max_tokens"], "--set takes KEY=VALUE"),
        (["=3"], "--set takes KEY=VALUE"),
        (["dataset=demo"], "--dataset names another one"),
        (["run.max_tokns=3"], "In --set: There is no setting 'run.max_tokns'"),
        (["videos=['a.mp4']"], "'videos' cannot be set in a recipe"),
        ([f"run.seed={'9' * 5000}"], "run.seed cannot be"),
        ([f"run.seed={'[' * 5000}"], "run.seed cannot be"),
    ],
)
def test_settings_that_do_not_exist_are_refused(tmp_path: Path, pairs: list[str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        cells(tmp_path, lambda recipe: with_settings(recipe, pairs))
    assert message in str(error.value)


def test_weights_apply_to_the_rows_of_that_backend(tmp_path: Path) -> None:
    text = RECIPE.replace('name = "red", fail = "bug"', 'name = "rot", fail = "bug"')
    text = text.replace('config.contexts = ["key"]', 'config = { contexts = ["key"], backend = "red" }')
    recipe = with_models(read_recipe(write_recipe(tmp_path, text)), {"rot": "there"})
    assert [entry.config for entry in recipe.backend] == [
        {"backend": "red"},
        {"backend": {"name": "rot", "fail": "bug", "model": "there"}},
        {},
    ]
    named = with_models(recipe, {"red": "here"})
    assert named.backend[0].config == {"backend": {"name": "red", "model": "here"}}
    assert named.ablation[0].config["backend"] == {"name": "red", "model": "here"}  # a row may name its own backend
    with pytest.raises(UsageError, match=r"No row of the recipe runs the backend 'blue'\. It runs red, rot\."):
        with_models(recipe, {"blue": "there"})


def test_another_dataset_keeps_the_settings_and_drops_published_figures(tmp_path: Path) -> None:
    recipe = with_dataset(read_recipe(write_recipe(tmp_path)), "demo")
    assert [(entry.name, entry.label) for entry in recipe.dataset] == [("demo", "demo")]
    assert recipe.published == ""
    assert recipe.speed is not None
    assert (recipe.speed.published, recipe.speed.segments) == ("", 2)
    assert "not on the recipe's" in recipe.note


def test_with_another_backend_no_row_runs_the_published_model(tmp_path: Path) -> None:
    recipe = read_recipe(write_recipe(tmp_path))
    changed = with_settings(recipe, ["backend=rot"])
    assert [entry.same_model for entry in changed.ablation] == [False, False]
    assert "not the recipe's: backend=rot." in changed.note  # the labels in the table are still the recipe's
    assert [entry.same_model for entry in with_settings(recipe, ["backend.level=2.0"]).ablation] == [None, None]


def test_a_changed_recipe_has_the_same_cells_in_another_process(tmp_path: Path) -> None:
    recipe = with_settings(read_recipe(write_recipe(tmp_path)), ["run.max_tokens=8"])
    again = Recipe.model_validate_json(recipe.model_dump_json())
    keys = [cell.key for cell in make_cells(recipe, {}, load_registry())]
    assert [cell.key for cell in make_cells(again, {}, load_registry())] == keys
