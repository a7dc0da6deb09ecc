"""The check of a dataset for the terminal: a row per class, and what is missing or odd."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from anyanomaly.cli.output import print_line, print_table
from anyanomaly.errors import InputError
from anyanomaly.outside_text import json_text

if TYPE_CHECKING:
    from anyanomaly.api.safe_file import SafeFile
    from anyanomaly.evaluation.dataset_check import CheckReport

MAX_PRINTED = 10
"""Findings of one kind that are printed; a missing archive makes hundreds, which the JSON file lists."""


def report_check(report: CheckReport, files: Iterable[SafeFile]) -> int:
    """Print a report, write all of it to ``files`` as JSON, and return the exit code.

    :raises OutputError: when a file cannot be written.
    """
    n_frames = sum(video.n_frames for video in report.videos)
    print_line(f"{len(report.videos)} videos, {n_frames} frames")
    rows = [("class", "texts", "videos", "frames", "positive", "fraction")]
    for entry in report.classes:
        fraction = entry.n_positive / entry.n_frames if entry.n_frames else 0.0
        texts = ", ".join(entry.texts) if len(entry.texts) <= 3 else f"{len(entry.texts)} texts"
        counts = (str(entry.n_videos), str(entry.n_frames), str(entry.n_positive))
        rows.append((entry.name, texts, *counts, f"{fraction:.1%}"))
    print_table(rows)
    for kind in ("error", "note"):
        messages = [finding.message for finding in report.findings if finding.kind == kind]
        for message in messages[:MAX_PRINTED]:
            print_line(f"{kind}: {message}")
        if len(messages) > MAX_PRINTED:
            print_line(f"{kind}: and {len(messages) - MAX_PRINTED} more; -o FILE.json lists all.")
    for file in files:
        file.write(json_text({"ok": report.ok, **asdict(report)}, indent=1) + "\n")
        file.close()
    return 0 if report.ok else InputError.exit_code
