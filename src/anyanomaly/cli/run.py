"""``anyanomaly run``: find events in videos."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anyanomaly.cli.announce import announce
from anyanomaly.cli.call import Call
from anyanomaly.cli.flags import with_flags
from anyanomaly.cli.output import tell
from anyanomaly.cli.run_flags import Given, resolved, run_flags
from anyanomaly.config.model import RunConfig
from anyanomaly.errors import InputError, OutputError, UsageError

if TYPE_CHECKING:
    from anyanomaly.assemble import Pipeline
    from anyanomaly.engine.clock import Speed
    from anyanomaly.types import Event

EVENTS_FOUND = 1

LOW_MASS = 0.5
"""Below this mean mass most of what the model would answer is no allowed answer."""

HELP = """Find events in videos.

Prints one event per line, tab-separated: start and stop in seconds, peak score, text, rationale; with several
videos the video comes first. Exit code: 0 done, 1 events found (only with --fail-on-event), 2 wrong use, 3 something
is missing, 4 a video could not be read, 5 the backend failed, 6 a result could not be written, 130 interrupted."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    def run(
        given: Given,
        videos: Annotated[
            list[str] | None, typer.Argument(metavar="VIDEO", help="files, folders of images, addresses")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="print events as JSON lines")] = False,
        fail_on_event: Annotated[
            bool, typer.Option("--fail-on-event", help="end with exit code 1 when there are events")
        ] = False,
    ) -> int:
        config = resolved(call, {**given, ("videos",): videos} if videos else given).config
        if not config.videos:
            raise UsageError("Say which video to search, for example: anyanomaly run street.mp4 -t bicycle")
        return _run(config, call, as_json, fail_on_event)

    app.command("run", help=HELP)(with_flags(run, run_flags(call)))


def _run(config: RunConfig, call: Call, as_json: bool, fail_on_event: bool) -> int:
    from anyanomaly.assemble import build
    from anyanomaly.engine.clock import StageClock
    from anyanomaly.types import Event

    if not call.quiet:
        for problem in call.registry.problems:
            tell(f"anyanomaly: {problem.message}")
    pipeline = build(config, call.registry, StageClock() if call.verbose else None)
    announce(pipeline.resolved, call)
    outputs = [str(choice.options.get("path", "-")) for choice in config.sink]
    try:
        with pipeline, contextlib.closing(_shown(pipeline, call)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, Event):
                    line = _json_line(outcome) if as_json else _text_line(outcome, len(config.videos) > 1)
                    _print(line)
    except OutputError:
        outputs = []  # it says what became of them
        raise
    finally:
        if not call.quiet and pipeline.report.n_segments:
            tell(_summary(pipeline, outputs))
            _warn_of_mass(pipeline.report.mean_mass)
        if pipeline.report.speed:
            tell(_speed(pipeline.report.speed))
    for trouble in pipeline.report.problems:
        tell(f"anyanomaly: {trouble}")
    if pipeline.report.problems:
        return InputError.exit_code
    return EVENTS_FOUND if fail_on_event and pipeline.report.n_events else 0


def _shown(pipeline: Pipeline, call: Call) -> Generator[Any, None, None]:
    """Yield what the run yields, with a bar of the frames done while standard error is a terminal."""
    from tqdm import tqdm

    from anyanomaly.types import SegmentScore

    lengths = [video.n_frames for _, video in pipeline.sources]
    every = [length for length in lengths if length is not None]
    total = sum(every) if len(every) == len(lengths) else None
    hidden = call.quiet or not sys.stderr.isatty()
    with tqdm(total=total, unit="frame", disable=hidden, file=sys.stderr, leave=False) as bar:
        for outcome in pipeline.run():
            if isinstance(outcome, SegmentScore) and outcome.text == pipeline.config.texts[0]:
                bar.update(outcome.stop - outcome.start)
            yield outcome


def _print(line: str) -> None:
    """Print a line of data at once, past the bar if there is one."""
    from tqdm import tqdm

    with tqdm.external_write_mode(file=sys.stdout):
        print(line, flush=True)


def _text_line(event: Event, with_video: bool) -> str:
    fields = [f"{event.start_s:.2f}", f"{event.stop_s:.2f}", f"{event.peak:.3f}", event.text, event.rationale]
    return "\t".join(" ".join(field.split()) for field in ([event.video] if with_video else []) + fields)


def _json_line(event: Event) -> str:
    from dataclasses import asdict

    return json.dumps(asdict(event), ensure_ascii=False)


def _summary(pipeline: Pipeline, outputs: list[str]) -> str:
    """Say in one paragraph what was done."""
    report = pipeline.report
    parts = [
        f"{_counted(report.n_segments, 'segment')} ({_counted(report.n_frames, 'frame')})",
        f"{_counted(report.n_asked, 'question')} asked, {_counted(report.n_reused, 'answer')} reused",
        f"{_counted(report.n_unreadable, 'answer')} without a readable score" if report.n_unreadable else "",
        _counted(report.n_events, "event"),
    ]
    written = f" Results: {', '.join(outputs)}." if outputs else ""
    return f"{'; '.join(part for part in parts if part)}.{written}"


def _speed(speed: Speed) -> str:
    """Say how fast it was, and which stage took how long."""
    stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in speed.stages_s.items())
    tokens = f"{speed.prompt_tokens:,} tokens in, {speed.output_tokens:,} out"
    return (
        f"{speed.wall_s:.1f} s without loading: {speed.frames_per_s_per_text:.3g} frames/s per text, "
        f"{speed.real_time:.3g} times real time ({stages}; {tokens})."
    )


def _warn_of_mass(mean: float | None) -> None:
    """Say it when expected scores rest on little: the model would have answered something else."""
    if mean is not None and mean < LOW_MASS:
        tell(
            f"anyanomaly: the model gave the allowed answers {mean:.1%} of its probability, on average; mostly it "
            f"would have answered something else, so the scores say little. Try another --scoring, --prompt or model."
        )


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
