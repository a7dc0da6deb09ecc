"""Measure the speed of a configuration: after a warm-up, without stored answers, and on new pixels in each pass."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np

from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.bench.memory import gpu_mib, peak_mib, reset_peak
from anyanomaly.config.model import RunConfig
from anyanomaly.engine.clock import Speed, StageClock
from anyanomaly.engine.plan import Source
from anyanomaly.registry import Registry
from anyanomaly.types import Frame, Segment, Video

_pass_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class SegmentCounts:
    """How many segments are run to measure speed."""

    segments: int  # in one stream, for throughput
    warmup: int
    latency: int  # one by one


@dataclass(frozen=True, slots=True)
class SpeedResult:
    """Throughput, latency and memory of one configuration."""

    throughput: Speed
    latency_p50_s: float  # from a segment's last frame to its scores
    latency_p95_s: float
    n_latencies: int
    warmup_segments: int
    peak_mib: float | None  # None: unknown
    gpu_mib: float | None

    @property
    def stages_ms_per_frame(self) -> dict[str, float]:
        """Milliseconds per stage, frame and text."""
        n_frames = self.throughput.n_frames * self.throughput.n_texts
        return {stage: 1000 * seconds / n_frames for stage, seconds in self.throughput.stages_s.items()}

    def to_json(self) -> dict[str, Any]:
        """Return all figures, derived ones included, under their names."""
        speed = self.throughput
        return {
            **asdict(speed),
            "stages_ms_per_frame": self.stages_ms_per_frame,
            "segments_per_s": speed.segments_per_s,
            "frames_per_s": speed.frames_per_s,
            "frames_per_s_per_text": speed.frames_per_s_per_text,
            "paper_fps": speed.paper_fps,
            "real_time": speed.real_time,
            "latency_p50_s": self.latency_p50_s,
            "latency_p95_s": self.latency_p95_s,
            "n_latencies": self.n_latencies,
            "warmup_segments": self.warmup_segments,
            "peak_mib": self.peak_mib,
            "gpu_mib": self.gpu_mib,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> SpeedResult:
        """Return the result that `to_json` wrote, also before a field with a default was added."""
        throughput = Speed(**{item.name: content[item.name] for item in fields(Speed) if item.name in content})
        own_names = [item.name for item in fields(cls) if item.name != "throughput"]
        return cls(throughput, **{name: content[name] for name in own_names})


def measure_speed(config: RunConfig, registry: Registry, counts: SegmentCounts) -> SpeedResult | None:
    """Run the first segments of the configuration's videos and measure how fast; None: they have no segment.

    A warm-up, then one stream for throughput, then segment by segment for the latency: from a segment's last frame to
    its scores, with nothing else running. Each pass sees the frames shifted by another number of pixels, so that no
    engine and no encoder can answer from a cache.

    :raises AnyAnomalyError: when the run fails.
    """
    clock = StageClock()
    config = config.model_copy(update={"run": config.run.model_copy(update={"store": False}), "sink": ()})
    with Pipeline(config, registry, clock=clock) as pipeline:
        settings = replace(pipeline.settings, max_unreadable=1.0)
        segment_length = settings.segment_length(pipeline.sources[0][1])
        for _ in pipeline.run(_first_frames(pipeline.sources, counts.warmup * segment_length), settings):
            pass
        reset_peak()
        warmup_s = clock.seconds()
        for _ in pipeline.run(_first_frames(pipeline.sources, counts.segments * segment_length), settings):
            pass
        speed = pipeline.report.speed
        stages_s = {stage: seconds - warmup_s[stage] for stage, seconds in clock.seconds().items()}
        memory_mib = peak_mib(), gpu_mib()
        segments = _segments(pipeline, counts.latency * segment_length)
        latencies = [_latency_s(pipeline, segment) for segment in segments]
    if speed is None or not latencies:
        return None
    p50_s, p95_s = (float(np.quantile(latencies, quantile)) for quantile in (0.5, 0.95))
    return SpeedResult(replace(speed, stages_s=stages_s), p50_s, p95_s, len(latencies), counts.warmup, *memory_mib)


class _ShiftedReader(Reader[Options]):
    """Reads the first frames of a video, each shifted sideways."""

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


def _first_frames(sources: Sequence[Source], n_frames: int) -> list[Source]:
    """Return sources that hold the first ``n_frames`` frames of the videos, shifted by the number of the pass."""
    shift = next(_pass_numbers)
    parts: list[Source] = []
    for reader, video in sources:
        if n_frames <= 0:
            break
        n_read = min(n_frames, video.n_frames or n_frames)
        parts.append((_ShiftedReader(reader, n_read, shift), replace(video, n_frames=n_read)))
        n_frames -= n_read
    return parts


def _segments(pipeline: Pipeline, n_frames: int) -> Iterator[Segment]:
    for reader, video in _first_frames(pipeline.sources, n_frames):
        yield from pipeline.planner.segments(reader, video)


def _latency_s(pipeline: Pipeline, segment: Segment) -> float:
    """Return the seconds from a segment's frames to its last answer."""
    start_s = time.perf_counter()
    ((_, text_contexts),) = pipeline.planner.build_contexts([segment])
    for _ in pipeline.backend.answer(pipeline.planner.make_queries(segment, text_contexts)):
        pass
    return time.perf_counter() - start_s
