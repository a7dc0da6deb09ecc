"""``anyanomaly report``: make outputs of stored results, without a model."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.cli.call import Call, FlagValues, option_values
from anyanomaly.cli.dataset_flags import dataset_flags, select_dataset
from anyanomaly.cli.flags import Flag, field_flags, with_flags
from anyanomaly.cli.output import print_json, print_message
from anyanomaly.cli.progress import show_bar
from anyanomaly.cli.run_flags import config_tables, output_flags, weight_flags
from anyanomaly.config.model import RunConfig, RunOptions
from anyanomaly.core.asked_text import UNASKED
from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from anyanomaly.assemble.stored_runs import StoredRun
    from anyanomaly.types import LabelledVideo

HELP = """Make reports and other outputs of stored results, without a model.

RESULTS are files that `run -o FILE.jsonl` wrote, also .jsonl.gz, .parquet, and .partial of a run that did not complete;
several are shown as one run. -o takes every format that `run -o` takes [default: RESULTS with the suffix .html]. With
--threshold and the other settings, events are found again from the stored scores."""

SETTINGS = ("threshold", "smooth_seconds", "smooth_frames", "merge_seconds", "min_event_seconds")
_RESULT_SUFFIX = re.compile(r"(\.jsonl|\.parquet)?(\.gz)?(\.\d+)?(\.partial)?$", re.IGNORECASE)


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    def report(
        flag_values: FlagValues,
        results: Annotated[list[str], typer.Argument(metavar="RESULTS", help="result files of `anyanomaly run`")],
        truth: Annotated[
            str | None, typer.Option(metavar="DATASET", help="show the ground truth of this dataset, and the mistakes")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print a summary as JSON")] = False,
    ) -> None:
        tables = config_tables({path: value for path, value in flag_values.items() if path[0] != "dataset"})
        outputs = tables.pop("sink", [{"path": _default_output(results)}])
        labels = _load_labels(call, flag_values, truth) if truth else None
        _report(call, results, outputs, tables, labels, as_json)

    run_flags = field_flags(RunOptions, ("run",), {}, exclude=set(RunOptions.model_fields) - set(SETTINGS))
    flags = [*output_flags(call), *map(_without_default, run_flags), *_weight_flags(call)]
    flags += dataset_flags(call, option_values(call.arguments, "--truth"))
    app.command("report", help=HELP)(with_flags(report, flags))


def _load_labels(call: Call, flag_values: FlagValues, name: str) -> Sequence[LabelledVideo]:
    from anyanomaly.evaluation.dataset_run import load_survey

    return load_survey(select_dataset(flag_values, name), call.registry).videos


def _report(
    call: Call,
    paths: Sequence[str],
    outputs: Sequence[Mapping[str, Any]],
    tables: Mapping[str, Any],
    labels: Sequence[LabelledVideo] | None,
    as_json: bool,
) -> None:
    """:param labels: the ground truth to show; None: that of the results."""
    from anyanomaly.assemble.replay import open_sinks, replay
    from anyanomaly.evaluation.scores import ScoreTable
    from anyanomaly.evaluation.truth import ground_truth
    from anyanomaly.types import Event, SegmentScore

    runs, notes = _read_runs(paths, tables)
    videos = [stored.video for run in runs for stored in run.videos.values()]
    config = RunConfig.model_validate({"videos": [*paths, *(video.uri for video in videos)], "sink": outputs})
    if labels is not None and not {video.id for video in videos} & {video.id for video in labels}:
        examples = f"'{videos[0].id}'" if videos else "none"
        raise UsageError(f"The dataset of --truth has no video of the results ({examples}). Name the right dataset.")
    table = ScoreTable()
    truth = None if labels is None else partial(ground_truth, table, labels)
    n_scores = sum(stored.n_scores for run in runs for stored in run.videos.values())
    n_events = n_unasked = 0
    with contextlib.ExitStack() as stack:
        sinks = open_sinks(config, call.registry, stack)
        for note in () if call.quiet else notes:
            print_message(f"anyanomaly: {note}")
        for outcome in _with_progress(replay(runs, sinks, truth), n_scores, call):
            n_events += isinstance(outcome, Event)
            if isinstance(outcome, SegmentScore):
                n_unasked += not outcome.asked
                if truth:
                    table.add_score(outcome)
    files = [path for sink in sinks for path in sink.written_paths]
    if as_json:
        counts = {"videos": len(videos), "scores": n_scores, "unasked": n_unasked, "events": n_events}
        print_json({"files": files, **counts, "notes": notes})
    elif not call.quiet:
        scores = _count(n_scores, "score") + (f" ({n_unasked} of them {UNASKED})" if n_unasked else "")
        summary = ", ".join([_count(len(videos), "video"), scores, _count(n_events, "event")])
        print_message(f"{summary}. Results: {', '.join(files)}.")


def _count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 score", "2 scores"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _read_runs(paths: Sequence[str], tables: Mapping[str, Any]) -> tuple[list[StoredRun], list[str]]:
    """Return the stored runs, with the settings of the command line, and notes on them, a sentence each.

    :raises InputError: when a file cannot be read. :raises UsageError: for a setting that does not fit.
    """
    import anyanomaly
    from anyanomaly.assemble.stored_runs import read_stored_run, stored_config
    from anyanomaly.evaluation.score_settings import change_settings

    runs: list[StoredRun] = []
    notes: list[str] = []
    for path in paths:
        results = anyanomaly.read_results(path)
        config = stored_config(results)
        if tables:
            _, changed, changes = change_settings(results.header["config"], tables)
            config = changed.model_copy(update={"videos": config.videos})
            notes += changes
        run = read_stored_run(results, config)
        runs.append(run)
        if results.status not in ("complete", "unknown"):
            notes.append(f"The run of {path} is {results.status}; its results so far are used.")
    missing = [video.video.uri for run in runs for video in run.videos.values() if not _is_here(video.video.uri)]
    if missing:
        and_more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        notes.append(f"The video {missing[0] or 'of the results'}{and_more} is not here; outputs that show it lack it.")
    return runs, list(dict.fromkeys(notes))


def _is_here(uri: str) -> bool:
    return "://" in uri or os.path.exists(uri)


def _with_progress(outcomes: Iterator[Any], n_scores: int, call: Call) -> Iterator[Any]:
    """Yield outcomes, with a progress bar in scores while standard error is a terminal."""
    from anyanomaly.types import SegmentScore

    n_done = 0
    with show_bar(call, "scores") as update:
        for outcome in outcomes:
            if isinstance(outcome, SegmentScore):
                n_done += 1
                update(outcome.video.id, n_done, n_scores)
            yield outcome


def _default_output(paths: Sequence[str]) -> str:
    """Return the name of the report: that of the results with .html; of several results `report.html` beside them."""
    first = Path(paths[0])
    name = f"{_RESULT_SUFFIX.sub('', first.name)}.html" if len(paths) == 1 else "report.html"
    return str(first.with_name(name))


def _weight_flags(call: Call) -> list[Flag]:
    """Return the flags of the weights of the contexts that the first results on the command line have."""
    from anyanomaly.evaluation.scores import read_config

    configs = (read_config(argument) for argument in call.arguments if os.path.isfile(argument))
    return weight_flags(next(filter(None, configs), {}))


def _without_default(flag: Flag) -> Flag:
    """Return a flag whose default is that of the results."""
    return replace(flag, help=f"{flag.help.partition(' [default')[0]} [default: as in RESULTS]")
