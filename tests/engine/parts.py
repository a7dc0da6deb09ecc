"""A small pipeline of fakes for the tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from anyanomaly.api import Encoder, Options, Reader, Sink, SinkOptions
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
from anyanomaly.errors import VideoError
from anyanomaly.testing.fakes import FakeBackend, FakeEncoder
from anyanomaly.types import Event, Frame, Notice, SegmentScore, Timeline, Video

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
    return Planner(of, selector, contexts, caching_encoder, clock), caching_encoder


def run(
    of: RunSettings,
    backend: FakeBackend,
    *,
    readers: Sequence[Reader[Options]] | None = None,
    store: AnswerStore | None = None,
    sink: ListSink | None = None,
    windows: int = 1,
) -> Run:
    backend.load()
    sources = [(reader, reader.probe(f"v{at}")) for at, reader in enumerate(readers or [ListReader()])]
    return Run(of, sources, planner(of, windows=windows)[0], backend, Outputs([sink] if sink else []), store, {})
