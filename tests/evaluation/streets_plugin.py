"""A one-file plugin: a dataset of streets with red and green events, a backend that sees them, and gates that guess.

A street is a text file with a line per second: how red and how green it is, 0 to 1.
"""

from __future__ import annotations

import os
import random
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from anyanomaly import BackendSpec, DatasetSpec, EncoderSpec, GateSpec, ReaderSpec, hookimpl
from anyanomaly.api import Backend, Dataset, Gate, Options, Reader
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.types import Answer, EventText, FloatArray, Frame, LabelledVideo, Query, Segment, Video

FPS = 8.0
TEXTS = ("red", "green")


class StreetOptions(Options):
    root: str = Field("", description="folder of the streets")
    n: int = Field(4, description="number of streets")


class Streets(Dataset[StreetOptions]):
    """Streets of 10 to 20 seconds; in about a third of them something is red, or green, for 3 s."""

    def videos(self) -> Iterator[LabelledVideo]:
        for number in range(self.options.n):
            rng = random.Random(number)
            n_seconds = rng.randint(10, 20)
            levels = {text: [rng.choice((0.0, 0.1, 0.3)) for _ in range(n_seconds)] for text in TEXTS}
            labels = {text: np.zeros(int(n_seconds * FPS), np.bool_) for text in TEXTS}
            for text in TEXTS:
                if number < 2 or rng.random() < 0.4:
                    start = rng.randrange(n_seconds - 3)
                    levels[text][start : start + 3] = [0.6, 1.0, 0.8]
                    labels[text][int(start * FPS) : int((start + 3) * FPS)] = True
            path = Path(self.options.root) / f"s{number}.street"
            path.write_text("".join(f"{r} {g}\n" for r, g in zip(*levels.values(), strict=True)))
            yield LabelledVideo(str(path), path.stem, TEXTS, labels)


class StreetReader(Reader[Options]):
    def probe(self, uri: str) -> Video:
        return Video(Path(uri).stem, uri, FPS, int(len(_levels(uri)) * FPS), 16, 16)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        levels = _levels(video.uri)
        for index in range(start, int(len(levels) * FPS), every):
            image = np.full((16, 16, 3), 40, np.uint8)
            for channel, level in enumerate(levels[int(index / FPS)]):
                image[:, 8 * channel : 8 * channel + 8, channel] = 40 + round(200 * level)
            yield Frame(video, index, index / FPS, image)


class SeeingBackend(Backend[Options]):
    """Answers how red or green the first image is; other contexts than the key frame see a little less."""

    def load(self) -> None:
        if os.environ.get("NO_BACKEND"):
            raise AssertionError("the backend is loaded")

    def close(self) -> None:
        pass

    @property
    def fingerprint(self) -> str:
        return "seeing"

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        return [Answer(query.id, text=f"{self._see(query):.1f}") for query in queries]

    def _see(self, query: Query) -> float:
        image = query.images[0].astype(int)
        channel = TEXTS.index(query.id.text)
        others = np.delete(image, channel, axis=2).max(axis=2)
        level = float((image[..., channel] - others).max()) / 200
        return min(1.0, max(0.0, level if query.id.context == "key" else level * 0.8))


class HintGate(Gate[Options]):
    """Guesses from the colours, with noise."""

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        rows = np.empty((len(segments), len(texts)), np.float32)
        for row, segment in zip(rows, segments, strict=True):
            for column, text in enumerate(texts):
                image = segment.frames[len(segment.frames) // 2].image.astype(int)
                level = float(image[..., TEXTS.index(text.text)].max() - 40) / 200
                row[column] = min(1.0, 0.5 * level + 0.4 * _noise(segment, text.text))
        return rows


class DiceGate(Gate[Options]):
    """Guesses by chance; a third of the segments gets 0. It knows how many segments it has rated, as real gates do."""

    n_rated = 0

    def begin(self, video: Video) -> None:
        self.n_rated = 0

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        rows = np.empty((len(segments), len(texts)), np.float32)
        for row, segment in zip(rows, segments, strict=True):
            self.n_rated += 1
            for column, text in enumerate(texts):
                value = _noise(segment, f"dice {text.text} {self.n_rated}")
                row[column] = 0.0 if value < 1 / 3 else value
        return rows


def _noise(segment: Segment, salt: str) -> float:
    return zlib.crc32(f"{segment.video.id} {segment.index} {salt}".encode()) / 2**32


def _levels(uri: str) -> list[list[float]]:
    return [[float(word) for word in line.split()] for line in Path(uri).read_text().splitlines()]


class ColourEncoder(FakeEncoder):
    """The colours of the kit, under a name."""


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    target, options = f"{__name__}:Streets", f"{__name__}:StreetOptions"
    return [DatasetSpec(name="streets", summary="Streets", target=target, options=options)]


@hookimpl
def anyanomaly_register_readers() -> list[ReaderSpec]:
    suffixes = frozenset({".street"})
    return [ReaderSpec(name="street", summary="Streets", target=f"{__name__}:StreetReader", suffixes=suffixes)]


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    return [EncoderSpec(name="colour", summary="Mean colours", target=f"{__name__}:ColourEncoder")]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    return [BackendSpec(name="seeing", summary="Sees colours", target=f"{__name__}:SeeingBackend")]


@hookimpl
def anyanomaly_register_gates() -> list[GateSpec]:
    return [
        GateSpec(name="hint", summary="Guesses from the colours", target=f"{__name__}:HintGate"),
        GateSpec(name="dice", summary="Guesses by chance", target=f"{__name__}:DiceGate"),
    ]
