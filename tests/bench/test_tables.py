"""The tables: published figures beside ours, in three formats, and the plot."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest

from anyanomaly.bench.facts import Facts
from anyanomaly.bench.plot import Point, draw, pareto_front
from anyanomaly.bench.render import comma_separated, latex, markdown
from anyanomaly.bench.speed_table import speed_rows
from anyanomaly.bench.tables import Entry, Figure, ResultTable, result_table
from tests.bench.examples import RECIPE, cell_result, make_results


def _entries(table: ResultTable, row: str, source: str) -> tuple[Entry, ...]:
    (line,) = (line for line in table.lines if (line.row, line.source) == (row, source))
    return line.entries


RESULTS = {0: cell_result(0.7, 30.0), 1: cell_result(0.8, 10.0, 0.9)}  # of the backend Red


def test_a_line_for_the_published_figures_and_one_per_protocol(tmp_path: Path) -> None:
    table = result_table(make_results(tmp_path, RESULTS))
    assert table.columns == ("Scenes · w/o context", "Scenes · proposed", "FPS w/o context", "FPS proposed")
    lines = {(line.row, line.source): line.entries for line in table.lines}
    assert lines["Red", "published"] == (Figure(80), Figure(85.5), None, Figure(6.67, digits=2))
    without, _, *speeds = lines["Red", "fixed"]
    assert isinstance(without, Figure)
    assert without.interval is not None
    assert [without.value, without.difference] == pytest.approx([70, -10])
    assert list(without.interval) == pytest.approx([60, 75])
    assert speeds == [Figure(30.0, digits=2), Figure(10.0, None, 10.0 - 6.67, 2)]
    oracle = lines["Red", "paper-oracle"][1]
    assert isinstance(oracle, Figure)
    assert oracle.difference == pytest.approx(4.5)
    assert lines["Red", "null AUC of paper-oracle"][0] == Figure(pytest.approx(60))  # type: ignore[arg-type]


def test_failed_and_cited_rows_are_marked(tmp_path: Path) -> None:
    table = result_table(make_results(tmp_path, RESULTS))
    lines = {(line.row, line.source): line.entries for line in table.lines}
    assert lines["Dead", "fixed"][:2] == ("failed", "failed")
    assert lines["Other", "cited"][:2] == (Figure(70), Figure(71))
    assert not [source for row, source in lines if row == "Other" and source != "cited"]


def test_classes_and_their_groups_can_be_the_lines(tmp_path: Path) -> None:
    text = RECIPE.replace('facts = "facts.json"', 'rows = ["class", "backend"]\nclasses = "all"\nfacts = "facts.json"')
    table = result_table(make_results(tmp_path, RESULTS, text))
    rows = list(dict.fromkeys(line.row for line in table.lines if "Red" in line.row))
    assert rows == ["red · Red", "action average · Red", "average · Red"]


def test_a_row_of_another_model_than_the_published_one_shows_no_difference(tmp_path: Path) -> None:
    unlike = RECIPE.replace('label = "Red"', 'label = "Red"\nsame_model = false')
    table = result_table(make_results(tmp_path, RESULTS, unlike))
    assert [figure.difference for figure in table.figures if figure.difference is not None] == []
    assert "difference" not in latex(table)
    alike = unlike.replace('label = "proposed"', 'label = "proposed"\nsame_model = true')
    without, proposed, *_ = _entries(result_table(make_results(tmp_path, RESULTS, alike)), "Red", "fixed")
    assert isinstance(without, Figure)
    assert isinstance(proposed, Figure)
    assert without.difference is None
    assert proposed.difference == pytest.approx(80 - 85.5)


def test_the_improvement_of_one_column_over_another_has_a_column_of_its_own(tmp_path: Path) -> None:
    text = RECIPE.replace(
        "[config]", 'improvement = { base = "w/o context", of = "proposed" }\ndigits = 2\n[config]', 1
    )
    table = result_table(make_results(tmp_path, RESULTS, text))
    at = table.columns.index("Scenes improvement %")
    assert _entries(table, "Red", "published")[at] == Figure(pytest.approx(100 * 5.5 / 80), digits=2)  # type: ignore[arg-type]
    assert _entries(table, "Red", "fixed")[at] == Figure(pytest.approx(100 * 10 / 70), digits=2)  # type: ignore[arg-type]
    assert "| Red | published | 80.00 | 85.50 | 6.88 |" in markdown(table)


def test_where_ablations_are_rows_each_is_compared_with_the_base(tmp_path: Path) -> None:
    text = RECIPE.replace("[config]", 'improvement.base = "w/o context"\n[config]', 1)
    text = text.replace("title", 'rows = ["backend", "ablation"]\ncolumns = ["dataset"]\ntitle', 1)
    table = result_table(make_results(tmp_path, RESULTS, text))
    at = table.columns.index("Scenes improvement %")
    assert _entries(table, "Red · w/o context", "fixed")[at] is None
    assert _entries(table, "Red · proposed", "fixed")[at] == Figure(pytest.approx(100 * 10 / 70))  # type: ignore[arg-type]


def test_facts_about_a_row_and_marks_are_in_all_three_formats(tmp_path: Path) -> None:
    text = RECIPE.replace(
        "[config]",
        """
