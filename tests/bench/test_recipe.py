"""Reading recipes, their cells and keys; the recipes that ship, and their published figures."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from anyanomaly.bench.cells import make_cells
from anyanomaly.bench.recipe import read_recipe
from anyanomaly.bench.render import markdown
from anyanomaly.bench.report import read_facts
from anyanomaly.bench.results import Results
from anyanomaly.bench.tables import Figure, result_table
from anyanomaly.errors import UsageError
from anyanomaly.registry import load
from tests.bench.examples import RECIPE, recipe_and_cells, write_recipe

RECIPES = Path(__file__).parents[2] / "benchmarks" / "recipes"
SHIPPED = sorted(RECIPES.glob("*.toml"))
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
    ("old", "new", "message"),
    [
        ('label = "Red"', 'label = "Red"\nnmae = "x"', "There is no setting 'backend.nmae'."),
        ('title = "Scenes', 'titel = "Scenes', "There is no setting 'titel'. Did you mean 'title'?"),
        ('"fixed", "paper-oracle"', '"fixt"', "there is no protocol 'fixt'"),
        ("[[dataset]]", "[[dataset", "is not valid TOML"),
        ("[config]", 'improvement = { base = "w/o", of = "proposed" }\n[config]', "names the ablation 'w/o'"),
        ("[config]", 'improvement.base = "w/o context"\n[config]', "improvement.of names an ablation"),
        ('label = "Dead"', 'label = "Red"', "Two backends have the same label"),
        (
            'published = "t/',
            'columns = ["ablation"]\nrows = ["dataset"]\npublished = "t/',
            "There are several backends",
        ),
    ],
)
def test_an_invalid_recipe_is_refused_with_its_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = write_recipe(tmp_path, RECIPE.replace(old, new, 1))
    with pytest.raises(UsageError, match="recipe") as error:
        read_recipe(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('config.backend = "red"', 'config.backend = "rde"', "Unknown backend 'rde'. Did you mean 'red'?"),
        ('name = "scenes"', 'name = "scense"', "has no dataset 'scenes'"),
        ('fail = "bug"', "lvl = 2", "Backend 'red' has no option 'lvl'"),
        ('["key"]', '["kay"]', "Unknown context 'kay'"),
        ("smooth_seconds = 0", "smoth_seconds = 0", "In the recipe: There is no setting 'run.smoth_seconds'"),
        ('selector = "middle"', 'texts = ["car"]', "'texts' cannot be set in a recipe"),
    ],
)
def test_unknown_components_and_settings_are_refused_before_anything_runs(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(UsageError) as error:
        recipe_and_cells(tmp_path, RECIPE.replace(old, new, 1))
    assert message in str(error.value)


def test_a_missing_package_fails_only_its_own_cell(tmp_path: Path) -> None:
    _, cells = recipe_and_cells(tmp_path, RECIPE.replace('config.backend = "red"', 'config.backend = "lacking"'))
    assert len(cells) == 4


def test_the_cells_are_all_combinations_without_cited_entries(tmp_path: Path) -> None:
    _, cells = recipe_and_cells(tmp_path)
    labels = ["Red · Scenes · w/o context", "Red · Scenes · proposed"]
    assert [cell.label for cell in cells] == [*labels, *(label.replace("Red", "Dead") for label in labels)]
    assert len({cell.key for cell in cells}) == 4
    assert len({cell.model_key for cell in cells}) == 2
    assert cells[0].config.contexts == ("key",)
    assert cells[0].selection.options["root"] == str(tmp_path)


def test_a_key_changes_with_every_setting_that_can_change_figures(tmp_path: Path) -> None:
    keys = {recipe_and_cells(tmp_path)[1][0].key}
    for old, new in (("segment_frames = 8", "segment_frames = 4"), ("segments = 2", "segments = 3")):
        keys.add(recipe_and_cells(tmp_path, RECIPE.replace(old, new))[1][0].key)
    assert len(keys) == 3
    assert recipe_and_cells(tmp_path, RECIPE.replace("Scenes & more", "Renamed"))[1][0].key in keys


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_recipes_that_ship_can_run_and_show_the_published_figures(path: Path) -> None:
    recipe = read_recipe(path)
    if path.stem.startswith("demo"):
        return  # its components exist only where the demo plugin is installed
    results = Results(recipe, read_facts(recipe, path), make_cells(recipe, {}, load()), {})
    combinations = product(results.combinations(recipe.rows), results.combinations(recipe.columns))
    places = [results.place(row | column) for row, column in combinations]
    n_aucs = sum(results.published_auc(place) is not None for place in places)
    n_speeds = sum(results.published_fps(place) is not None for place in places)
    assert (n_aucs, n_speeds) == N_PUBLISHED.get(path.stem, (0, 0))


PUBLISHED_LINES = {  # as printed in the paper
    "table-1": [
        "| skateboarding | published | 61.30 | 57.06 | 57.79 | 73.66 | 73.66 | 20.16 |",
        "| motorcycle | published | 88.04 | 86.72 | 86.72 | 86.72 | 86.72 | -1.50 |",
        "| appearance average | published | 86.16 | 87.09 | 88.89 | 87.34 | 88.95 | 3.25 |",
        "| average | published | 78.01 | 77.48 | 81.85 | 83.97 | 85.72 | 9.88 |",
    ],
    "table-2": ["| bicycle | published | 99.99 | 99.84 | 99.99 | 99.93 | 100.00 | 0.01 |"],
    "table-4": ["| small | published | 78.8 | 90.6 | 83.1 | 84.7 | 87.1 | 85.7 |"],
    "table-5": [
        "| AMMC-Net | cited | no | 86.6 | 73.7 | - | - |",
        "| AnyAnomaly | published | yes | 87.3 | 79.7 | 74.5 | 80.7 |",
    ],
    "table-6": [
        "| STEAL-Net | cited | yes | no | no | 54.3 | 51.7 |",
        "| rGAN | cited | yes | yes | no | 76.6 | 77.9† |",
        "| zxVAD | cited | yes | no | yes | 82.2 | 71.6† |",
        "| ZS CLIP | published | no | no | no | 62.3 | 60.9 |",
    ],
    "table-s2": ["| 24 | published | 85.72 | 90.27 | 9.88 | 13.65 | 6.67 |"],
}


@pytest.mark.parametrize("name", PUBLISHED_LINES)
def test_tables_show_published_figures_as_the_paper_prints_them(name: str) -> None:
    path = RECIPES / f"{name}.toml"
    recipe = read_recipe(path)
    table = result_table(Results(recipe, read_facts(recipe, path), [], {}))
    lines = markdown(table).splitlines()
    for line in PUBLISHED_LINES[name]:
        assert line in lines


@pytest.mark.parametrize("name", ["table-1", "table-2"])
def test_published_improvements_follow_from_the_published_figures(name: str) -> None:
    path = RECIPES / f"{name}.toml"
    recipe = read_recipe(path)
    table = result_table(Results(recipe, read_facts(recipe, path), [], {}))
    for line in table.lines:
        if line.source == "published":
            base, *_, improved, improvement = line.entries
            assert isinstance(base, Figure)
            assert isinstance(improved, Figure)
            assert isinstance(improvement, Figure)
            exact = 100 * (improved.value / base.value - 1)
            assert improvement.value == pytest.approx(exact, abs=0.02), line.row  # of figures before rounding


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_recipe_begins_with_the_command_that_runs_it(path: Path) -> None:
    words = path.read_text().splitlines()[0].split()
    assert words[:4] == ["#", "anyanomaly", "bench", f"benchmarks/recipes/{path.name}"]
    roots = {words[at + 1].removesuffix("=DIR") for at, option in enumerate(words) if option == "--root"}
    assert roots == {entry.name for entry in read_recipe(path).dataset} - {"demo"}


def test_the_recipe_of_the_docs_is_one(tmp_path: Path) -> None:
    page = (RECIPES.parents[1] / "docs" / "benchmarks.md").read_text()
    path = tmp_path / "recipe.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0])
    recipe = read_recipe(path)
    assert [entry.label for entry in recipe.ablation] == ["w/o context", "proposed"]
    shipped = read_facts(read_recipe(RECIPES / "table-s4.toml"), RECIPES / "table-s4.toml")
    results = Results(recipe, shipped, [], {})
    assert [results.published_auc(results.place({"ablation": entry})) for entry in recipe.ablation] == [78.3, 88.1]
