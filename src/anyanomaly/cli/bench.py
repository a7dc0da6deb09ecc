"""``anyanomaly bench``: run a recipe, that is a matrix of configurations on datasets."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyanomaly.cli.call import Call
from anyanomaly.cli.output import print_fields, print_message, print_text
from anyanomaly.cli.progress import show_bar
from anyanomaly.errors import AnyAnomalyError, MissingRequirement, OutputError, UsageError
from anyanomaly.install import install_command

if TYPE_CHECKING:
    from anyanomaly.bench.bench import Bench, Step
    from anyanomaly.bench.cells import DatasetFolders
    from anyanomaly.bench.recipe import Recipe

HELP = """Run a recipe: backends, datasets and ablations to a table and a plot.

Prints the table in Markdown; the folder gets table.md, table.csv, table.tex, result.json and the plot of speed against
AUC. After an interruption the same command continues where it stopped. A cell that fails does not stop the others; the
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
            typer.Option("-d", "--directory", metavar="DIR", help="folder of the results [default: bench/RECIPE]"),
        ] = None,
        root: Annotated[
            list[str] | None, typer.Option(metavar="NAME=DIR", help="folder of a dataset (repeatable)")
        ] = None,
        labels: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME=DIR", help="folder of a dataset's labels, when it is another one (repeatable)"),
        ] = None,
        model: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME=DIR", help="weights of all rows that run backend NAME (repeatable)"),
        ] = None,
        dataset: Annotated[
            str | None, typer.Option(metavar="NAME", help="run on this dataset, for example demo, not on the recipe's")
        ] = None,
        settings: Annotated[
            list[str] | None,
            typer.Option(
                "--set",
                metavar="KEY=VALUE",
                help="a setting as in a config file, instead of the recipe's; dataset.KEY: of datasets (repeatable)",
            ),
        ] = None,
        show_cells: Annotated[
            bool, typer.Option("--list", help="list the cells and which are finished; run nothing")
        ] = False,
    ) -> int:
        from anyanomaly.bench.overrides import with_dataset, with_models, with_settings
        from anyanomaly.bench.recipe import read_recipe

        changed = with_models(read_recipe(recipe), _parse_pairs("model", model, "chat-univi=checkpoints/7b"))
        if dataset:
            changed = with_dataset(changed, dataset)
        changed = with_settings(changed, settings or ())
        folders = _dataset_folders({"root": root, "labels": labels})
        return _bench(call, recipe, changed, folder or Path("bench") / recipe.stem, folders, show_cells)


def _dataset_folders(pairs_by_option: Mapping[str, list[str] | None]) -> DatasetFolders:
    """Return the options that say where datasets are, by the dataset's name."""
    folders: dict[str, dict[str, str]] = {}
    for option, pairs in pairs_by_option.items():
        for name, folder in _parse_pairs(option, pairs, "c-avenue=data/avenue").items():
            folders.setdefault(name, {})[option] = folder
    return folders


def _parse_pairs(option: str, pairs: list[str] | None, example: str) -> dict[str, str]:
    """Return folder by name from NAME=DIR options."""
    folders = {}
    for pair in pairs or ():
        name, _, folder = pair.partition("=")
        if not name or not folder:
            raise UsageError(f"--{option} takes NAME=DIR, for example --{option} {example}; got '{pair}'.")
        folders[name] = folder
    return folders


def _bench(call: Call, path: Path, recipe: Recipe, folder: Path, folders: DatasetFolders, only_list: bool) -> int:
    from anyanomaly.api.file_lock import locked_folder
    from anyanomaly.bench.bench import Bench
    from anyanomaly.bench.cells import make_cells
    from anyanomaly.bench.ledger import Ledger
    from anyanomaly.bench.report import read_facts, write_report
    from anyanomaly.metrics.frame_metrics import sklearn_metrics

    facts = read_facts(recipe, path)
    cells = make_cells(recipe, folders, call.registry)
    bench = Bench(recipe, cells, Ledger(folder), folders, call.plugins)
    if only_list:
        for cell in cells:
            print_fields(["done" if bench.ledger.get(cell) else "-", cell.label])
        return 0
    if not call.quiet:
        _announce_settings(recipe, call)
    sklearn_metrics()  # fail now, not after hours of inference
    if recipe.speed and not call.quiet:
        _warn_without("matplotlib", "no plot")
    if not call.quiet:
        _warn_without("bokeh", "no pages with the worst mistakes")
    suppressed: tuple[type[AnyAnomalyError], ...] = (MissingRequirement,)  # without matplotlib: the user was warned
    with locked_folder(folder):
        try:
            _run(bench, call)
        except OutputError:
            suppressed += (OutputError,)  # the tables cannot be written either
            raise
        finally:  # after an interruption too: a table of the finished cells
            page = ""
            if bench.results or bench.failures:
                with contextlib.suppress(*suppressed):
                    page = write_report(bench, recipe, facts)
    print_text((page or (folder / "table.md").read_text(encoding="utf-8")).removesuffix("\n"))
    for number, failure in sorted(bench.failures.items()):
        print_message(f"anyanomaly: {cells[number].label} failed: {failure.reason}")
    if not call.quiet:
        print_message(f"Results: {folder}/")
    return min((failure.code for failure in bench.failures.values()), default=0)


def _run(bench: Bench, call: Call) -> None:
    """Run the cells, with a line per cell on standard error, and a progress bar below them on a terminal."""
    with show_bar(call, "cells") as update:
        for step in bench.run():
            n_finished = len(bench.results) + len(bench.failures)
            fraction = step.fraction if step.state == "running" else 0
            update(step.cell.label, n_finished + fraction, len(bench.cells))
            if step.state != "running" and not call.quiet:
                print_message(_describe_step(bench, step, n_finished))


def _describe_step(bench: Bench, step: Step, n_finished: int) -> str:
    """Return the line about a cell that is finished or has failed."""
    head = f"{n_finished}/{len(bench.cells)} {step.cell.label}:"
    if step.state == "failed":
        return f"{head} failed: {bench.failures[step.cell.number].reason}"
    result = bench.results[step.cell.number]
    means = {name: protocol.mean for name, protocol in result.evaluation.protocols.items()}
    aucs = [f"{name} {100 * mean.auc:.1f}" for name, mean in means.items() if mean and mean.auc is not None]
    speed = f"; {result.speed.throughput.paper_fps:.3g} frames/s" if result.speed else ""
    return f"{head} {'stored, ' if step.state == 'stored' else ''}AUC {', '.join(aucs) or 'none'}{speed}"


def _announce_settings(recipe: Recipe, call: Call) -> None:
    """Print which settings of the recipe would have to be accepted in a file of the current folder."""
    from anyanomaly.config.files import describe_settings
    from anyanomaly.config.trust import guarded_settings

    axes = (recipe.backend, recipe.dataset, recipe.ablation)
    configs = [recipe.config, *(entry.config for axis in axes for entry in axis if not entry.cited)]
    names = {name: None for config in configs for name in guarded_settings(config, call.registry)}
    if names:
        settings = describe_settings(names)
        print_message(
            f"anyanomaly: the recipe sets {settings}: such settings can run code, send data, or access files."
        )


def _warn_without(library: str, consequence: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        print_message(
            f"anyanomaly: there will be {consequence} without {library}. Run: {install_command('anyanomaly[bench]')}"
        )
