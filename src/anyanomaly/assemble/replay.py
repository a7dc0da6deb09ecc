"""Write stored results to sinks again, without a model and without the videos.

Smoothing and events are made by the same code as during a run, so each sink gets what it would have got then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, TypeAlias, cast

from anyanomaly.api.sink import RunStatus
from anyanomaly.assemble.resolve import resolve_sinks
from anyanomaly.assemble.stored_runs import StoredRun, distinct_ids, engine_settings
from anyanomaly.config.model import RunConfig
from anyanomaly.engine.outputs import LoadedSink, Outputs
from anyanomaly.engine.track import Tracked, Tracker
from anyanomaly.evidence import Evidence, Truth
from anyanomaly.registry import Registry
from anyanomaly.results.evidence_records import EvidenceRecord
from anyanomaly.results.records import EventRecord, NoticeRecord, Record, SegmentRecord, TruthRecord, VideoRecord
from anyanomaly.types import Event, Notice, SegmentScore, Timeline, Video

Outcome: TypeAlias = Video | SegmentScore | Timeline | Evidence | Event | Truth | Notice

MAX_WAITING = 64 << 20
"""Bytes of evidence that waits for its events; more passes at once."""
_WORST_FIRST: tuple[RunStatus, ...] = ("failed", "interrupted", "unfinished", "complete")


def open_sinks(config: RunConfig, registry: Registry, stack: ExitStack) -> list[LoadedSink]:
    """Return the sinks of a configuration, loaded; ``stack`` closes them.

    :param config: its videos are files that no sink may write.
    :raises UsageError: for a sink or an option that does not exist or is invalid, and an output that is also read.
    :raises MissingRequirement: when something that a sink requires is not installed.
    :raises OutputError: when an output cannot be written.
    """
    sinks = [cast(LoadedSink, registry.create(sink.spec, sink.options)) for sink in resolve_sinks(config, registry)]
    for sink in sinks:
        stack.enter_context(sink)
    return sinks


def replay(
    runs: Sequence[StoredRun], sinks: Sequence[LoadedSink], truth: Callable[[], Iterable[Truth]] | None = None
) -> Iterator[Outcome]:
    """Write stored runs to sinks as one run, and yield what is written.

    Where several runs have videos of the same id, `distinct_ids` gives them others. The status is the worst of all.

    :param runs: at least one. :param sinks: loaded; they are told how the run ended.
    :param truth: called after all results, for ground truth in place of the stored one; None: the stored one.
    :raises InputError: when a file was damaged in the meantime. :raises OutputError: when a sink cannot write.
    """
    outputs = Outputs(sinks)
    try:
        outputs.begin(_header(runs))
        for run in distinct_ids(runs):
            for outcome in _RunReplay(run).outcomes():
                if isinstance(outcome, Truth) and truth:
                    continue
                if isinstance(outcome, Notice):
                    outputs.write_notices([outcome])
                else:
                    outputs.write(outcome)
                yield outcome
        for video_truth in truth() if truth else ():
            outputs.write(video_truth)
    except BaseException as error:
        outputs.end(error, ())
        raise
    statuses = {_status(run) for run in runs}
    status = next(status for status in _WORST_FIRST if status in statuses)
    outputs.end_stored(status, next((run.results.error for run in runs if run.results.error), ""))


class _RunReplay:
    """Makes the outcomes of one stored run, in the order in which the run made them."""

    def __init__(self, run: StoredRun) -> None:
        self._run = run
        self._trackers: dict[str, Tracker] = {}  # of the videos that have begun and not ended, by stored id
        self._n_left = {name: video.n_scores for name, video in run.videos.items()}
        self._current = ""  # stored id of the video of the last segment
        self._completed: list[Tracked] = []  # what that segment completed
        self._evidence: list[Evidence] = []  # what came after that segment
        self._n_bytes = 0  # of it
        self._late_events: dict[str, list[Event]] = {}  # by stored id of the video

    def outcomes(self) -> Iterator[Outcome]:
        """Yield all outcomes. Errors as `StoredRun.records`."""
        for record in self._run.records():
            if isinstance(record, EvidenceRecord):
                yield from self._add_evidence(record)
            elif isinstance(record, EventRecord):  # the tracker makes it again
                continue
            else:
                yield from self._flush()
                yield from self._outcomes_of(record)
        yield from self._flush()

    def _outcomes_of(self, record: Record) -> Iterator[Outcome]:
        match record:
            case VideoRecord():
                yield self._run.videos[record.video].video
            case SegmentRecord():
                yield from self._score(record)
            case TruthRecord():
                yield replace(record.truth, video=self._run.new_id(record.video))
            case NoticeRecord():
                yield replace(record.notice, video=self._run.new_id(record.video))

    def _score(self, record: SegmentRecord) -> Iterator[Outcome]:
        name = record.video
        if name not in self._trackers:
            video = self._run.videos[name]
            if not video.is_described:
                yield video.video
            self._trackers[name] = Tracker(video.video, engine_settings(self._run.config, video.texts))
        self._current = name
        self._n_left[name] -= 1
        score = self._run.score(record)
        self._completed = self._trackers[name].push(score)
        yield score

    def _add_evidence(self, record: EvidenceRecord) -> Iterator[Outcome]:
        """Keep evidence until the event at whose peak it is; too much of it passes at once."""
        evidence = replace(record.evidence, video=self._run.new_id(record.video))
        self._evidence.append(evidence)
        self._n_bytes += _nbytes(evidence)
        if self._n_bytes > MAX_WAITING:
            yield from self._evidence
            self._evidence, self._n_bytes = [], 0

    def _flush(self) -> Iterator[Outcome]:
        """Yield what the last segment completed, each event after its evidence."""
        outcomes, evidence = self._completed, self._evidence
        self._completed, self._evidence, self._n_bytes = [], [], 0
        is_end = self._current in self._trackers and self._n_left[self._current] == 0
        if is_end:
            outcomes += self._trackers.pop(self._current).finish()
        for outcome in outcomes:
            if isinstance(outcome, Event):
                if self._run.is_changed:  # its evidence may come later
                    self._late_events.setdefault(self._current, []).append(outcome)
                    continue
                n_before = next((n for n, piece in enumerate(evidence, start=1) if _shows_peak(piece, outcome)), 0)
                yield from evidence[:n_before]
                evidence = evidence[n_before:]
            yield outcome
        yield from evidence
        if is_end:
            yield from self._late_events.pop(self._current, [])


def _nbytes(evidence: Evidence) -> int:
    """Return the size of the pictures and maps of evidence."""
    pictures = [
        evidence.key_frame,
        *evidence.frames,
        *(p for exchange in evidence.exchanges for p in exchange.pictures),
    ]
    views = [view for exchange in evidence.exchanges for view in exchange.views.values()]
    return sum(len(picture.jpeg) for picture in pictures) + sum(view.nbytes for view in views)


def _shows_peak(evidence: Evidence, event: Event) -> bool:
    is_same = (evidence.video, evidence.text) == (event.video, event.text)
    return is_same and evidence.start_s <= event.peak_s < evidence.stop_s


def _header(runs: Sequence[StoredRun]) -> dict[str, Any]:
    """Return the description of all runs: that of the first, with the event texts, videos and gates of all.

    It has the limits of clear scores if one of the runs has them, so that a sink knows what may be unasked.
    """
    first = runs[0].header
    if len(runs) == 1:
        return dict(first)
    configs = [run.header["config"] for run in runs]
    lists = {
        key: list(dict.fromkeys(entry for config in configs for entry in config.get(key, ())))
        for key in ("texts", "videos", "gates")
    }
    merged = {**configs[0], **{key: entries for key, entries in lists.items() if entries or key in configs[0]}}
    tables = [table for config in configs if isinstance(table := config.get("run"), Mapping)]
    limits = {
        name: value
        for name in ("clear_above", "clear_below")
        if (value := next((table[name] for table in tables if table.get(name) is not None), None)) is not None
    }
    if limits:
        merged["run"] = {**tables[0], **limits}
    return {**first, "config": merged}


def _status(run: StoredRun) -> RunStatus:
    """Return how a run ended; that of an older version, which did not say it, counts as complete."""
    return "complete" if run.results.status == "unknown" else run.results.status
