"""``anyanomaly run``: find events in videos."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.flags import with_flags
from anyanomaly.cli.forecast import open_forecast
from anyanomaly.cli.notices import print_start_notices
from anyanomaly.cli.output import print_fields, print_json, print_message
from anyanomaly.cli.progress import follow_run, open_run_display
from anyanomaly.cli.run_flags import read_settings, run_flags
from anyanomaly.config.model import RunConfig
from anyanomaly.core.expected import LOW_MASS
from anyanomaly.errors import EVENTS_FOUND, EXIT_CODES, InputError, UsageError

if TYPE_CHECKING:
    from anyanomaly.assemble import Pipeline
    from anyanomaly.types import Event, Notice

HELP = f"""Find events in videos.

Prints one event per line, tab-separated: start and stop in seconds, peak score, text, rationale; with several
videos the video comes first.

Exit codes: {"; ".join(f"{code} {meaning}" for code, meaning in EXIT_CODES.items())}."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application.

    :raises UsageError: for an unknown component on the command line, and for a config file that cannot be used.
    """

    def run(
        flag_values: FlagValues,
        videos: Annotated[
            list[str] | None, typer.Argument(metavar="VIDEO", help="files, folders of images, or URLs")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print events as JSON lines")] = False,
        fail_on_event: Annotated[
            bool, typer.Option("--fail-on-event", help="exit with code 1 when there are events")
        ] = False,
    ) -> int:
        values = {**flag_values, ("videos",): videos} if videos else flag_values
        config = read_settings(call, values).config
        if not config.videos:
            raise UsageError("There is no video to search. Name one, for example: anyanomaly run street.mp4 -t bicycle")
        return _run(config, call, values, as_json, fail_on_event)

    app.command("run", help=HELP)(with_flags(run, run_flags(call)))


def _run(config: RunConfig, call: Call, flag_values: FlagValues, as_json: bool, fail_on_event: bool) -> int:
    from anyanomaly.api.safe_file import is_standard_output
    from anyanomaly.assemble import build
    from anyanomaly.engine.clock import StageClock, describe_long_waiting
    from anyanomaly.types import Event

    if not call.quiet:
        for problem in call.registry.problems:
            print_message(f"anyanomaly: {problem.message}")
    clock = StageClock()
    pipeline = build(config, call.registry, clock)
    print_start_notices(pipeline.resolved, call)
    outputs = [str(choice.options.get("path", "-")) for choice in config.sink]
    print_events = not any(map(is_standard_output, outputs))  # a program that reads results reads nothing else
    display = open_run_display(config, call, clock)
    is_complete = False
    try:
        with pipeline:
            forecast = None if as_json or call.quiet else open_forecast(pipeline, call, flag_values, clock)
            with contextlib.closing(follow_run(pipeline, display, pipeline.run(observer=forecast))) as outcomes:
                for outcome in outcomes:
                    if isinstance(outcome, Event) and print_events:
                        _print_event(outcome, as_json, len(config.videos) > 1)
        is_complete = True
    finally:
        if not call.quiet and pipeline.report.n_segments:
            for line in display.closing_lines() if display else ():
                print_message(line)
            print_message(_summarise(pipeline, pipeline.written_paths if is_complete else []))
            if not call.verbose and (waiting := describe_long_waiting(pipeline.report.backend_times)):
                print_message(waiting)
            _warn_of_low_mass(pipeline.report.mean_mass)
        if call.verbose and pipeline.report.speed:
            print_message(pipeline.report.speed.describe())
    _print_notices(pipeline.report.notices, as_json and print_events, call.quiet)
    _print_notices(pipeline.report.problems, as_json and print_events, quiet=False)
    if pipeline.report.problems:
        return InputError.exit_code
    return EVENTS_FOUND if fail_on_event and pipeline.report.n_events else 0


def _print_notices(notices: Sequence[Notice], as_json: bool, quiet: bool) -> None:
    """Print what readers noticed or could not read on standard error, and as JSON lines among the events."""
    from dataclasses import asdict

    for notice in notices:
        if not quiet:
            print_message(f"anyanomaly: {notice.message}")
        if as_json:
            print_json({"type": "notice", **asdict(notice)}, indent=None)


def _print_event(event: Event, as_json: bool, with_video: bool) -> None:
    """Print an event on one line."""
    from anyanomaly.builtin.sinks import event_fields

    if as_json:
        print_json({"type": "event", **event_fields(event)}, indent=None)
    else:
        times = (f"{event.start_s:.2f}", f"{event.stop_s:.2f}", f"{event.peak:.3f}")
        print_fields([*([event.video] if with_video else []), *times, event.text, event.rationale])


def _summarise(pipeline: Pipeline, outputs: list[str]) -> str:
    """Return the counts of a run and the files of its results, as one line."""
    report = pipeline.report
    parts = [
        f"{_count(report.n_segments, 'segment')} ({_count(report.n_frames, 'frame')})",
        report.describe_asked(),
        f"{_count(report.n_asked, 'question')} asked, {_count(report.n_reused, 'answer')} reused",
        f"{_count(report.n_unreadable, 'answer')} without a readable score" if report.n_unreadable else "",
        _count(report.n_events, "event"),
    ]
    results = f" Results: {', '.join(outputs)}." if outputs else ""
    return f"{'; '.join(part for part in parts if part)}.{results}"


def _warn_of_low_mass(mean: float | None) -> None:
    """Print a warning when the allowed answers have little probability, so that expected scores mean little.

    :param mean: mean total probability of the allowed answers, in [0, 1]; None: scores were not expectations.
    """
    if mean is not None and mean < LOW_MASS:
        print_message(
            f"anyanomaly: on average the allowed answers have only {mean:.1%} of the model's probability, "
            f"so the scores are unreliable. Try another --scoring, --prompt or model."
        )


def _count(number: int, noun: str) -> str:
    """Return a number with its noun: "1 frame", "2 frames"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
