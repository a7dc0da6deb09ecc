"""``anyanomaly show``: write images, questions and answers of one segment to a folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.flags import with_flags
from anyanomaly.cli.notices import print_start_notices
from anyanomaly.cli.output import format_score, print_line, print_message, print_text
from anyanomaly.cli.run_flags import read_settings, run_flags
from anyanomaly.config.times import parse_time
from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from anyanomaly.assemble import Inspection

HELP = """Write images, questions and answers of one segment to a folder.

The folder gets the key frames, the images of each context, the attention map, answers.json, and index.html, a page that
shows them in order. Questions and answers are also printed."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application.

    :raises UsageError: for an unknown component on the command line, and for a config file that cannot be used.
    """

    def show(
        flag_values: FlagValues,
        video: Annotated[str, typer.Argument(metavar="VIDEO", help="a file, a folder of images, or a URL")],
        folder: Annotated[Path, typer.Option("-d", "--directory", metavar="DIR", help="folder to write to")],
        at: Annotated[
            str | None, typer.Option(metavar="TIME", help="a time within the segment: seconds, mm:ss or hh:mm:ss")
        ] = None,
        segment: Annotated[int | None, typer.Option(min=0, metavar="N", help="number of the segment, from 0")] = None,
    ) -> None:
        if (at is None) == (segment is None):
            raise UsageError("Name one segment: either --at TIME or --segment N.")
        at_s = None if at is None else _parse_at(at)
        config = read_settings(call, {**flag_values, ("videos",): [video]}).config
        config = config.model_copy(update={"sink": ()})  # do not overwrite results of the whole video

        from anyanomaly.api.file_lock import locked_folder
        from anyanomaly.assemble import build, inspect
        from anyanomaly.cli.page import write_page

        pipeline = build(config, call.registry)
        print_start_notices(pipeline.resolved, call)
        with locked_folder(folder):
            inspection = inspect(pipeline, at_s=at_s, segment=segment)
            page = write_page(inspection, folder)
        _print(inspection)
        print_line(str(page))
        if not call.quiet:
            for notice in inspection.notices:
                print_message(f"anyanomaly: {notice.message}")

    app.command("show", help=HELP)(with_flags(show, run_flags(call, with_outputs=False)))


def _parse_at(text: str) -> float:
    """:raises UsageError: for what is no time."""
    try:
        return parse_time(text)
    except ValueError as error:
        raise UsageError(f"--at: {error}.") from error


def _print(inspection: Inspection) -> None:
    from anyanomaly.core.reason import reason_text

    segment = inspection.segment
    times = f"{segment.times_s[0]:.2f} s to {segment.times_s[-1]:.2f} s"
    print_line(f"segment {segment.index}: {times} of {segment.video.uri}")
    for result in inspection.texts:
        print_text(f"\n{result.text_contexts.text.text}: {format_score(result.value)}")
        for query, answer, score in zip(result.queries, result.answers, result.scores, strict=True):
            print_text(f"\n  {query.id.context}: {format_score(score.value)}")
            for title, text in (("question", query.prompt), ("answer", answer.text)):
                lines = (text or "(no words)").replace("\n", "\n      ")
                print_text(f"    {title}: {lines}")
            if reason := reason_text(score.answer):
                print_line(f"    reason: {reason}")
