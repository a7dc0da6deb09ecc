"""``anyanomaly bench``: run a recipe, that is a matrix of configurations over data sets."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import tell
from anyanomaly.errors import AnyAnomalyError, MissingRequirement, OutputError, UsageError
from anyanomaly.install import install_command

if TYPE_CHECKING:
    from anyanomaly.bench.bench import Bench, Step
    from anyanomaly.bench.cells import Places
    from anyanomaly.bench.recipe import Recipe

HELP = """Run a recipe: backends, data sets, classes and ablations to a table and a plot.

Prints the table in Markdown; the folder gets table.md, table.csv, table.tex, result.json and the plot of speed against
AUC. Run again after an interruption it goes on where it stopped. A cell that fails is named and the others go on; the
exit code is then that of its error."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    @app.command("bench", help=HELP)
    def bench(
        recipe: Annotated[
            Path, typer.Argument(metavar="RECIPE", help="a TOML file, for example of benchmarks/recipes")
        ],
        folder: Annotated[
            Path | None,
            typer.Option("-d", "--directory", metavar="DIR", help="where results go [default: bench/NAME OF RECIPE]"),
        ] = None,
        root: Annotated[
            list[str] | None, typer.Option(metavar="NAME=DIR", help="folder of a data set (repeatable)")
        ] = None,
        labels: Annotated[
            list[str] | None, typer.Option(metavar="NAME=DIR", help="its labels, when they are elsewhere (repeatable)")
        ] = None,
        model: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME=DIR", help="weights of the rows that run backend NAME (repeatable)"),
        ] = None,
        dataset: Annotated[
            str | None, typer.Option(metavar="NAME", help="run over this data set, for example demo, not the recipe's")
        ] = None,
        settings: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="a setting as in a config file, over the recipe's; dataset.KEY: of the data sets (repeatable)",
            ),
        ] = None,
        show_cells: Annotated[
            bool, typer.Option("--list", help="list the cells and what is done; run nothing")
        ] = False,
    ) -> int:
        from anyanomaly.bench.changes import with_dataset, with_models, with_settings
        from anyanomaly.bench.recipe import read_recipe

        asked = with_models(read_recipe(recipe), _pairs("model", model, "chat-univi=checkpoints/7b"))
        asked = with_settings(with_dataset(asked, dataset) if dataset else asked, settings or ())
        places = _places({"root": root, "labels": labels})
        return _bench(call, recipe, asked, folder or Path("bench") / recipe.stem, places, show_cells)


def _places(given: Mapping[str, list[str] | None]) -> Places:
    """Return the options that say where data sets are, by name."""
    found: dict[str, dict[str, str]] = {}
    for option, pairs in given.items():
        for name, folder in _pairs(option, pairs, "c-avenue=data/avenue").items():
            found.setdefault(name, {})[option] = folder
    return found


def _pairs(option: str, given: list[str] | None, example: str) -> dict[str, str]:
    """Return what NAME=DIR options say."""
    pairs = {}
    for pair in given or ():
        name, _, folder = pair.partition("=")
        if not name or not folder:
            raise UsageError(f"--{option} takes NAME=DIR, for example --{option} {example}; got '{pair}'.")
        pairs[name] = folder
    return pairs


def _bench(call: Call, path: Path, recipe: Recipe, folder: Path, places: Places, only_list: bool) -> int:
    from anyanomaly.bench.bench import Bench
    from anyanomaly.bench.cells import make_cells
    from anyanomaly.bench.ledger import Ledger
    from anyanomaly.bench.report import facts_of, write_report
    from anyanomaly.metrics.frame_metrics import sklearn_metrics

    facts = facts_of(recipe, path)
    cells = make_cells(recipe, places, call.registry)
    running = Bench(recipe, cells, Ledger(folder), places, call.plugins)
    if only_list:
        for cell in cells:
            print(f"{'done' if running.ledger.get(cell) else '-'}\t{cell.label}")
        return 0
    sklearn_metrics()  # missing, it is better missed now than after hours
    if recipe.speed and not call.quiet:
        _miss_matplotlib()
    untold: tuple[type[AnyAnomalyError], ...] = (MissingRequirement,)  # the plot's: told at the start
    try:
        _run(running, call)
    except OutputError:
        untold += (OutputError,)  # what has no room for a result has none for a table
        raise
    finally:  # an interruption leaves a table of what is there
        text = ""
        if running.results or running.failures:
            with contextlib.suppress(*untold):
                text = write_report(running, recipe, facts)
    print(text or (folder / "table.md").read_text(encoding="utf-8"), end="")
    for number, failure in sorted(running.failures.items()):
        tell(f"anyanomaly: {cells[number].label} failed: {failure.reason}")
    if not call.quiet:
        tell(f"Results: {folder}/")
    return min((each.code for each in running.failures.values()), default=0)


def _run(running: Bench, call: Call) -> None:
    """Run it, with one bar for all cells, or a line per cell where standard error is no terminal."""
    from tqdm import tqdm

    terminal = sys.stderr.isatty() and not call.quiet
    form = "{desc}: {percentage:3.0f}% |{bar}| {n:.2f}/{total} cells [{elapsed}<{remaining}]"
    with tqdm(total=len(running.cells), disable=not terminal, file=sys.stderr, leave=False, bar_format=form) as bar:
        for step in running.run():
            bar.set_description_str(step.cell.label, refresh=False)
            done = len(running.results) + len(running.failures)
            bar.n = done + (step.share if step.what == "share" else 0)
            bar.refresh()
            if step.what != "share" and not call.quiet:
                with tqdm.external_write_mode(file=sys.stderr):
                    tell(_line(running, step, done))


def _line(running: Bench, step: Step, done: int) -> str:
    """Say what became of a cell."""
    head = f"{done}/{len(running.cells)} {step.cell.label}:"
    if step.what == "failed":
        return f"{head} failed: {running.failures[step.cell.number].reason}"
    found = running.results[step.cell.number]
    told = [f"{name} {100 * each['mean']['auc']:.1f}" for name, each in found["protocols"].items() if each.get("mean")]
    speed = f"; {found['speed']['paper_fps']:.3g} frames/s" if found["speed"] else ""
    return f"{head} {'kept, ' if step.what == 'kept' else ''}AUC {', '.join(told) or 'none'}{speed}"


def _miss_matplotlib() -> None:
    from importlib.util import find_spec

    if find_spec("matplotlib") is None:
        tell(f"anyanomaly: there will be no plot without matplotlib. Run: {install_command('anyanomaly[bench]')}")
