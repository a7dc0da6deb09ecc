"""Components for tests that are not about models: quick, deterministic, and able to misbehave on request."""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import count, islice
from typing import TypeVar

import numpy as np

from anyanomaly.api import Backend, Encoder, Options, Reader
from anyanomaly.errors import BackendError
from anyanomaly.types import Answer, Crop, FloatArray, Frame, Query, Video

T = TypeVar("T")

_COLOURS = {"red": 0, "green": 1, "blue": 2}


def redness(query: Query) -> str:
    """Answer by how much redder than the rest the reddest part of the first image is: a score in words."""
    image = query.images[0].astype(int)
    excess = (image[..., 0] - image[..., 1:].max(axis=-1)).max()
    return f"{min(max(excess, 0), 200) / 200:.1f}. It is that red."


class FakeBackend(Backend[Options]):
    """Answers with a function of the query; can reorder, fail at the n-th query, and counts its calls."""

    def __init__(
        self,
        answer: Callable[[Query], str] = redness,
        *,
        batch_size: int = 1,
        reorder: bool = False,
        fail_at: int | None = None,
    ) -> None:
        super().__init__(Options())
        self.batch_size = batch_size
        self._answer = answer
        self._reorder = reorder
        self._fail_at = fail_at
        self._loaded = False
        self.calls: list[int] = []  # queries per call

    @property
    def fingerprint(self) -> str:
        """One model, whatever it is told to do."""
        return "fake"

    def load(self) -> None:
        """Be ready."""
        self._loaded = True

    def close(self) -> None:
        """Be no longer ready."""
        self._loaded = False

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        """Answer; log-probabilities favour the choice that the words state.

        :raises BackendError: before ``load``, and at the query it was told to fail at.
        """
        if not self._loaded:
            raise BackendError("The backend 'fake' is used before load().")
        self.calls.append(len(queries))
        if self._fail_at is not None and sum(self.calls) > self._fail_at:
            raise BackendError("The engine died.")
        answers = []
        for query in queries:
            words = self._answer(query)
            likely = {choice: -0.1 if words.startswith(choice) else -5.0 for choice in query.sampling.choices}
            answers.append(Answer(query.id, text="" if likely else words, logprobs=likely or None))
        return answers

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Answer a stream, within each batch in another order when told to."""
        stream = iter(queries)
        while batch := list(islice(stream, self.batch_size)):
            answers = self.answer_batch(batch)
            if self._reorder:
                random.Random(len(self.calls)).shuffle(answers)
            yield from answers


class FakeEncoder(Encoder[Options]):
    """Mean colours: "red" is like a red picture without any weights; other words get a direction of their own."""

    def __init__(self, options: Options | None = None, *, batch_size: int = 64) -> None:
        super().__init__(options or Options())
        self.batch_size = batch_size

    @property
    def fingerprint(self) -> str:
        """There is only one."""
        return "fake-encoder"

    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Return the unit vector of each crop's mean colour, offset so that none is zero."""
        rows = np.zeros((len(crops), 3), dtype=np.float32)
        for row, crop in zip(rows, crops, strict=True):
            x0, y0, x1, y1 = crop.box or (0, 0, *crop.frame.image.shape[1::-1])
            row[:] = crop.frame.image[y0:y1, x0:x1].mean(axis=(0, 1)) + 1
        return _unit(rows)

    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Return the colour that a text names, or a direction made from its letters."""
        rows = np.zeros((len(texts), 3), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            named = [axis for colour, axis in _COLOURS.items() if colour in text.lower()]
            if named:
                row[named] = 1
            else:
                row[:] = np.random.default_rng(zlib.crc32(text.encode())).random(3)
        return _unit(rows) if unit else rows


class EndlessReader(Reader[Options]):
    """A live source: grey frames, red ones for one second in every four, without end."""

    def probe(self, uri: str) -> Video:
        """Describe it."""
        return Video(uri, uri, 8.0, None, 16, 16, live=True)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield frames for ever."""
        for index in count(start, every):
            image = np.full((16, 16, 3), 90, dtype=np.uint8)
            if index % 32 >= 24:
                image[4:12, 4:12] = (255, 0, 0)
            yield Frame(video, index, index / video.fps, image)


class counting(Iterator[T]):
    """A stream that counts what was pulled from it."""

    def __init__(self, stream: Iterable[T]) -> None:
        self._stream = iter(stream)
        self.n_pulled = 0

    def __next__(self) -> T:
        item = next(self._stream)
        self.n_pulled += 1
        return item


def _unit(rows: FloatArray) -> FloatArray:
    if not len(rows):
        return rows
    unit: FloatArray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
