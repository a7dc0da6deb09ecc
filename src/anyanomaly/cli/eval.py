"""``anyanomaly eval``: measure one configuration on one labelled data set."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.cli.announce import announce
from anyanomaly.cli.call import Call
from anyanomaly.cli.figures import print_differences, print_figures
from anyanomaly.cli.flags import Flag, field_flags, with_flags
from anyanomaly.cli.output import tell
from anyanomaly.cli.run_flags import Given, resolved, run_flags
from anyanomaly.errors import DatasetError, InputError, UsageError

if TYPE_CHECKING:
    from anyanomaly.api.dataset import Survey
    from anyanomaly.evaluation.dataset_run import DatasetChoice, DatasetRun, Evaluated
    from anyanomaly.evaluation.scores import Scored

HELP = """Measure one configuration on one labelled data set.

Runs the data set's videos as `run` would, and prints the AUC of every class under each protocol, with the 95 % interval
over videos and the floor that shifted labels reach. -t names classes of the data set (none: all). -o takes FILE.json
for all figures, and FILE.jsonl or FILE.csv for the scores. What is run again after an interruption asks no question
twice. --scores FILE.jsonl measures the scores of an earlier run, without a model."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    def evaluate(
        given: Given,
        dataset: Annotated[
            str | None, typer.Argument(metavar="DATASET", help="a data set: `anyanomaly plugins dataset` lists them")
        ] = None,
        scores: Annotated[
            list[str] | None, typer.Option(metavar="FILE.jsonl", help="measure scores of an earlier run (repeatable)")
        ] = None,
        against: Annotated[
            list[str] | None,
            typer.Option(metavar="FILE.jsonl", help="compare with the scores of another run, paired (repeatable)"),
        ] = None,
        protocol: Annotated[
            list[str] | None,
            typer.Option(metavar="NAME", help="fixed, cross-class, cross-video, paper, paper-oracle [default: all]"),
        ] = None,
        check: Annotated[
            bool, typer.Option("--check", help="say what of the data set is there, missing or odd, and run nothing")
        ] = False,
    ) -> int:
        if not dataset:
            names = ", ".join(spec.name for spec in call.registry.specs("dataset"))
            raise UsageError(f"Say which data set, for example: anyanomaly eval demo. Installed: {names or 'none'}.")
        if check:
            if ("texts",) in given or scores or against or protocol:
                raise UsageError(
                    "--check looks the whole data set over; leave out -t, --scores, --against, --protocol."
                )
            return _check(call, given, dataset)
        return _evaluate(call, given, dataset, scores or [], against or [], protocol or [])

    flags = run_flags(call)
    app.command("eval", help=HELP)(with_flags(evaluate, [*flags, *_dataset_flags(call)]))


def _check(call: Call, given: Given, name: str) -> int:
    from anyanomaly.api.safe_file import SafeFile
    from anyanomaly.assemble.checking import check
    from anyanomaly.cli.checked import show_check

    files = [SafeFile(each) for each in given.get(("output",), [])]
    for file in files:
        file.check()
    options = {path[1]: value for path, value in given.items() if path[0] == "dataset"}
    rest = {path: value for path, value in given.items() if path[0] not in ("dataset", "output")}
    return show_check(check(name, options, call.registry, resolved(call, rest).config.reader), files)


def _dataset_flags(call: Call) -> list[Flag]:
    """Return the options of the data set named on the command line; its root goes without the prefix too."""
    known = {spec.name: spec for spec in call.registry.specs("dataset")}
    chosen = next((word for word in call.words if word in known), "")
    if not chosen:
        return []
    flags = field_flags(call.registry.options_model(known[chosen]), ("dataset",), {}, "dataset.")
    return [
        Flag(each.path, ("--root", *each.names), each.help, each.kind, each.metavar, each.type, each.words)
        if each.path[-1] == "root"
        else each
        for each in flags
    ]


