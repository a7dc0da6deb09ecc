"""How fast a configuration is: warmed up, without stored answers, and never twice on the same pixels."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.bench.memory import gpu_mib, peak_mib, reset_peak
from anyanomaly.config.model import RunConfig
from anyanomaly.engine.clock import StageClock
from anyanomaly.engine.plan import Source
from anyanomaly.registry import Registry
from anyanomaly.types import Frame, Segment, Video

_passes = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Lengths:
    """How much is run to measure speed, in segments."""

    segments: int  # for throughput
    warmup: int
    latency: int  # one by one


def measure_speed(config: RunConfig, registry: Registry, lengths: Lengths) -> dict[str, Any] | None:
    """Run the first segments of the configuration's videos, and say how fast that went; None: they hold no segment.

    A warm-up, then all in one stream for throughput, then one by one for the latency: from a segment's last frame to
    its scores, with nothing else under way. Each pass sees the frames moved by another number of pixels, so that no
    engine and no encoder finds anything in a cache.
    """
    clock = StageClock()
    config = config.model_copy(update={"run": config.run.model_copy(update={"store": False}), "sink": ()})
    with Pipeline(config, registry, clock=clock) as pipeline:
        settings = replace(pipeline.settings, max_unreadable=1.0)
        length = settings.segment_length(pipeline.sources[0][1])
        for _ in pipeline.run(_head(pipeline.sources, lengths.warmup * length), settings):
            pass
        reset_peak()
        before = clock.seconds()
        for _ in pipeline.run(_head(pipeline.sources, lengths.segments * length), settings):
            pass
        speed = pipeline.report.speed
        stages_s = {name: value - before[name] for name, value in clock.seconds().items()}
        memory = {"peak_mib": peak_mib(), "gpu_mib": gpu_mib()}
        latencies = [_latency(pipeline, each) for each in _segments(pipeline, lengths.latency * length)]
    if speed is None or not latencies:
        return None
    n_frames = speed.n_frames * speed.n_texts
    return {
        **asdict(replace(speed, stages_s=stages_s)),
        "stages_ms_per_frame": {name: 1000 * value / n_frames for name, value in stages_s.items()},
        **{
            name: getattr(speed, name)
            for name in ("segments_per_s", "frames_per_s", "frames_per_s_per_text", "paper_fps", "real_time")
        },
        "latency_p50_s": float(np.quantile(latencies, 0.5)),
        "latency_p95_s": float(np.quantile(latencies, 0.95)),
        "n_latencies": len(latencies),
        "warmup_segments": lengths.warmup,
        **memory,
    }


class _Part(Reader[Options]):
    """The first frames of a video, each moved sideways."""

    def __init__(self, reader: Reader[Options], n_frames: int, shift: int) -> None:
        super().__init__(reader.options)
        self._reader = reader
        self._n_frames = n_frames
        self._shift = shift

    def probe(self, uri: str) -> Video:
        return self._reader.probe(uri)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        for frame in self._reader.frames(video, start=start, every=every):
            if frame.index >= self._n_frames:
                return
            shift = self._shift % frame.image.shape[1]
            yield replace(frame, image=np.ascontiguousarray(np.roll(frame.image, shift, axis=1)))


def _head(sources: Sequence[Source], n_frames: int) -> list[Source]:
    """Return the first ``n_frames`` frames of the videos, as sources."""
    shift = next(_passes)
    found: list[Source] = []
    for reader, video in sources:
        if n_frames <= 0:
            break
        taken = min(n_frames, video.n_frames or n_frames)
        part = replace(video, n_frames=taken)
        found.append((_Part(reader, taken, shift), part))
        n_frames -= taken
    return found


def _segments(pipeline: Pipeline, n_frames: int) -> Iterator[Segment]:
    for reader, video in _head(pipeline.sources, n_frames):
        yield from pipeline.planner.segments(reader, video)


def _latency(pipeline: Pipeline, segment: Segment) -> float:
    """Return the seconds from a segment's frames to its last answer."""
    began = time.perf_counter()
    ((_, views),) = pipeline.planner.build_contexts([segment])
    for _ in pipeline.backend.answer(pipeline.planner.make_queries(segment, views)):
        pass
    return time.perf_counter() - began
