"""A small pipeline of fakes for the tests of the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from anyanomaly.api import Encoder, Gate, Options, Reader, Sink, SinkOptions
from anyanomaly.builtin.contexts import KeyContext, PositionContext, TemporalContext
from anyanomaly.builtin.options import Encoding, KeyOptions, NearestOptions, PositionOptions, TemporalOptions
from anyanomaly.builtin.selectors import TopThenGroupSelector
from anyanomaly.core.prompt import PromptTemplate
from anyanomaly.engine.caching_encoder import CachingEncoder
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.outputs import Outputs
from anyanomaly.engine.plan import Planner
from anyanomaly.engine.run import Run
from anyanomaly.engine.settings import RunSettings
from anyanomaly.engine.store import AnswerStore
from anyanomaly.errors import BackendError, VideoError
from anyanomaly.testing.fakes import FakeBackend, FakeEncoder
from anyanomaly.types import Event, EventText, FloatArray, Frame, Notice, Segment, SegmentScore, Timeline, Video

TEMPLATE = PromptTemplate("t", "Is there {text}?\n{hint}", system="You look.")


class ListReader(Reader[Options]):
    """Grey frames with a red square in the second half; may break off."""

    def __init__(self, n_frames: int = 60, *, breaks_at: int | None = None) -> None:
        super().__init__(Options())
        self.n_frames = n_frames
        self.breaks_at = breaks_at
        self.n_open = 0

    def probe(self, uri: str) -> Video:
        return Video(uri, uri, 10.0, self.n_frames, 32, 24)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        self.n_open += 1
        try:
            for index in range(start, self.n_frames, every):
                if index == self.breaks_at:
                    raise VideoError(f"{video.uri} stops at frame {index}.")
                image = np.full((24, 32, 3), 40 + index % 100, dtype=np.uint8)
                if index >= self.n_frames // 2:
                    image[8:16, index % 24 : index % 24 + 8] = (250, 0, 0)
                yield Frame(video, index, index / video.fps, image)
        finally:
            self.n_open -= 1


class ListGate(Gate[Options]):
    """Gives a segment and text the priority that a function says, and notes what it rated; may fail at a segment."""

    def __init__(self, priority: Callable[[int, str], float], *, fails_at: int | None = None) -> None:
        super().__init__(Options())
        self._priority = priority
        self._fails_at = fails_at
        self.rated: list[tuple[str, int]] = []  # video and segment

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        if self._fails_at in [segment.index for segment in segments]:
            raise BackendError("The gate cannot rate this.")
        self.rated += [(segment.video.id, segment.index) for segment in segments]
        rows = [[self._priority(segment.index, text.text) for text in texts] for segment in segments]
        return np.array(rows, dtype=np.float32)


class ListSink(Sink[SinkOptions]):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__(SinkOptions())
        self.got: list[object] = []

    def write_segment(self, score: SegmentScore) -> None:
        self.got.append(score)

    def write_timeline(self, timeline: Timeline) -> None:
        self.got.append(timeline)

    def write_event(self, event: Event) -> None:
        self.got.append(event)

    def write_notice(self, notice: Notice) -> None:
        self.got.append(notice)


def settings(**changes: Any) -> RunSettings:
    weights = {"key": 0.6, "position": 0.3, "temporal": 0.1}
    given = {"texts": ("red car",), "template": TEMPLATE, "weights": weights, "segment_frames": 12, **changes}
    return RunSettings(**given)


def planner(
    of: RunSettings,
    encoder: Encoder[Options] | None = None,
    clock: Clock | None = None,
    windows: int = 1,
    *,
    gate: Gate[Options] | None = None,
    encoding: Encoding = "exact",
    stride: int = 1,
) -> tuple[Planner, CachingEncoder]:
    caching_encoder = CachingEncoder(encoder or FakeEncoder(), clock=clock)
    selector = TopThenGroupSelector(NearestOptions(stride=stride))
    position = PositionContext(PositionOptions(encoding=encoding))
    temporal = TemporalContext(TemporalOptions(windows=windows, encoding=encoding))
    contexts = [KeyContext(KeyOptions()), position, temporal]
    for part in (selector, *contexts):
        part.encoder = caching_encoder
    gates = {"list": gate} if gate else None
    return Planner(of, selector, contexts, caching_encoder, clock, gates=gates), caching_encoder


def run(
    of: RunSettings,
    backend: FakeBackend,
    *,
    readers: Sequence[Reader[Options]] | None = None,
    store: AnswerStore | None = None,
    sink: ListSink | None = None,
    windows: int = 1,
    gate: Gate[Options] | None = None,
    is_repeatable: bool = False,
) -> Run:
    backend.load()
    sources = [(reader, reader.probe(f"v{at}")) for at, reader in enumerate(readers or [ListReader()])]
    made, _ = planner(of, windows=windows, gate=gate)
    outputs = Outputs([sink] if sink else [])
    return Run(of, sources, made, backend, outputs, store, {}, is_repeatable=is_repeatable)
