"""Read result files without the code under test."""

from __future__ import annotations

import json
from typing import Any

from tests.campaign.stage import Stage


def read_lines(stage: Stage, name: str) -> list[dict[str, Any]]:
    """Return the objects of a JSON lines file of the working folder; a line that is none is a fault.

    Lines end at line feeds only. An empty list when there is no file.
    """
    path = stage.work / name
    if not path.is_file():
        return []
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        stage.fault("wrong result", f"{name} is no UTF-8: {error}")
        return []
    stage.check(text.endswith("\n"), f"{name} does not end in a line feed")
    lines: list[dict[str, Any]] = []
    for line in text.split("\n")[:-1]:
        try:
            value = json.loads(line)
        except ValueError:
            stage.fault("wrong result", f"{name} has a line that is no JSON: {line[:80]!r}")
            continue
        stage.check(isinstance(value, dict) and "type" in value, f"{name} has a line without a type: {line[:80]!r}")
        lines.append(value)
    if stage.outcomes[-1].code in (0, 1, 4) and not stage.outcomes[-1].is_timed_out:
        end = lines[-1] if lines else {}
        stage.check(end.get("type") == "end" and end.get("status") == "complete", f"{name} ends with {end}")
    return lines


def segments_of(lines: list[dict[str, Any]], video: str | None = None) -> list[dict[str, Any]]:
    """Return the segments of a video, or of all, without the video's name."""
    return [
        {key: value for key, value in line.items() if key != "video"}
        for line in lines
        if line["type"] == "segment" and (video is None or line["video"] == video)
    ]
