"""How the check of a data set is shown: a row per class, and all that is missing or odd."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

from anyanomaly.cli.output import print_table
from anyanomaly.errors import InputError

if TYPE_CHECKING:
    from anyanomaly.api.safe_file import SafeFile
    from anyanomaly.evaluation.dataset_check import CheckReport

SHOWN = 10
"""Findings of one kind that are printed; a missing archive has hundreds, which a file lists."""


def show_check(report: CheckReport, files: Iterable[SafeFile]) -> int:
    """Print a report, write all of it to ``files`` as JSON, and return the exit code.

    :raises OutputError: when a file cannot be written.
    """
    frames = sum(video.n_frames for video in report.videos)
    print(f"{len(report.videos)} videos, {frames} frames")
    rows = [("class", "texts", "videos", "frames", "positive", "share")]
    for each in report.classes:
        share = each.n_positive / each.n_frames if each.n_frames else 0.0
        texts = ", ".join(each.texts) if len(each.texts) <= 3 else f"{len(each.texts)} texts"
        rows.append((each.name, texts, str(each.n_videos), str(each.n_frames), str(each.n_positive), f"{share:.1%}"))
    print_table(rows)
    for kind in ("error", "note"):
        messages = [finding.message for finding in report.findings if finding.kind == kind]
        for message in messages[:SHOWN]:
            print(f"{kind}: {message}")
        if len(messages) > SHOWN:
            print(f"{kind}: and {len(messages) - SHOWN} more; -o FILE.json lists all.")
    for file in files:
        file.write(json.dumps({"ok": report.ok, **asdict(report)}, ensure_ascii=False, indent=1) + "\n")
        file.close()
    return 0 if report.ok else InputError.exit_code
