"""Makes clips of numbered videos through the sink, and reads what they show."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from anyanomaly.api import RunEnd
from anyanomaly.api.sink import RunStatus
from anyanomaly.evidence import Evidence
from anyanomaly.media.clip_options import ClipsOptions
from anyanomaly.media.clips import ClipsSink
from anyanomaly.types import Event, Video
from tests.videos.marks import read_number

TEXT = "a person falls"
RUN = {"config": {"texts": [TEXT]}, "readers": []}


@dataclass(frozen=True)
class Clip:
    """What a clip shows."""

    record: dict[str, Any]
    numbers: list[int]  # that its frames show
    times_s: list[float]  # of its frames, as players count them


def event(start_s: float, stop_s: float, *, video: str = "v", text: str = TEXT) -> Event:
    return Event(video, text, start_s, stop_s, 0.9, (start_s + stop_s) / 2, "Somebody lies on the floor.")


def make_clips(
    folder: Path,
    source: Path | str,
    events: Iterable[Event],
    *,
    evidence: Iterable[Evidence] = (),
    run: dict[str, Any] = RUN,
    status: RunStatus = "complete",
    live: bool = False,
    **options: Any,
) -> list[dict[str, Any]]:
    """Run the sink with the events of one video, and return the JSON files in order."""
    with ClipsSink(ClipsOptions(path=str(folder), **{"pre_roll_s": 0.2, "post_roll_s": 0.2, **options})) as sink:
        sink.begin(run)
        sink.write_video(Video("v", str(source), 25.0, None, 128, 96, live=live))
        for item in evidence:
            sink.write_evidence(item)
        for item in events:
            sink.write_event(item)
        sink.end(RunEnd(status, 1, 1, 0))
    return [json.loads(path.read_text()) for path in sorted(folder.glob("0*.json"))]


def read_clip(folder: Path, record: dict[str, Any]) -> Clip:
    """Decode the video of a clip."""
    assert record["status"] == "complete", record["problem"]
    with av.open(str(folder / record["clip"])) as container:
        frames = list(container.decode(container.streams.video[0]))
    numbers = [read_number(frame.to_ndarray(format="rgb24")) for frame in frames]
    return Clip(record, numbers, [frame.time for frame in frames])


def key_numbers(path: Path) -> list[int]:
    """Return the numbers of the key frames of a numbered video."""
    with av.open(str(path)) as container:
        frames = container.decode(container.streams.video[0])
        return [read_number(frame.to_ndarray(format="rgb24")) for frame in frames if frame.key_frame]
