"""Small values for the tests of the pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from anyanomaly.types import Frame, QueryId, Score, SegmentScore, Timeline, Video


def video(*, fps: float = 10.0, n_frames: int | None = None, live: bool = False, id: str = "v") -> Video:
    return Video(id, f"{id}.mp4", fps, n_frames, 4, 4, live)


def frames(source: Video, indices: Iterable[int]) -> list[Frame]:
    return [Frame(source, index, index / source.fps, np.full((4, 4, 3), index % 256, np.uint8)) for index in indices]


def segment_score(
    source: Video, segment: int, start: int, stop: int, values: Mapping[str, float], value: float
) -> SegmentScore:
    scores = {name: Score(QueryId(source.id, segment, "car", name), score) for name, score in values.items()}
    return SegmentScore(source, segment, start, stop, np.arange(start, stop) / source.fps, "car", scores, value)


def timeline(smooth: Iterable[float], *, fps: float = 10.0, start: int = 0) -> Timeline:
    series = np.array(list(smooth), dtype=np.float32)
    times_s = (start + np.arange(len(series))) / fps
    return Timeline(video(fps=fps), "car", start, times_s, series, series.copy(), {})
