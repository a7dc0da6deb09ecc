"""Annotated videos made of results that a test states, and what ffprobe and PyAV say of them."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from anyanomaly.api.sink import RunEnd, RunStatus
from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import ImageReaderOptions, VideoReaderOptions
from anyanomaly.builtin.suffixes import IMAGE_SUFFIXES
from anyanomaly.core.events import EventFinder, EventRule
from anyanomaly.media.annotated import AnnotatedOptions, AnnotatedSink
from anyanomaly.types import Span, Timeline, Video
from tests.support.system import needs_program
from tests.videos.marks import SIZE, Picture

RULE = EventRule(threshold=0.5, merge_s=0.2, min_s=0.1)


def probe_video(path: Path, section: Span = (0.0, math.inf)) -> tuple[Video, list[float]]:
    """Return a source as a run describes it, and the times of its frames."""
    is_images = path.is_dir() or path.suffix in IMAGE_SUFFIXES
    reader: Any = ImageReader(ImageReaderOptions()) if is_images else VideoReader(VideoReaderOptions())
    video = reader.probe(str(path))
    video = Video(video.id, video.uri, video.fps, video.n_frames, video.width, video.height, section=section)
    return video, [frame.time_s for frame in reader.frames(video) if section[0] <= frame.time_s < section[1]]


def new_sink(
    path: Path,
    texts: Sequence[str] = ("a bicycle",),
    n_videos: int = 1,
    section: Span = (0.0, math.inf),
    **options: Any,
) -> AnnotatedSink:
    """Return a sink that has begun."""
    sink = AnnotatedSink(AnnotatedOptions(path=str(path), **options))
    sink.load()
    settings: dict[str, Any] = {"threshold": RULE.threshold, "merge_seconds": RULE.merge_s}
    settings["min_event_seconds"] = RULE.min_s
    settings |= {"start": section[0], "stop": None if math.isinf(section[1]) else section[1]}
    sink.begin({"config": {"texts": list(texts), "videos": ["v"] * n_videos, "run": settings}})
    return sink


def feed(
    sink: AnnotatedSink,
    video: Video,
    times_s: Sequence[float],
    *,
    texts: Sequence[str] = ("a bicycle",),
    reason: str = "A person rides a bicycle.",
    score: Callable[[float], float] = lambda time_s: 0.9 if 0.2 <= time_s < 0.6 else 0.1,
    n_per_piece: int = 8,
) -> None:
    """Write a video, its timelines piece by piece, and its events as soon as they are certain."""
    sink.write_video(video)
    finders = {text: EventFinder(RULE, lambda _: reason) for text in texts}
    pieces: dict[str, Timeline] = {}
    for start in range(0, len(times_s), n_per_piece):
        piece_times_s = np.array(times_s[start : start + n_per_piece])
        scores = np.array([score(time_s) for time_s in piece_times_s], np.float32)
        for text, finder in finders.items():
            pieces[text] = Timeline(video, text, start, piece_times_s.copy(), scores.copy(), scores.copy(), {})
            sink.write_timeline(pieces[text])
            for event in finder.push(pieces[text]):
                sink.write_event(event)
    for text, piece in pieces.items():
        for event in finders[text].finish(piece):
            sink.write_event(event)


def end(sink: AnnotatedSink, status: RunStatus = "complete") -> None:
    """End the run."""
    sink.end(RunEnd(status, 1, 1, 0))
    sink.close()


def annotate(source: Path, target: Path, *, section: Span = (0.0, math.inf), **results: Any) -> Path:
    """Write the annotated video of a source."""
    video, times_s = probe_video(source, section)
    sink = new_sink(target, results.get("texts", ("a bicycle",)), section=section, **results.pop("options", {}))
    feed(sink, video, times_s, **results)
    end(sink)
    return target


def ffprobe(path: Path, *arguments: str) -> dict[str, Any]:
    """Return what ffprobe prints, of streams if nothing else is asked."""
    command = [needs_program("ffprobe"), "-v", "error", "-of", "json", *(arguments or ("-show_streams",)), str(path)]
    document: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    return document


def frame_times(path: Path) -> list[float]:
    """Return the presentation times of the frames of the video stream, seconds."""
    frames = ffprobe(path, "-select_streams", "v:0", "-show_frames", "-show_entries", "frame=pts_time")["frames"]
    return [float(frame["pts_time"]) for frame in frames]


def audio_packets(path: Path) -> list[tuple[str, str]]:
    """Return time and digest of each packet of the first audio stream."""
    selection = ("-select_streams", "a:0", "-show_packets", "-show_data_hash", "md5")
    packets = ffprobe(path, *selection, "-show_entries", "packet=pts_time,data_hash")["packets"]
    return [(packet["pts_time"], packet["data_hash"]) for packet in packets]


def stream_of(path: Path, kind: str = "video") -> dict[str, Any]:
    """Return what ffprobe says of the first stream of a kind."""
    return next(stream for stream in ffprobe(path)["streams"] if stream["codec_type"] == kind)


def pictures_of(path: Path, shape: tuple[int, int]) -> list[Picture]:
    """Return the pictures above the strip, of (height, width) pixels."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24")[: shape[0], : shape[1]] for frame in container.decode(video=0)]


def strips_of(path: Path, height: int) -> list[Picture]:
    """Return what is below the pictures, which have ``height`` rows."""
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24")[height:] for frame in container.decode(video=0)]


WIDTH = 480
HEIGHT = WIDTH * SIZE[1] // SIZE[0]
"""Size of the pictures of annotated videos of the small sources of these tests."""
