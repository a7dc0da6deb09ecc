"""``anyanomaly eval``: measure one configuration on one labelled dataset."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from anyanomaly.cli.budget_curve import draw_curve, is_curve_setting
from anyanomaly.cli.call import Call, FlagValues, option_values
from anyanomaly.cli.dataset_flags import dataset_flags, select_dataset
from anyanomaly.cli.figures import print_comparison, print_figures
from anyanomaly.cli.flags import Flag, with_flags
from anyanomaly.cli.notices import print_start_notices
from anyanomaly.cli.output import print_json, print_message, show_live
from anyanomaly.cli.progress import open_run_display
from anyanomaly.cli.run_flags import config_tables, read_settings, run_flags, weight_flags
from anyanomaly.config.files import find_file, read_file
from anyanomaly.errors import DatasetError, InputError, MissingRequirement, UsageError
from anyanomaly.outside_text import json_text

if TYPE_CHECKING:
    from anyanomaly.api.dataset import Survey
    from anyanomaly.evaluation.dataset_run import DatasetRun
    from anyanomaly.evaluation.result import AnswerCounts, DatasetSelection, EvaluationResult

HELP = """Measure one configuration on one labelled dataset.

Runs the dataset's videos as `run` would, and prints the AUC of every class under each protocol, with the 95 % bootstrap
interval over videos and the null AUC, which circularly shifted labels reach. -t names classes of the dataset (none:
all). -o takes FILE.json for all figures, and FILE.jsonl or FILE.csv for the scores. After an interruption, run it
again: stored answers are reused. --scores FILE.jsonl measures the scores of an earlier run, without a model; threshold,
smoothing, weights and --context then replace those of the run. With --budget-curve it shows what the run would lose if
a --gate chose what is asked, for budgets from 2 to 100 % of the segments, without a language model; -o then takes
FILE.html, FILE.svg, FILE.png, FILE.pdf and FILE.json."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    def evaluate(
        flag_values: FlagValues,
        dataset: Annotated[
            str | None, typer.Argument(metavar="DATASET", help="a dataset: `anyanomaly plugins dataset` lists them")
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
            bool, typer.Option("--check", help="check the files and labels of the dataset; run nothing")
        ] = False,
        budget_curve: Annotated[
            bool, typer.Option("--budget-curve", help="with --scores: what the run loses when a --gate saves questions")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="print all figures as JSON")] = False,
    ) -> int:
        if not dataset:
            names = ", ".join(spec.name for spec in call.registry.specs("dataset"))
            raise UsageError(
                f"No dataset is named. Name one, for example: anyanomaly eval demo. Installed: {names or 'none'}."
            )
        if check:
            if ("texts",) in flag_values or scores or against or protocol or budget_curve:
                raise UsageError(
                    "--check covers the whole dataset; omit -t, --scores, --against, --protocol and --budget-curve."
                )
            return _check(call, flag_values, dataset)
        if budget_curve and (against or protocol or not scores):
            raise UsageError(
                "--budget-curve replays the scores of a run in which everything was asked, under the protocol fixed: "
                "name them with --scores FILE.jsonl, and omit --against and --protocol."
            )
        if scores:
            _check_flags(flag_values, flags, is_curve=budget_curve)
        with contextlib.ExitStack() as stack:
            if budget_curve:
                return draw_curve(call, flag_values, dataset, scores or [], as_json, stack)
            files = (scores or [], against or [])
            return _evaluate(call, flag_values, dataset, *files, protocol or [], as_json, stack)

    uses_file = bool(call.config_file) or not option_values(call.arguments, "--scores")
    flags = [*run_flags(call, with_file=uses_file), *dataset_flags(call, call.arguments)]
    flags += _weight_flags(call, flags)
    app.command("eval", help=HELP)(with_flags(evaluate, flags))


def _check(call: Call, flag_values: FlagValues, name: str) -> int:
    from anyanomaly.api.safe_file import SafeFile, check_distinct
    from anyanomaly.assemble.capabilities import resolve_and_check
    from anyanomaly.cli.check_report import report_check
    from anyanomaly.evaluation.dataset_check import check_by_name

    run_settings = {path: value for path, value in flag_values.items() if path[0] not in ("dataset", "output")}
    config = read_settings(call, run_settings).config
    with contextlib.suppress(MissingRequirement):  # the check needs no engine
        resolve_and_check(config, call.registry)
    outputs = flag_values.get(("output",), [])
    check_distinct(outputs)
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(SafeFile(path)) for path in outputs]
        return report_check(check_by_name(select_dataset(flag_values, name), config, call.registry), files)


def _check_flags(flag_values: FlagValues, flags: Sequence[Flag], *, is_curve: bool) -> None:
    """:raises UsageError: for a flag that does not apply to existing scores."""
    from anyanomaly.evaluation.score_settings import applies_to_scores

    names = {flag.path: flag.names[-1].split("/") for flag in flags}
    for path, value in flag_values.items():
        if is_curve and is_curve_setting(path):
            continue
        if path[0] not in ("dataset", "texts", "output") and not applies_to_scores(path):
            name = names[path][-1 if value is False else 0]
            raise UsageError(f"{name} does not apply to existing scores; omit it, or evaluate without --scores.")
    for output in flag_values.get(("output",), []):
        if not is_curve and not output.endswith(".json"):
            raise UsageError(f"-o {output}: --scores computes no new scores; use -o FILE.json for the figures.")


