"""Stored results as runs: which settings, videos and event texts they have, checked before anything is made of them."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from anyanomaly.assemble.run_settings import check_weights, event_rule
from anyanomaly.config.model import RunConfig
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.stored_scores import segment_score
from anyanomaly.errors import InputError, UsageError
from anyanomaly.results import Results, results_suffix
from anyanomaly.results.records import FrameScore, Record, SegmentRecord, VideoRecord
from anyanomaly.types import SegmentScore, Video

MAX_GAP = 10_000_000
"""Frames of a segment, and of a part without segments: a damaged file must not fill the memory."""
_NO_QUESTION = PromptTemplate("stored", "{text}")  # the settings need one, but nothing is asked


@dataclass(frozen=True, slots=True)
class StoredVideo:
    """A video of stored results."""

    video: Video
    texts: tuple[str, ...]  # event texts with scores, in the order of the run
    n_scores: int  # scores of a segment for one event text
    is_described: bool  # False: in results of format 1, which do not describe their videos


@dataclass(frozen=True, slots=True, eq=False)
class StoredRun:
    """Stored results that were read once from beginning to end."""

    results: Results
    config: RunConfig  # for the steps after the answers; from the results, or changed
    header: Mapping[str, Any]
    videos: Mapping[str, StoredVideo]  # by the id in the results
    weights: Mapping[str, float]  # of the contexts, by name
    n_records: int  # that were read: a run that is still writing may have added some since
    is_changed: bool = False  # `config` is not that of the results

    def new_id(self, stored_id: str) -> str:
        """Return the id of a video whose id in the results is ``stored_id``; that of a notice may be a path."""
        video = self.videos.get(stored_id)
        return video.video.id if video else stored_id

    def records(self) -> Iterator[Record]:
        """Yield the records; a segment that is repeated, as older versions could do, only once.

        :raises InputError: when the file is damaged.
        """
        return _without_repeats(itertools.islice(self.results.records, self.n_records))

    def score(self, record: SegmentRecord) -> SegmentScore:
        """Return the scores of a segment as the run had them."""
        stored = self.videos[record.video]
        return segment_score(
            record,
            stored.video,
            self.weights,
            threshold=self.config.run.threshold,
            gate_mode=self.config.run.gate_rule,
            has_exact_times=stored.is_described,
        )


def read_stored_run(results: Results, config: RunConfig | None = None) -> StoredRun:
    """Read results from beginning to end, and return them as a run.

    :param config: other settings for the steps after the answers; None: those of the results.
    :raises InputError: when the file is damaged, or this version cannot read its settings.
    :raises UsageError: when all contexts have weight 0.
    """
    own_config = stored_config(results)
    config = config or own_config
    weights = stored_weights(config)
    check_weights(weights)
    videos: dict[str, Video] = {}
    texts: dict[str, dict[str, SegmentRecord]] = {}  # by video and event text: the last segment
    first: dict[str, SegmentRecord] = {}
    counts: dict[str, int] = {}
    n_records = 0

    def count(records: Iterable[Record | FrameScore]) -> Iterator[Record | FrameScore]:
        nonlocal n_records
        for n_records, record in enumerate(records, start=1):  # noqa: B007
            yield record

    for record in _without_repeats(count(results.records)):
        if isinstance(record, VideoRecord):
            videos[record.video] = record.as_video
        elif isinstance(record, SegmentRecord):
            last = texts.setdefault(record.video, {}).get(record.text)
            _check_sequence(record, last, results.path)
            texts[record.video][record.text] = record
            first.setdefault(record.video, record)
            counts[record.video] = counts.get(record.video, 0) + 1
    described = set(videos)
    for name, start in first.items():
        if name not in described:
            videos[name] = _guess_video(name, start, list(texts[name].values())[-1], own_config)
    folder = results.path.parent
    stored = {
        name: StoredVideo(
            replace(video, uri=_find_source(video.uri, folder)),
            tuple(texts.get(name, ())),
            counts.get(name, 0),
            name in described,
        )
        for name, video in videos.items()
    }
    is_changed = config != own_config
    header = {**results.header, "config": config.model_dump(mode="json", exclude={"sink"})} if is_changed else None
    return StoredRun(results, config, header or results.header, stored, weights, n_records, is_changed)


def engine_settings(config: RunConfig, texts: tuple[str, ...]) -> RunSettings:
    """Return the settings by which the scores of a video become timelines and events. ``texts``: of that video."""
    return RunSettings(
        texts=texts,
        template=_NO_QUESTION,
        weights=stored_weights(config),
        smooth_seconds=config.run.smooth_seconds,
        smooth_frames=config.run.smooth_frames,
        rule=event_rule(config.run),
    )


def distinct_ids(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Return runs whose videos have distinct ids: those that clash get the name of their file before it, or its path.

    :raises UsageError: when two of the files are one.
    """
    if len({os.path.realpath(run.results.path) for run in runs}) < len(runs):
        raise UsageError("A result file is named twice. Name it once.")
    prefixes: list[Callable[[Path], str]] = [lambda path: path.name.partition(".")[0], str]
    for prefix in prefixes:
        ids = Counter(video.video.id for run in runs for video in run.videos.values())
        if max(ids.values(), default=1) == 1:
            break
        runs = [
            replace(
                run,
                videos={
                    name: replace(stored, video=replace(stored.video, id=f"{prefix(run.results.path)}/{name}"))
                    if ids[stored.video.id] > 1
                    else stored
                    for name, stored in run.videos.items()
                },
            )
            for run in runs
        ]
    return list(runs)


