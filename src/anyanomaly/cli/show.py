"""``anyanomaly show``: write down everything about one segment."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anyanomaly.cli.announce import announce
from anyanomaly.cli.call import Call
from anyanomaly.cli.flags import with_flags
from anyanomaly.cli.run_flags import Given, resolved, run_flags
from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from anyanomaly.assemble import Inspection

HELP = """Write down everything about one segment.

Into the folder go the key frames, the images of each context, the attention map, answers.json, and a page,
index.html, that shows them in order. What was asked and answered is printed too."""


def add(app: typer.Typer, call: Call) -> None:
    """Add the command to the application."""

    def show(
        given: Given,
        video: Annotated[str, typer.Argument(metavar="VIDEO", help="a file, a folder of images, an address")],
        folder: Annotated[Path, typer.Option("-d", "--directory", metavar="DIR", help="folder to write to")],
        at: Annotated[
            str | None, typer.Option(metavar="TIME", help="time in the segment: seconds, mm:ss or hh:mm:ss")
        ] = None,
        segment: Annotated[int | None, typer.Option(min=0, metavar="N", help="number of the segment, from 0")] = None,
    ) -> None:
        if (at is None) == (segment is None):
            raise UsageError("Say which segment: --at TIME or --segment N, one of them.")
        at_s = None if at is None else parse_time(at)
        config = resolved(call, {**given, ("videos",): [video]}).config
        config = config.model_copy(update={"sink": ()})  # the results of a whole video are not replaced by a segment's

        from anyanomaly.assemble import build, inspect
        from anyanomaly.cli.page import write_page

        pipeline = build(config, call.registry)
        announce(pipeline.resolved, call)
        inspection = inspect(pipeline, at_s=at_s, segment=segment)
        page = write_page(inspection, folder)
        _print(inspection)
        print(page)

    app.command("show", help=HELP)(with_flags(show, run_flags(call, with_outputs=False)))


def parse_time(text: str) -> float:
    """Return the seconds that "12.5", "1:02.5" or "1:00:02" say.

    :raises UsageError: for anything else.
    """
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d+)?", text) or any(float(part) >= 60 for part in text.split(":")[1:]):
        raise UsageError(f"'{text}' is no time; use seconds, mm:ss or hh:mm:ss, for example --at 1:02.5")
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def told(value: float) -> str:
    """Return a score as one reads it."""
    return "unreadable" if math.isnan(value) else f"{value:.3f}"


def _print(inspection: Inspection) -> None:
    segment = inspection.segment
    print(f"segment {segment.index}: {segment.times_s[0]:.2f} s to {segment.times_s[-1]:.2f} s of {segment.video.uri}")
    for asked in inspection.texts:
        print(f"\n{asked.view.text.text}: {told(asked.value)}")
        for query, answer, score in zip(asked.queries, asked.answers, asked.scores, strict=True):
            print(f"\n  {query.id.context}: {told(score.value)}")
            for title, text in (("question", query.prompt), ("answer", answer.text)):
                lines = text.splitlines() or ["(no words)"]
                print(f"    {title}: {lines[0]}")
                print("".join(f"      {line}\n" for line in lines[1:]), end="")
            if not answer.text and score.rationale:
                print(f"    reason: {' '.join(score.rationale.split())}")