def _weight_flags(call: Call, flags: Sequence[Flag]) -> list[Flag]:
    """Return the flags of the weights of contexts that the scores have and the configuration does not."""
    files = option_values(call.arguments, "--scores")
    if not files:
        return []
    from anyanomaly.evaluation.scores import read_config

    present = {flag.path for flag in flags}
    return [flag for flag in weight_flags(read_config(files[0])) if flag.path not in present]


def _evaluate(
    call: Call,
    flag_values: FlagValues,
    name: str,
    scores: Sequence[str],
    against: Sequence[str],
    protocol_names: Sequence[str],
    as_json: bool,
    stack: contextlib.ExitStack,
) -> int:
    """:param stack: closes the result files; they are locked from the start."""
    from anyanomaly.api.safe_file import SafeFile, check_distinct
    from anyanomaly.evaluation.dataset_run import load_survey
    from anyanomaly.evaluation.evaluate import check_protocols
    from anyanomaly.evaluation.measurement import measure
    from anyanomaly.evaluation.score_settings import override_settings
    from anyanomaly.evaluation.scores import read_scores
    from anyanomaly.metrics.frame_metrics import sklearn_metrics

    protocols = check_protocols(protocol_names)
    sklearn_metrics()  # fail now, not after hours of inference
    outputs = flag_values.get(("output",), [])
    check_distinct(outputs, [*scores, *against])
    result_files = [stack.enter_context(SafeFile(path)) for path in outputs if path.endswith(".json")]
    selection = select_dataset(flag_values, name)
    survey = load_survey(selection, call.registry)
    check_distinct(outputs, [path for video in survey.videos for path in (video.uri, video.label_file)])
    baseline = read_scores(against) if against else None
    start = time.perf_counter()
    dataset_run = None
    settings = {path: value for path, value in flag_values.items() if path[0] not in ("dataset", "texts", "output")}
    if scores:
        # only a file from --config: the header of the scores has more precise settings than a file found by default
        config_file = find_file(call.config_file) if call.config_file else None
        layer = read_file(config_file, call.registry) if config_file else None
        scored_run = override_settings(read_scores(scores), config_tables(settings), layer)
    else:
        if score_files := [path for path in outputs if not path.endswith(".json")]:
            settings[("output",)] = score_files
        dataset_run = _run(call, settings, selection, survey)
        scored_run = dataset_run.scored_run
    try:
        result = measure(scored_run, survey, selection, call.registry, protocols=protocols, baseline=baseline)
    except DatasetError:
        if dataset_run:
            dataset_run.check_readable()  # its error is more precise
        raise
    if dataset_run:
        result = replace(result, seconds=round(time.perf_counter() - start, 1))
    try:
        for file in result_files:  # before printing: standard output may be closed
            file.write(json_text(result.to_json(), indent=1) + "\n")
            file.close()
    finally:
        if as_json:
            print_json(result.to_json())
        else:
            print_figures(result)
    if result.comparison and not as_json:
        print_comparison(result.comparison)
    return _print_end(call, result, dataset_run)


def _run(call: Call, settings: FlagValues, selection: DatasetSelection, survey: Survey) -> DatasetRun:
    """Run the configuration over the videos, and show it on standard error while that is a terminal."""
    from anyanomaly.engine.clock import StageClock
    from anyanomaly.evaluation.dataset_run import DatasetRun

    config = read_settings(call, settings).config
    clock = StageClock()
    dataset_run = DatasetRun(config, call.registry, survey.videos, selection.classes, clock)
    print_start_notices(dataset_run.pipeline.resolved, call)
    display = open_run_display(config, call, clock)
    with contextlib.closing(dataset_run.run()) as outcomes, contextlib.ExitStack() as stack:
        try:
            for number, outcome in enumerate(outcomes):
                if display is None:
                    continue
                if number == 0:  # the models are loaded, which may print
                    videos = [video for _, video in dataset_run.pipeline.sources]
                    display.begin(videos, dataset_run.n_frames, lambda: dataset_run.pipeline.report)
                    stack.enter_context(show_live(display.area))
                display.add(outcome)
        except KeyboardInterrupt:
            stack.close()
            print_message(f"{_count_answers(dataset_run.scored_run.answers)}. Run the same command again to continue.")
            raise
    return dataset_run


def _count_answers(answers: AnswerCounts | None) -> str:
    n_asked, n_reused = (answers.n_asked, answers.n_reused) if answers else (0, 0)
    return f"{n_asked} questions asked, {n_reused} answers reused"


def _print_end(call: Call, result: EvaluationResult, dataset_run: DatasetRun | None) -> int:
    """Print notes and problems, and return the exit code.

    :raises BackendError: when too many answers are unreadable.
    """
    from anyanomaly.engine.clock import describe_long_waiting

    if not call.quiet:
        for note in result.notes:
            print_message(f"anyanomaly: {note}")
        if result.answers:
            mean = result.answers.mean_mass
            mass = "" if mean is None else f"; mean probability of the allowed answers {mean:.1%}"
            print_message(f"{_count_answers(result.answers)}, {result.answers.n_unreadable} unreadable{mass}.")
        if dataset_run and (waiting := describe_long_waiting(dataset_run.backend_times)):
            print_message(waiting)
    for problem in result.problems:
        print_message(f"anyanomaly: {problem}")
    if dataset_run:
        dataset_run.check_readable()
    return InputError.exit_code if result.problems else 0
