"""A plugin whose components fail, or return what they must not, in the way that their option ``fault`` names."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from anyanomaly import BackendSpec, ContextSpec, DatasetSpec, EncoderSpec, ReaderSpec, SelectorSpec, SinkSpec, hookimpl
from anyanomaly.api import (
    Backend,
    ContextGenerator,
    ContextOptions,
    Dataset,
    Options,
    Reader,
    Selector,
    Sink,
    SinkOptions,
)
from anyanomaly.testing.fakes import FakeEncoder, redness
from anyanomaly.types import Answer, Context, Frame, KeyFrames, LabelledVideo, Query, Video

IMAGE = np.full((32, 32, 3), 90, dtype=np.uint8)
RAISED: dict[str, type[BaseException]] = {
    "raise": RuntimeError,
    "exit": SystemExit,
    "interrupt": KeyboardInterrupt,
    "generator exit": GeneratorExit,
    "memory": MemoryError,
    "recursion": RecursionError,
    "stop iteration": StopIteration,
}


def fail(fault: str) -> None:
    """Raise what a fault names, if it names an exception."""
    if fault in RAISED:
        raise RAISED[fault]("no luck\nand more")


class FaultyOptions(Options):
    fault: str = Field("", description="what goes wrong")


class FaultyContextOptions(ContextOptions):
    fault: str = Field("", description="what goes wrong")


class FaultySinkOptions(SinkOptions):
    fault: str = Field("", description="what goes wrong")


class FaultyReader(Reader[FaultyOptions]):
    def probe(self, uri: str) -> Any:
        fail(self.options.fault)
        video = Video(Path(uri).stem, uri, 8.0, 16, 32, 32)
        faults: dict[str, Any] = {
            "none": None,
            "no speed": Video("v", uri, 0.0, 16, 32, 32),
            "nan speed": Video("v", uri, math.nan, 16, 32, 32),
            "words": Video("v", uri, 8.0, "many", 32, 32),  # type: ignore[arg-type]
        }
        return faults.get(self.options.fault, video)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Any:
        numbers = {"descending": [3, 2], "twice": [0, 0], "half": [0.5], "off": [0, 1]}
        times = {"back": [1.0, 0.5], "nan time": [math.nan]}
        if self.options.fault == "no iterator":
            return None
        if self.options.fault == "of nothing":
            return iter([None])
        indices = numbers.get(self.options.fault, range(start, 16, every))
        return self._frames(video, indices, times.get(self.options.fault))

    def _frames(self, video: Video, indices: Any, times: list[float] | None) -> Iterator[Frame]:
        for position, index in enumerate(indices):
            image = np.zeros((16 + index, 16, 3), np.uint8) if self.options.fault == "growing" else IMAGE.copy()
            yield Frame(video, index, times[position] if times else index / 8, image)
            if self.options.fault.startswith("late "):
                fail(self.options.fault.removeprefix("late "))


class FaultyEncoder(FakeEncoder):
    def encode_crops(self, crops: Sequence[Any]) -> Any:
        fault = getattr(self.options, "fault", "")
        fail(fault)
        rows = super().encode_crops(crops)
        faults: dict[str, Any] = {
            "none": None,
            "list": rows.tolist(),
            "double": rows.astype(np.float64),
            "flat": rows.ravel(),
            "one more": np.vstack([rows, rows[:1]]),
            "nan": rows * np.float32(np.nan),
            "long": rows * 3,
            "zero": rows * 0,
        }
        return faults.get(fault, rows)


class FaultySelector(Selector[FaultyOptions]):
    def select(self, segment: Any, text: Any) -> Any:
        fail(self.options.fault)
        faults: dict[str, Any] = {
            "none": None,
            "outside": KeyFrames(99, (0,)),
            "empty": KeyFrames(0, ()),
            "descending": KeyFrames(0, (1, 0)),
            "words": KeyFrames("0", (0,)),  # type: ignore[arg-type]
        }
        return faults.get(self.options.fault, KeyFrames(0, (0,)))


class FaultyContext(ContextGenerator[FaultyContextOptions]):
    def build(self, segment: Any, text: Any, key_frames: Any) -> Any:
        fail(self.options.fault)
        context = Context("faulty", (IMAGE,))
        faults: dict[str, Any] = {
            "none": None,
            "nothing": [],
            "words": "context",
            "endless": (context for _ in count()),
            "another name": [Context("key", (IMAGE,))],
            "many images": [Context("faulty", (IMAGE, IMAGE))],
        }
        return faults.get(self.options.fault, [context])


class FaultyBackend(Backend[FaultyOptions]):
    @property
    def fingerprint(self) -> Any:
        return 7 if self.options.fault == "fingerprint" else "faulty"

    def load(self) -> None:
        if self.options.fault == "batch size":
            self.batch_size = 0

    def answer_batch(self, queries: Sequence[Query]) -> Any:
        fail(self.options.fault)
        answers = [Answer(query.id, text=redness(query)) for query in queries]
        first = queries[0].id
        faults: dict[str, Any] = {
            "none": None,
            "number": 7,
            "words": "0.9",
            "numbers": [0.9],
            "too few": [],
            "twice": answers * 2,
            "unknown": [Answer(first._replace(segment=99), text="0.9")],
            "nan": [Answer(first, value=math.nan)],
            "infinite": [Answer(first, value=math.inf)],
            "above one": [Answer(first, value=1.5)],
            "unasked logprobs": [Answer(first, logprobs={"perhaps": -0.1})],
            "no words": [Answer(first, text=None)],  # type: ignore[arg-type]
        }
        return faults.get(self.options.fault, answers)

    def answer(self, queries: Any) -> Iterator[Answer]:
        if self.options.fault == "greedy":
            queries = list(queries)
        for query in queries:
            if self.options.fault != "silent":
                yield from self.answer_batch([query])
            if self.options.fault == "repeated":
                yield from self.answer_batch([query])
            if self.options.fault == "early":
                return


class FaultyDataset(Dataset[FaultyOptions]):
    def videos(self) -> Any:
        fail(self.options.fault)
        labels = np.arange(16) > 7
        faults: dict[str, Any] = {
            "none": None,
            "words": ["street"],
            "endless": (LabelledVideo("a.faulty", "a", ("car",), {"car": labels}) for _ in count()),
            "numbers": [LabelledVideo("a.faulty", "a", ("car",), {"car": labels.astype(int)})],
            "backwards": [LabelledVideo("a.faulty", "a", ("car",), spans={"car": ((5, 2),)})],
        }
        return faults.get(self.options.fault, [LabelledVideo("a.faulty", "a", ("car",), {"car": labels})])


class FaultySink(Sink[FaultySinkOptions]):
    def write_event(self, event: Any) -> None:
        fail(self.options.fault)

    def write_segment(self, score: Any) -> None:
        fail(self.options.fault)

    def close(self) -> None:
        if self.options.fault == "close":
            raise RuntimeError("no luck")


def described(role: str) -> dict[str, str]:
    """Return name, summary and code of the component of a role."""
    name = "Context" if role == "context" else role.capitalize()
    options = {"context": "FaultyContextOptions", "sink": "FaultySinkOptions"}.get(role, "FaultyOptions")
    target = f"{__name__}:Faulty{name}"
    return {"name": "faulty", "summary": "Fails", "target": target, "options": f"{__name__}:{options}"}


@hookimpl
def anyanomaly_register_readers() -> list[ReaderSpec]:
    return [ReaderSpec(**described("reader"), suffixes=frozenset({".faulty"}))]  # type: ignore[arg-type]


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    return [EncoderSpec(**described("encoder"))]  # type: ignore[arg-type]


@hookimpl
def anyanomaly_register_selectors() -> list[SelectorSpec]:
    return [SelectorSpec(**described("selector"))]  # type: ignore[arg-type]


@hookimpl
def anyanomaly_register_contexts() -> list[ContextSpec]:
    return [ContextSpec(**described("context"))]  # type: ignore[arg-type]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    return [BackendSpec(**described("backend"), cacheable=False)]  # type: ignore[arg-type]


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    return [DatasetSpec(**described("dataset"))]  # type: ignore[arg-type]


@hookimpl
def anyanomaly_register_sinks() -> list[SinkSpec]:
    return [SinkSpec(**described("sink"))]  # type: ignore[arg-type]
