"""What a recipe may say, what is refused and how, and that those that ship mean what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyanomaly.bench.cells import make_cells
from anyanomaly.bench.recipe import read_recipe
from anyanomaly.bench.report import facts_of
from anyanomaly.bench.tables import Results
from anyanomaly.errors import UsageError
from anyanomaly.registry import load
from tests.bench.made import RECIPE, made, write_recipe

SHIPPED = sorted((Path(__file__).parents[2] / "benchmarks" / "recipes").glob("*.toml"))
N_PUBLISHED = {  # figures of the paper that a table shows: AUCs, frames per second
    "table-1": (13 * 5 + 1 * 5, 0),
    "table-2": (7 * 5 + 1 * 5, 0),
    "table-4": (4 * 6, 0),
    "table-5": (40, 0),
    "table-6": (22, 0),
    "table-s2": (5 * 2, 5 * 2),
    "table-s4": (7 * 4, 7 * 2),
}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('label = "Red"', 'label = "Red"\nnmae = "x"', "There is no setting 'backend.nmae'."),
        ('title = "Scenes', 'titel = "Scenes', "There is no setting 'titel'. Did you mean 'title'?"),
        ('"fixed", "paper-oracle"', '"fixt"', "there is no protocol 'fixt'"),
        ("[[dataset]]", "[[dataset", "is no valid TOML"),
        ('label = "Dead"', 'label = "Red"', "Two backends have the same label"),
        (
            'published = "t/',
            'columns = ["ablation"]\nrows = ["dataset"]\npublished = "t/',
            "There are several backends",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = write_recipe(tmp_path, RECIPE.replace(old, new, 1))
    with pytest.raises(UsageError, match="recipe") as error:
        read_recipe(path)
    assert said in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('config.backend = "red"', 'config.backend = "rde"', "Unknown backend 'rde'. Did you mean 'red'?"),
        ('name = "scenes"', 'name = "scense"', "has no data set 'scenes'"),
        ('fail = "bug"', "lvl = 2", "Backend 'red' has no option 'lvl'"),
        ('["key"]', '["kay"]', "Unknown context 'kay'"),
        ("smooth_seconds = 0", "smoth_seconds = 0", "In the recipe: There is no setting 'run.smoth_seconds'"),
        ('selector = "middle"', 'texts = ["car"]', "'texts' has no place in a recipe"),
    ],
)
def test_unknown_components_and_settings_are_told_before_anything_runs(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    with pytest.raises(UsageError) as error:
        made(tmp_path, RECIPE.replace(old, new, 1))
    assert said in str(error.value)


def test_what_only_has_to_be_installed_is_left_to_its_cell(tmp_path: Path) -> None:
    _, cells = made(tmp_path, RECIPE.replace('config.backend = "red"', 'config.backend = "lacking"'))
    assert len(cells) == 4


def test_the_cells_are_all_combinations_that_are_run(tmp_path: Path) -> None:
    _, cells = made(tmp_path)
    labels = ["Red · Scenes · w/o context", "Red · Scenes · proposed"]
    assert [cell.label for cell in cells] == [*labels, *(each.replace("Red", "Dead") for each in labels)]
    assert len({cell.key for cell in cells}) == 4
    assert len({cell.models for cell in cells}) == 2
    assert cells[0].config.contexts == ("key",)
    assert cells[0].data.options["root"] == str(tmp_path)


def test_a_key_changes_with_what_changes_figures(tmp_path: Path) -> None:
    keys = {made(tmp_path)[1][0].key}
    for old, new in (("segment_frames = 8", "segment_frames = 4"), ("segments = 2", "segments = 3")):
        keys.add(made(tmp_path, RECIPE.replace(old, new))[1][0].key)
    assert len(keys) == 3
    assert made(tmp_path, RECIPE.replace("Scenes & more", "Renamed"))[1][0].key in keys


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_recipes_that_ship_can_be_run_and_show_the_published_figures(path: Path) -> None:
    recipe = read_recipe(path)
    if path.stem.startswith("demo"):
        return  # its components are offered once their weights are there
    results = Results(recipe, facts_of(recipe, path), make_cells(recipe, {}, load()), {})
    places = [results.whole({**row, **column}) for row in results.places(recipe.rows) for column in
              results.places(recipe.columns)]  # fmt: skip
    aucs = [each for place in places if (each := results.published(place)) is not None]
    speeds = [each for place in places if (each := results.published_fps(place)) is not None]
    assert (len(aucs), len(speeds)) == N_PUBLISHED.get(path.stem, (0, 0))