def stored_config(results: Results) -> RunConfig:
    """Return the settings of the run that made results.

    :raises InputError: when this version cannot read them, and for a file without scores of segments.
    """
    if results_suffix(results.path) in (".json", ".csv"):
        raise InputError(f"{results.path} has no scores of segments. Give a file that `run -o FILE.jsonl` wrote.")
    try:
        return RunConfig.model_validate(
            {key: value for key, value in results.header["config"].items() if key != "sink"}
        )
    except UsageError as error:
        raise InputError(f"Cannot read the settings of the run in {results.path}: {error} Run it again.") from error


def stored_weights(config: RunConfig) -> dict[str, float]:
    """Return the weights of the contexts, by name, as results have them: with the defaults filled in."""
    return {name: float(config.context.get(name, {}).get("weight", 1.0)) for name in config.contexts}


def _without_repeats(records: Iterable[Record | FrameScore]) -> Iterator[Record]:
    stops: dict[tuple[str, str], int] = {}
    for record in records:
        if isinstance(record, SegmentRecord):
            key = (record.video, record.text)
            if record.start < stops.get(key, 0):
                continue
            stops[key] = record.stop
        yield record  # type: ignore[misc]  # only .csv files have rows, and they are refused


def _check_sequence(record: SegmentRecord, last: SegmentRecord | None, path: Path) -> None:
    """:raises InputError: when a segment cannot follow another."""
    place = f"{path}: segment {record.segment} of video '{record.video}' for '{record.text}'"
    if record.stop - record.start > MAX_GAP or (last and record.start - last.stop > MAX_GAP):
        raise InputError(f"{place} leaves out or covers more than {MAX_GAP:,} frames. Make the scores again.")
    if last and set(record.scores) != set(last.scores):
        raise InputError(f"{place} has other contexts than the segments before. Make the scores again.")


def _guess_video(name: str, first: SegmentRecord, last: SegmentRecord, config: RunConfig) -> Video:
    """Return a video that the results do not describe, as those of format 1."""
    span_s = last.stop_s - first.start_s
    fps = (last.stop - first.start) / span_s if span_s > 0 else 1.0
    uris = [uri for uri in config.videos if PurePath(uri).stem == name.rpartition("/")[2]]
    return Video(name, uris[0] if len(uris) == 1 else "", fps, None, 0, 0)


def _find_source(uri: str, folder: Path) -> str:
    """Return the path of a video from here; unchanged when it is missing here and beside the results too."""
    if not uri or "://" in uri or os.path.isabs(uri) or os.path.exists(uri):
        return uri
    beside = os.path.join(folder, uri)
    return beside if os.path.exists(beside) else uri