def _evaluate(
    call: Call, given: Given, name: str, scores: Sequence[str], against: Sequence[str], protocols: Sequence[str]
) -> int:
    from anyanomaly.api.safe_file import SafeFile
    from anyanomaly.evaluation.dataset_run import DatasetChoice, load_survey, measure
    from anyanomaly.evaluation.scores import read_results
    from anyanomaly.metrics.areas import sklearn_metrics
    from anyanomaly.metrics.protocols import PROTOCOLS

    for each in protocols:
        if each not in PROTOCOLS:
            raise UsageError(f"There is no protocol '{each}'. Use one of {', '.join(PROTOCOLS)}.")
    sklearn_metrics()  # missing, it is better missed now than after hours
    outputs = given.get(("output",), [])
    reports = [SafeFile(each) for each in outputs if each.endswith(".json")]
    options = {path[1]: value for path, value in given.items() if path[0] == "dataset"}
    choice = DatasetChoice(name, options, tuple(given.get(("texts",), ())))
    for file in reports:
        file.check()
    survey = load_survey(choice, call.registry)
    began = time.perf_counter()
    running = None
    if scores:
        header, scored = read_results(scores)
    else:
        rest = {path: value for path, value in given.items() if path[0] not in ("dataset", "texts", "output")}
        kept = [each for each in outputs if not each.endswith(".json")]
        running, header, scored = _run(call, {**rest, ("output",): kept} if kept else rest, choice, survey)
    try:
        evaluated = measure(header, scored, survey, choice, call.registry, protocols or PROTOCOLS)
    except DatasetError:
        if running:
            running.check_readable()  # the better reason
        raise
    if running:
        evaluated.problems[:0] = running.problems
        evaluated.result["answers"] = {
            "asked": running.answers.asked,
            "reused": running.answers.reused,
            "unreadable": running.answers.unreadable,
        }
        evaluated.result["seconds"] = round(time.perf_counter() - began, 1)
    if against:
        evaluated.result["against"] = _compared(evaluated, against, survey, choice, call)
    try:
        for file in reports:  # before anything is printed: standard output may be full, and so may a disk
            file.write(json.dumps(evaluated.result, ensure_ascii=False, allow_nan=False, indent=1) + "\n")
            file.close()
    finally:
        print_figures(evaluated)
    if against:
        print_differences(evaluated.result["against"])
    return _ended(call, evaluated, running)


def _run(call: Call, given: Given, choice: DatasetChoice, survey: Survey) -> tuple[DatasetRun, dict[str, Any], Scored]:
    """Run the configuration over the videos, with a bar while standard error is a terminal."""
    from tqdm import tqdm

    from anyanomaly.evaluation.dataset_run import DatasetRun
    from anyanomaly.types import SegmentScore

    config = resolved(call, given).config
    running = DatasetRun(config, call.registry, survey.videos, choice.classes)
    announce(running.pipeline.resolved, call)
    hidden = call.quiet or not sys.stderr.isatty()
    with tqdm(unit="frame", disable=hidden, file=sys.stderr, leave=False) as bar:
        for outcome in running.run():
            bar.total = running.n_frames
            if isinstance(outcome, SegmentScore):
                bar.update(outcome.stop - outcome.start)
        return running, running.header, running.scored


def _compared(
    evaluated: Evaluated, paths: Sequence[str], survey: Survey, choice: DatasetChoice, call: Call
) -> dict[str, Any]:
    """Compare with the scores of another run, class by class, under the protocol ``fixed``."""
    from anyanomaly.evaluation.dataset_run import measure
    from anyanomaly.evaluation.scores import read_results
    from anyanomaly.metrics.report import differences

    header, scored = read_results(paths)
    other = measure(header, scored, survey, choice, call.registry, ["fixed"])
    return differences(evaluated.report, other.report)


def _ended(call: Call, evaluated: Evaluated, running: DatasetRun | None) -> int:
    """Tell what else there is to know, and return the exit code."""
    if not call.quiet:
        for note in evaluated.notes:
            tell(f"anyanomaly: {note}")
        if running:
            answers = running.answers
            tell(f"{answers.asked} questions asked, {answers.reused} answers reused, {answers.unreadable} unreadable.")
    for problem in evaluated.problems:
        tell(f"anyanomaly: {problem}")
    if running:
        running.check_readable()
    return InputError.exit_code if evaluated.problems else 0