[[fact]]
label = "Tr."
meaning = "trained"
path = "t/{backend}/trained"
values = { 0 = "no", 1 = "yes" }
[[mark]]
sign = "†"
meaning = "easier"
path = "t/{backend}/remark"
value = "{ablation} is easier"
[config]""",
        1,
    )
    table = result_table(make_results(tmp_path, RESULTS, text))
    assert "| Other | cited | yes | 70.0† | 71.0 |" in markdown(table)
    assert "| Red | published | no | 80.0 | 85.5 |" in markdown(table)
    assert "|  | fixed |  | 70.0" in markdown(table)  # said once per row
    assert table.legend == ("Tr.: trained", "†: easier")
    assert "Other,Tr.,cited,yes,,,,\nOther,Scenes · w/o context,cited,70.0,,,,†\n" in comma_separated(table)
    assert r"Other & cited & yes & 70.0$^{\dagger}$ & 71.0 &" in latex(table)
    assert r"$\dagger$: easier." in latex(table)


def test_markdown_csv_and_latex_hold_the_same_figures(tmp_path: Path) -> None:
    table = result_table(make_results(tmp_path, RESULTS))
    assert "80.0 [70.0, 85.0] (-5.5)" in markdown(table)
    rows = list(csv.DictReader(io.StringIO(comma_separated(table))))
    (row,) = [
        row for row in rows if (row["row"], row["column"], row["source"]) == ("Red", "Scenes · proposed", "fixed")
    ]
    values = [float(row[name]) for name in ("value", "low", "high", "difference")]
    assert values == pytest.approx([80, 70, 85, -5.5])
    tex = latex(table)
    assert r"Scenes \& more" in tex
    assert r"80.0 {\scriptsize[70.0, 85.0]} {\scriptsize($-5.5$)}" in tex
    n_columns = len(table.columns) + 2
    bodies = [line for line in tex.splitlines() if line.endswith(r"\\")]
    assert all(len(re.findall(r"(?<!\\)&", line)) == n_columns - 1 for line in bodies)


def test_the_speed_table_has_a_row_per_cell_and_no_empty_column(tmp_path: Path) -> None:
    rows = speed_rows(make_results(tmp_path, RESULTS))
    assert [row["cell"] for row in rows] == ["Red · Scenes · w/o context", "Red · Scenes · proposed"]
    assert rows[1]["published"] == "6.67"
    assert rows[0]["LVLM ms/frame"] == "20"
    assert "GPU MiB" not in rows[0]


def test_published_figures_are_found_by_path(tmp_path: Path) -> None:
    path = tmp_path / "f.json"
    path.write_text('{"t": [{"class": "too close", "n": 1.5}, {"class": "car", "kind": "b", "n": 2}]}')
    facts = Facts(path)
    assert facts.figure("t/class={class}/n", {"class": "Too_Close"}) == 1.5
    assert facts.figure("t/class=car,kind=b/n", {}) == 2
    assert facts.figure("t/class=car,kind=c/n", {}) is None
    assert facts.figure("u/v", {}) is None
    assert facts.figure("", {}) is None


def test_the_pareto_front_holds_the_points_that_no_other_beats() -> None:
    points = [Point(fps, auc, "", "") for fps, auc in ((1, 90), (5, 80), (4, 70), (10, 60), (5, 75))]
    assert [(point.fps, point.auc) for point in pareto_front(points)] == [(1, 90), (5, 80), (10, 60)]


def test_the_plot_is_written_as_svg_and_png(tmp_path: Path) -> None:
    svg, png = draw(make_results(tmp_path, RESULTS), "Title", "a machine", tmp_path)
    assert png.read_bytes().startswith(b"\x89PNG")
    text = svg.read_text()
    assert "Red" in text
    assert "Other" in text  # published, in grey
    assert draw(make_results(tmp_path, {}), "Title", "a machine", tmp_path) == []
