"""Segment scores of all videos of a dataset, from a run or from its result files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any

from anyanomaly.config.model import RunConfig
from anyanomaly.errors import InputError, UsageError
from anyanomaly.evaluation.result import AnswerCounts
from anyanomaly.outside_files import open_regular
from anyanomaly.types import SegmentScore


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """The scores of one segment for one event text."""

    start: int  # first frame, from 0
    stop: int  # frame after the last
    start_s: float  # seconds
    stop_s: float
    scores: Mapping[str, float]  # per context, in [0, 1]; NaN: unreadable


class ScoreTable:
    """Segment scores by video and event text. A segment that is added again replaces the earlier one."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], dict[int, SegmentRow]] = {}

    def add(self, video: str, text: str, row: SegmentRow) -> None:
        """Add or replace the segment that begins at ``row.start``."""
        self._rows.setdefault((video, text), {})[row.start] = row

    def add_score(self, score: SegmentScore) -> None:
        """Add a segment score of a run."""
        scores = {context: context_score.value for context, context_score in score.scores.items()}
        stop_s = float(score.times_s[-1]) + 1 / score.video.fps
        row = SegmentRow(score.start, score.stop, float(score.times_s[0]), stop_s, scores)
        self.add(score.video.id, score.text, row)

    def remove(self, video: str) -> None:
        """Remove all segments of a video."""
        self._rows = {key: rows for key, rows in self._rows.items() if key[0] != video}

    def rows(self, video: str, text: str) -> list[SegmentRow]:
        """Return the segments of one video and text in order of time; empty: there are none."""
        return [row for _, row in sorted(self._rows.get((video, text), {}).items())]

    def pairs(self) -> list[tuple[str, str]]:
        """Return each video and event text that has segments."""
        return list(self._rows)

    @property
    def videos(self) -> set[str]:
        """Ids of the videos that have segments."""
        return {video for video, _ in self._rows}


@dataclass(frozen=True, slots=True, eq=False)
class ScoredRun:
    """Segment scores with the description of the run that made them."""

    header: Mapping[str, Any]  # as in the first line of a .jsonl file: config, versions, encoder, backend
    table: ScoreTable
    notes: tuple[str, ...] = ()  # limits of the figures, a sentence each
    problems: tuple[str, ...] = ()  # videos without scores, a sentence each
    answers: AnswerCounts | None = None  # None: read from files


def read_scores(paths: Iterable[str]) -> ScoredRun:
    """Read result files that ``anyanomaly run -o FILE.jsonl`` wrote. The header is that of the first file.

    A note names a file whose settings are not those of the first.

    :raises InputError: when a file cannot be read or is not the result file of a run.
    """
    header: dict[str, Any] = {}
    notes: list[str] = []
    first_path = ""
    table = ScoreTable()
    for path in paths:
        for number, line in _read_lines(path):
            try:
                line_type = line["type"]
                if line_type == "run":
                    if not header:
                        header, first_path = {**line, "config": dict(line["config"])}, path
                        _check_settings(header["config"], path)
                    elif _settings(line["config"]) != _settings(header["config"]):
                        notes.append(f"{path} has other settings than {first_path}, whose settings are used.")
                elif line_type == "segment":
                    table.add(line["video"], line["text"], _parse_segment(line))
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise InputError(
                    f"Line {number} of {path} is not a result of a run ({error!r}); give a file that "
                    f"`run -o FILE.jsonl` wrote."
                ) from error
        if not header:
            raise InputError(f"{path} does not describe its run; give a file that `run -o FILE.jsonl` wrote.")
    return ScoredRun(header, table, tuple(notes))


def read_config(path: str) -> Mapping[str, Any]:
    """Return the settings in the header of a result file, as tables of a config file; empty when it is unreadable."""
    try:
        config = dict(next(_read_lines(path))[1]["config"])
        _check_settings(config, path)
    except (InputError, KeyError, TypeError, ValueError, StopIteration):
        return {}
    return config


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a run apart from its texts, videos and sinks, which differ between parts of a dataset."""
    return {key: value for key, value in config.items() if key not in ("texts", "videos", "sink")}


def _check_settings(config: Mapping[str, Any], path: str) -> None:
    """:raises InputError: when this version cannot read the settings of a run."""
    try:
        RunConfig.model_validate(_settings(config))
    except UsageError as error:
        raise InputError(f"Cannot read the settings of the run in {path}: {error} Make the scores again.") from error


def _read_lines(path: str) -> Iterator[tuple[int, Any]]:
    try:
        with TextIOWrapper(open_regular(path), encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                yield number, json.loads(line)
    except OSError as error:
        raise InputError(f"Cannot read the results {path}: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path} has a line that is not JSON ({error}); give a .jsonl file that `anyanomaly run` wrote."
        ) from error


def _parse_segment(line: Mapping[str, Any]) -> SegmentRow:
    scores = {
        context: math.nan if entry["value"] is None else float(entry["value"])
        for context, entry in line["scores"].items()
    }
    start, stop = int(line["start"]), int(line["stop"])
    if not 0 <= start < stop or any(map(math.isinf, scores.values())):
        raise ValueError(f"frames {start} to {stop}, scores {scores}")
    return SegmentRow(start, stop, float(line["start_s"]), float(line["stop_s"]), scores)
