"""One segment of stored results: what was stored of it, and its frames from the source video where it is at hand."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from anyanomaly.assemble.choice import Match, Search, SegmentChoice
from anyanomaly.assemble.source_frames import read_pictures
from anyanomaly.core.reason import reason_text
from anyanomaly.errors import UsageError
from anyanomaly.evidence import Evidence, Exchange, Picture
from anyanomaly.registry import Registry
from anyanomaly.results import Results, SegmentRecord
from anyanomaly.types import Event

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
    results: Results,
    choice: SegmentChoice,
    registry: Registry,
    *,
    texts: Sequence[str] = (),
    video: str | None = None,
    source: str = "",
) -> StoredSegment:
    """Return one segment of stored results, without a model.

    :param texts: event texts to choose from; none: all. :param video: id of the video; None: the only one, or for the
        highest score any. :param source: path of the video now; empty: where the run read it.
    :raises UsageError: when the results have no such video, event or segment.
    :raises InputError: when the file is damaged.
    """
    _check_texts(results, texts)
    video = _resolve_video(results, choice, video)
    match = _search(results, choice, texts, video) if choice.needs_search else None
    records = _find_records(results, choice, texts, video, match)
    if not records:
        place = f"segment {choice.segment}" if choice.segment is not None else f"segment at {choice.at_s:g} s"
        raise UsageError(f"{results.path} has no {place} of {video}.")
    uri = source or _source(results, records[0].video)
    stored = {
        evidence.text: evidence
        for evidence in results.evidence
        if (evidence.video, evidence.segment) == (records[0].video, records[0].segment)
    }
    others = [record for record in records if record.text not in stored]
    pictures, problem = _read_pictures(uri, results, registry, others)
    weights = _weights(results)
    shown = [
        StoredText(stored[record.text])
        if record.text in stored
        else StoredText(
            _to_evidence(record, weights, pictures), _notes(record, problem), _command(record, uri, results)
        )
        for record in records
    ]
    return StoredSegment(uri, tuple(shown), match)


def _resolve_video(results: Results, choice: SegmentChoice, video: str | None) -> str | None:
    """Return the id of the video to look at; None: all of them.

    :raises UsageError: when it is not in the results, or must be named and is not.
    """
    ids = list({record.video: None for record in results.segments})
    names = ", ".join(ids[:_MAX_NAMES]) + (", ..." if len(ids) > _MAX_NAMES else "")
    if not ids:
        raise UsageError(f"{results.path} has no segments. Give the .jsonl file of a run.")
    if video is not None and video not in ids:
        raise UsageError(f"{results.path} has no video '{video}'; it has {names}.")
    if video is None and len(ids) > 1 and not choice.is_highest:
        raise UsageError(f"{results.path} has {len(ids)} videos. Name one with --video: {names}.")
    return ids[0] if len(ids) == 1 else video


def _check_texts(results: Results, texts: Sequence[str]) -> None:
    """:raises UsageError: for an event text that the run did not have."""
    known = results.header.get("config", {}).get("texts") or texts
    for text in texts:
        if text not in known:
            raise UsageError(f"{results.path} has no event text '{text}'; it has {', '.join(map(str, known))}.")


def _search(results: Results, choice: SegmentChoice, texts: Sequence[str], video: str | None) -> Match:
    """:raises UsageError: when there is no such event, or no segment has a score."""
    search = Search(choice)
    for record in results.segments:
        if _is_of(record, texts, video):
            value = math.nan if record.value is None else record.value
            search.add_segment(record.video, record.text, record.segment, record.start_s, value)
    for event in results.events:
        if _is_of(event, texts, video):
            search.add_event(event)
    return search.match()


def _is_of(result: SegmentRecord | Event, texts: Sequence[str], video: str | None) -> bool:
    return (not texts or result.text in texts) and video in (None, result.video)


def _find_records(
    results: Results, choice: SegmentChoice, texts: Sequence[str], video: str | None, match: Match | None
) -> list[SegmentRecord]:
    """Return the records of the chosen segment, one per event text."""
    if match:
        texts, video, choice = [match.text], match.video, SegmentChoice(segment=match.segment)
    records: list[SegmentRecord] = []
    for record in results.segments:
        is_there = choice.at_s is not None and record.start_s <= choice.at_s < record.stop_s
        if (is_there or record.segment == choice.segment) and _is_of(record, texts, video):
            if records and record.segment != records[0].segment:
                break
            records.append(record)
    return records


def _source(results: Results, video: str) -> str:
    """Return the path of a video when the run read it; empty: the results do not say."""
    uris = results.header.get("config", {}).get("videos", [])
    by_id = {entry.id: entry.uri for entry in results.videos}
    return by_id.get(video) or (str(uris[0]) if len(uris) == 1 else "")


def _read_pictures(
    uri: str, results: Results, registry: Registry, records: Sequence[SegmentRecord]
) -> tuple[dict[int, Picture], str]:
    if not records:
        return {}, ""
    numbers = {number for record in records for number in (record.key_frame, *record.sequence) if number is not None}
    return read_pictures(uri, results.header, registry, numbers)


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
        value=math.nan if record.value is None else record.value,
        weights=weights,
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
                score=math.nan if score.value is None else score.value,
                mass=score.mass,
                reason=reason_text(score.answer),
            )
            for name, score in record.scores.items()
        ),
    )


def _no_picture(frame: int | None) -> Picture:
    return Picture(b"", 0, 0, frame)


def _weights(results: Results) -> dict[str, float]:
    """Return the weight of each context, from the settings of the run."""
    tables = results.header.get("config", {}).get("context", {})
    return {name: float(table.get("weight", 1.0)) for name, table in tables.items()}


def _notes(record: SegmentRecord, problem: str) -> tuple[str, ...]:
    """Return what is not stored of a segment."""
    stored = "The run stored the scores and answers of this segment, not its questions and the images of its contexts."
    frames = f"Its key frame is {record.key_frame}; its sequence is {', '.join(map(str, record.sequence))}."
    has_numbers = problem and record.key_frame is not None
    advice = "This command makes them; add the other settings of the run:"
    return tuple(note for note in (problem, frames if has_numbers else "", f"{stored} {advice}") if note)


def _command(record: SegmentRecord, uri: str, results: Results) -> str:
    """Return the command that makes what is not stored, with the components of the run."""
    config = results.header.get("config", {})
    flags = [(f"--{role}", str(config[role]["name"])) for role in ("encoder", "backend") if role in config]
    words = ["anyanomaly", "show", uri or "VIDEO", "-t", record.text, *(word for flag in flags for word in flag)]
    return shlex.join([*words, "--segment", str(record.segment), "-d", "DIR"])
