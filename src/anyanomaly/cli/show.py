"""``anyanomaly show``: write pictures, questions and answers of one segment to a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.flags import Flag, with_flags
from anyanomaly.cli.notices import print_start_notices
from anyanomaly.cli.output import format_score, print_line, print_message, print_text
from anyanomaly.cli.progress import follow_run, open_run_display
from anyanomaly.cli.run_flags import read_settings, run_flags
from anyanomaly.config.times import parse_time
from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from anyanomaly.assemble.choice import SegmentChoice
    from anyanomaly.evidence import Evidence

HELP = """Write pictures, questions and answers of one segment to a folder.

The folder gets the key frames, the images of each context, the attention map, answers.json, and index.html, a page that
shows what the model saw and answered, and how the score was made. Questions and answers are also printed.

--event and --highest search the whole video first; stored answers are reused. With --results a stored run is shown,
without a model: of the segments at the peaks of events all that the model saw, of others the scores and answers."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application.

    :raises UsageError: for an unknown component on the command line, and for a config file that cannot be used.
    """
    flags = run_flags(call, with_outputs=False)

    def show(
        flag_values: FlagValues,
        folder: Annotated[Path, typer.Option("-d", "--directory", metavar="DIR", help="folder to write to")],
        video: Annotated[
            str | None,
            typer.Argument(metavar="VIDEO", help="a file, a folder of images, or a URL; with --results its place now"),
        ] = None,
        at: Annotated[
            str | None, typer.Option(metavar="TIME", help="a time within the segment: seconds, mm:ss or hh:mm:ss")
        ] = None,
        segment: Annotated[int | None, typer.Option(min=0, metavar="N", help="number of the segment, from 0")] = None,
        event: Annotated[
            int | None,
            typer.Option(min=1, metavar="N", help="number of an event in the order of time, from 1: its peak"),
        ] = None,
        highest: Annotated[
            bool, typer.Option("--highest", help="the segment with the highest score; with --results the default")
        ] = False,
        results: Annotated[
            Path | None, typer.Option(metavar="FILE", help="stored results of a run to show, without a model")
        ] = None,
        video_id: Annotated[
            str | None, typer.Option("--video", metavar="ID", help="with --results: id of the video")
        ] = None,
    ) -> None:
        choice = _read_choice(at, segment, event, highest, is_required=results is None)
        if results is not None:
            _refuse_settings(flag_values, flags)
            _show_stored(results, choice, flag_values.get(("texts",), ()), video_id, video, folder, call)
        elif video_id is not None:
            raise UsageError("--video chooses a video of stored results; add --results FILE, or remove it.")
        elif video is None:
            raise UsageError("Name a video, or the stored results of a run: --results FILE.")
        else:
            _show_video(video, choice, flag_values, folder, call)

    app.command("show", help=HELP)(with_flags(show, flags))


def _read_choice(
    at: str | None, segment: int | None, event: int | None, is_highest: bool, *, is_required: bool
) -> SegmentChoice:
    """:raises UsageError: for several choices, for none where one is required, and for what is no time."""
    from anyanomaly.assemble.choice import SegmentChoice

    n_choices = sum(value is not None for value in (at, segment, event)) + is_highest
    if n_choices > 1 or (is_required and not n_choices):
        raise UsageError("Name one segment: --at TIME, --segment N, --event N or --highest.")
    try:
        return SegmentChoice(None if at is None else parse_time(at), segment, event)
    except ValueError as error:
        raise UsageError(f"--at: {error}.") from error


def _refuse_settings(flag_values: FlagValues, flags: Sequence[Flag]) -> None:
    """:raises UsageError: for a setting of a run beside stored results, which it cannot change."""
    for flag in flags:
        if flag.path in flag_values and flag.path != ("texts",):
            raise UsageError(f"{flag.names[0]} is a setting of a run; --results shows a run that was made. Remove one.")


def _show_video(video: str, choice: SegmentChoice, flag_values: FlagValues, folder: Path, call: Call) -> None:
    config = read_settings(call, {**flag_values, ("videos",): [video]}).config
    config = config.model_copy(update={"sink": ()})  # do not overwrite results of the whole video

    from anyanomaly.api.file_lock import locked_folder
    from anyanomaly.assemble import build, inspect
    from anyanomaly.cli.page import write_inspection
    from anyanomaly.engine.clock import StageClock

    clock = StageClock()
    display = open_run_display(config, call, clock) if choice.needs_search else None
    pipeline = build(config, call.registry, clock)
    print_start_notices(pipeline.resolved, call)
    with locked_folder(folder):
        inspection = inspect(pipeline, choice, partial(follow_run, pipeline, display))
        page = write_inspection(inspection, folder)
    _print(inspection.segment.video.uri, [result.evidence for result in inspection.texts])
    print_line(str(page))
    if not call.quiet:
        for notice in inspection.notices:
            print_message(f"anyanomaly: {notice.message}")


def _show_stored(
    path: Path,
    choice: SegmentChoice,
    texts: Sequence[str],
    video_id: str | None,
    source: str | None,
    folder: Path,
    call: Call,
) -> None:
    from anyanomaly.api.file_lock import locked_folder
    from anyanomaly.assemble.stored_runs import read_stored_run
    from anyanomaly.assemble.stored_segment import read_segment
    from anyanomaly.cli.page import write_stored
    from anyanomaly.results import read_results

    with locked_folder(folder):
        run = read_stored_run(read_results(path))
        stored = read_segment(run, choice, call.registry, texts=texts, video=video_id, source=source or "")
        page = write_stored(stored, folder)
    _print(stored.uri, [result.evidence for result in stored.texts])
    print_line(str(page))
    if not call.quiet:
        for result in stored.texts:
            if result.notes:
                print_message(f"anyanomaly: {' '.join((*result.notes, result.command))}")


def _print(uri: str, evidence: Sequence[Evidence]) -> None:
    from anyanomaly.core.asked_text import describe_unasked

    first = evidence[0]
    print_line(f"segment {first.segment}: {first.start_s:.2f} s to {first.stop_s:.2f} s of {uri or first.video}")
    for entry in evidence:
        if not entry.asked:
            print_text(f"\n{entry.text}: {describe_unasked(entry.priorities)}")
            continue
        print_text(f"\n{entry.text}: {format_score(entry.value)}")
        for exchange in entry.exchanges:
            print_text(f"\n  {exchange.context}: {format_score(exchange.score, is_asked=exchange.asked)}")
            if not exchange.asked:
                continue
            if exchange.question:
                print_text(f"    question: {_indent(exchange.question)}")
            print_text(f"    answer: {_indent(exchange.answer or '(no words)')}")
            if exchange.reason:
                print_line(f"    reason: {exchange.reason}")


def _indent(text: str) -> str:
    return text.replace("\n", "\n      ")
