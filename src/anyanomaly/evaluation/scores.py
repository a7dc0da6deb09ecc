"""Segment scores of all videos of a dataset, from a run or from its result files."""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyanomaly.config.model import RunConfig
from anyanomaly.errors import InputError, UsageError
from anyanomaly.evaluation.result import AnswerCounts
from anyanomaly.results import read_score_records
from anyanomaly.results.records import EndRecord, RunRecord, SegmentRecord
from anyanomaly.types import SegmentScore

MAX_FRAMES = 10_000_000
"""Of a labelled video, more than four days: a damaged file must not fill the memory."""


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """The scores of one segment for one event text."""

    start: int  # first frame, from 0
    stop: int  # frame after the last
    start_s: float  # seconds
    stop_s: float
    scores: Mapping[str, float]  # per context, in [0, 1]; NaN: unreadable, or not asked
    unasked: frozenset[str] = frozenset()  # the contexts that the backend was not asked about
    value: float = math.nan  # the fused score as the run stored it; NaN: there is none
    priorities: Mapping[str, float] = field(default_factory=dict)  # gate name to priority, in [0, 1]; empty: no gate
    segment: int = 0  # its number in the video, from 0

    @property
    def asked(self) -> bool:
        """Whether the backend was asked about the segment; otherwise its gates gave it the value."""
        return not self.scores or any(context not in self.unasked for context in self.scores)

    @property
    def n_questions(self) -> int:
        """The contexts that the backend was asked about."""
        return len(self.scores) - len(self.unasked)


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
        unasked = frozenset(context for context, context_score in score.scores.items() if not context_score.asked)
        start_s, priorities = float(score.times_s[0]), score.priorities
        row = SegmentRow(
            score.start, score.stop, start_s, stop_s, scores, unasked, score.value, priorities, score.segment
        )
        self.add(score.video.id, score.text, row)

    def remove(self, video: str) -> None:
        """Remove all segments of a video."""
        self._rows = {key: rows for key, rows in self._rows.items() if key[0] != video}

    def keep(self, pairs: Container[tuple[str, str]]) -> ScoreTable:
        """Return a table of these pairs of video and event text alone."""
        table = ScoreTable()
        table._rows = {pair: rows for pair, rows in self._rows.items() if pair in pairs}
        return table

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
    """Read result files of runs: .jsonl, .jsonl.gz or .parquet. The header is that of the first file.

    A note names a file whose settings are not those of the first.

    :raises InputError: when a file cannot be read or is not the result file of a run.
    """
    header: dict[str, Any] = {}
    notes: list[str] = []
    first_path = ""
    table = ScoreTable()
    for path in paths:
        end: EndRecord | None = None
        version: int | None = None
        for number, record in enumerate(read_score_records(Path(path)), start=1):
            if isinstance(record, RunRecord):
                version = record.format
                if not header:
                    header, first_path = record.header, path
                    _check_settings(record.config, path)
                elif _settings(record.config) != _settings(header["config"]):
                    notes.append(f"{path} has other settings than {first_path}, whose settings are used.")
            elif isinstance(record, SegmentRecord):
                if record.stop > MAX_FRAMES:
                    raise InputError(
                        f"Line {number} of {path} has frame {record.stop}; a labelled video has at most {MAX_FRAMES}. "
                        f"Make the scores again."
                    )
                table.add(record.video, record.text, _to_row(record))
            elif isinstance(record, EndRecord):
                end = record
        if version is not None and (end is None or end.status != "complete"):
            state = "has no end, because its run was killed or is still writing" if end is None else f"is {end.status}"
            notes.append(f"{path} {state}; its scores so far are measured.")
    return ScoredRun(header, table, tuple(notes))


def read_config(path: str) -> Mapping[str, Any]:
    """Return the settings in the header of a result file, as tables of a config file; empty when it is unreadable."""
    try:
        config = next(record.config for record in read_score_records(Path(path)) if isinstance(record, RunRecord))
        _check_settings(config, path)
    except InputError:
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


def _to_row(record: SegmentRecord) -> SegmentRow:
    scores = {name: math.nan if score.value is None else score.value for name, score in record.scores.items()}
    unasked = frozenset(name for name in record.scores if not record.is_asked(name))
    value = math.nan if record.value is None else record.value
    return SegmentRow(
        start=record.start,
        stop=record.stop,
        start_s=record.start_s,
        stop_s=record.stop_s,
        scores=scores,
        unasked=unasked,
        value=value,
        priorities=record.priorities,
        segment=record.segment,
    )
