"""One segment of stored results: what was stored of it, and its frames from the source video where it is at hand."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anyanomaly.assemble.choice import Match, Search, SegmentChoice
from anyanomaly.assemble.source_frames import read_pictures
from anyanomaly.assemble.stored_runs import StoredRun, stored_weights
from anyanomaly.config.model import RunConfig
from anyanomaly.core.reason import reason_text
from anyanomaly.errors import UsageError
from anyanomaly.evidence import Evidence, Exchange, Picture
from anyanomaly.registry import Registry
from anyanomaly.results.evidence_records import EvidenceRecord
from anyanomaly.results.fields import read_number
from anyanomaly.results.records import EventRecord, SegmentRecord

_MAX_NAMES = 10  # of videos in a message


@dataclass(frozen=True, slots=True, eq=False)
class StoredText:
    """What is stored of one event text, and sentences about what is not."""

    evidence: Evidence  # a picture without data is not at hand
    notes: tuple[str, ...] = ()
    command: str = ""  # that makes what is not stored


@dataclass(frozen=True, slots=True, eq=False)
class StoredSegment:
    """One segment of stored results."""

    uri: str  # of the video; empty: unknown
    texts: tuple[StoredText, ...]
    match: Match | None  # what a search found; None: the segment was named


def read_segment(
    run: StoredRun,
    choice: SegmentChoice,
    registry: Registry,
    *,
    texts: Sequence[str] = (),
    video: str | None = None,
    source: str = "",
) -> StoredSegment:
    """Return one segment of stored results, without a model.

    :param texts: event texts to choose from; none: all. :param video: id of the video; None: the only one, or for the
        highest score any. :param source: path of the video now; empty: where the results say.
    :raises UsageError: when the results have no such video, event text, event or segment.
    :raises InputError: when the file is damaged.
    """
    _check_texts(run, texts)
    video = _resolve_video(run, choice, video)
    match = _search(run, choice, texts, video) if choice.needs_search else None
    if match:
        choice, texts, video = SegmentChoice(segment=match.segment), [match.text], match.video
    records, evidence = _read_records(run, choice, texts, video)
    if not records:
        place = f"segment {choice.segment}" if choice.segment is not None else f"segment at {choice.at_s:g} s"
        raise UsageError(f"{run.results.path} has no {place} of {video}.")
    uri = source or run.videos[records[0].video].video.uri
    unstored = [record for record in records if record.text not in evidence]
    numbers = {number for record in unstored for number in (record.key_frame, *record.sequence) if number is not None}
    pictures, problem = read_pictures(uri, run.config.reader, registry, numbers) if unstored else ({}, "")
    weights = stored_weights(run.config)
    stored_texts = [
        StoredText(evidence[record.text])
        if record.text in evidence
        else StoredText(
            _to_evidence(record, weights, pictures), _notes(record, problem), _command(record, uri, run.config)
        )
        for record in records
    ]
    return StoredSegment(uri, tuple(stored_texts), match)


def _check_texts(run: StoredRun, texts: Sequence[str]) -> None:
    """:raises UsageError: for an event text that the run did not have."""
    for text in texts:
        if text not in run.config.texts:
            raise UsageError(f"{run.results.path} has no event text '{text}'; it has {', '.join(run.config.texts)}.")


def _resolve_video(run: StoredRun, choice: SegmentChoice, video: str | None) -> str | None:
    """Return the id of the video to look at; None: all of them.

    :raises UsageError: when it is not in the results, or must be named and is not.
    """
    ids = [name for name, stored in run.videos.items() if stored.n_scores]
    names = ", ".join(ids[:_MAX_NAMES]) + (", ..." if len(ids) > _MAX_NAMES else "")
    if not ids:
        raise UsageError(f"{run.results.path} has no scores yet.")
    if video is not None and video not in ids:
        raise UsageError(f"{run.results.path} has no video '{video}'; it has {names}.")
    if video is None and len(ids) > 1 and not choice.is_highest:
        raise UsageError(f"{run.results.path} has {len(ids)} videos. Name one with --video: {names}.")
    return ids[0] if len(ids) == 1 else video


def _search(run: StoredRun, choice: SegmentChoice, texts: Sequence[str], video: str | None) -> Match:
    """:raises UsageError: when there is no such event, or no segment has a score."""
    search = Search(choice)
    for record in run.records():
        if isinstance(record, SegmentRecord) and _is_of(record, texts, video):
            value = read_number(record.value)
            search.add_segment(
                record.video, record.text, record.segment, record.start_s, value, is_asked=record.any_asked
            )
        elif isinstance(record, EventRecord) and _is_of(record, texts, video):
            search.add_event(record.event)
    return search.match()


def _is_of(record: SegmentRecord | EventRecord, texts: Sequence[str], video: str | None) -> bool:
    return (not texts or record.text in texts) and video in (None, record.video)


def _read_records(
    run: StoredRun, choice: SegmentChoice, texts: Sequence[str], video: str | None
) -> tuple[list[SegmentRecord], dict[str, Evidence]]:
    """Return the records of the chosen segment, one per event text, and its evidence by event text."""
    records: list[SegmentRecord] = []
    evidence: dict[str, Evidence] = {}
    for record in run.records():
        if isinstance(record, SegmentRecord) and _is_of(record, texts, video):
            is_there = choice.at_s is not None and record.start_s <= choice.at_s < record.stop_s
            is_chosen = _is_beside(record, records) if records else is_there or record.segment == choice.segment
            records += [record] if is_chosen else []
        elif isinstance(record, EvidenceRecord) and records and _is_beside(record, records):  # it follows its segment
            evidence[record.text] = record.evidence
    return records, evidence


def _is_beside(record: SegmentRecord | EvidenceRecord, records: Sequence[SegmentRecord]) -> bool:
    return (record.video, record.segment) == (records[0].video, records[0].segment)


def _to_evidence(record: SegmentRecord, weights: Mapping[str, float], pictures: Mapping[int, Picture]) -> Evidence:
    """Return what a record of scores holds as evidence, without questions and without images of contexts."""
    return Evidence(
        video=record.video,
        text=record.text,
        segment=record.segment,
        start=record.start,
        stop=record.stop,
        start_s=record.start_s,
        stop_s=record.stop_s,
        value=read_number(record.value),
        weights={name: weights.get(name, 1.0) for name in record.scores},
        key_frame=pictures.get(-1 if record.key_frame is None else record.key_frame, _no_picture(record.key_frame)),
        frames=tuple(pictures.get(number, _no_picture(number)) for number in record.sequence),
        exchanges=tuple(
            Exchange(
                context=name,
                index=0,
                pictures=(),
                system="",
                question="",
                answer=score.answer,
                score=read_number(score.value) if record.is_asked(name) else math.nan,
                mass=score.mass,
                reason=reason_text(score.answer),
                asked=record.is_asked(name),
            )
            for name, score in record.scores.items()
        ),
        priorities=record.priorities,
    )


def _no_picture(frame: int | None) -> Picture:
    return Picture(b"", 0, 0, frame)


def _notes(record: SegmentRecord, problem: str) -> tuple[str, ...]:
    """Return what is not stored of a segment."""
    stored = "The run stored the scores and answers of this segment, not its questions and the images of its contexts."
    if not record.any_asked:
        stored = "The run did not ask about this segment, so there are no questions and answers."
    frames = f"Its key frame is {record.key_frame}; its sequence is {', '.join(map(str, record.sequence))}."
    has_numbers = problem and record.key_frame is not None
    advice = "This command makes them; add the other settings of the run:"
    return tuple(note for note in (problem, frames if has_numbers else "", f"{stored} {advice}") if note)


def _command(record: SegmentRecord, uri: str, config: RunConfig) -> str:
    """Return the command that makes what is not stored, with the components of the run."""
    components = ["--encoder", config.encoder.name, "--backend", config.backend.name]
    segment = ["--segment", str(record.segment), "-d", "DIR"]
    return shlex.join(["anyanomaly", "show", uri or "VIDEO", "-t", record.text, *components, *segment])
