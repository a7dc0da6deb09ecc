"""Components for tests that are not about models: fast and deterministic; on request they fail or reorder answers."""

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
    """Return an answer in words: how much the reddest pixel of the first image exceeds grey, as a score."""
    image = query.images[0].astype(int)
    excess = (image[..., 0] - image[..., 1:].max(axis=-1)).max()
    return f"{min(max(excess, 0), 200) / 200:.1f}. It is that red."


class FakeBackend(Backend[Options]):
    """Answers with a function of the query, and records its calls."""

    def __init__(
        self,
        answer: Callable[[Query], str] = redness,
        *,
        batch_size: int = 1,
        reorder: bool = False,
        fail_at: int | None = None,
    ) -> None:
        """:param answer: from a query to the answer's words. :param reorder: shuffle the answers of a batch.
        :param fail_at: number of queries after which the engine fails.
        """
        super().__init__(Options())
        self.batch_size = batch_size
        self._answer = answer
        self._reorder = reorder
        self._fail_at = fail_at
        self._loaded = False
        self.calls: list[int] = []  # queries per call

    @property
    def fingerprint(self) -> str:
        """A constant, for any arguments."""
        return "fake"

    def load(self) -> None:
        """Allow ``answer_batch``."""
        self._loaded = True

    def close(self) -> None:
        """Refuse ``answer_batch`` until the next ``load``."""
        self._loaded = False

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        """Answer in words, or with log-probabilities that favour the choice at the beginning of the words.

        :raises BackendError: before ``load``, and after ``fail_at`` queries.
        """
        if not self._loaded:
            raise BackendError("The backend 'fake' is not loaded. Call load() first.")
        self.calls.append(len(queries))
        if self._fail_at is not None and sum(self.calls) > self._fail_at:
            raise BackendError("The engine died.")
        answers = []
        for query in queries:
            words = self._answer(query)
            logprobs = {choice: -0.1 if words.startswith(choice) else -5.0 for choice in query.sampling.choices}
            answers.append(Answer(query.id, text="" if logprobs else words, logprobs=logprobs or None))
        return answers

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Answer a stream; with ``reorder`` the answers of each batch are shuffled.

        :raises BackendError: as ``answer_batch``.
        """
        stream = iter(queries)
        while batch := list(islice(stream, self.batch_size)):
            answers = self.answer_batch(batch)
            if self._reorder:
                random.Random(len(self.calls)).shuffle(answers)
            yield from answers


class FakeEncoder(Encoder[Options]):
    """Encodes mean colours: "red" is similar to a red image, without weights; other texts get fixed random vectors.

    Its dense windows equal exact ones.
    """

    dense_windows = True

    def __init__(self, options: Options | None = None, *, batch_size: int = 64) -> None:
        super().__init__(options or Options())
        self.batch_size = batch_size

    @property
    def fingerprint(self) -> str:
        """A constant, for any arguments."""
        return "fake-encoder"

    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Return each crop's mean colour, plus 1 so that none is zero, as unit vectors (n_crops, 3)."""
        rows = np.zeros((len(crops), 3), dtype=np.float32)
        for row, crop in zip(rows, crops, strict=True):
            x0, y0, x1, y1 = crop.box or (0, 0, *crop.frame.image.shape[1::-1])
            row[:] = crop.frame.image[y0:y1, x0:x1].mean(axis=(0, 1)) + 1
        return _unit(rows)

    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Return the colour that each text names, or a random vector seeded by the text, as vectors (n_texts, 3)."""
        rows = np.zeros((len(texts), 3), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            axes = [axis for colour, axis in _COLOURS.items() if colour in text.lower()]
            if axes:
                row[axes] = 1
            else:
                row[:] = np.random.default_rng(zlib.crc32(text.encode())).random(3)
        return _unit(rows) if unit else rows


class EndlessReader(Reader[Options]):
    """A live source: grey frames, red ones for one second in every four, without end."""

    def probe(self, uri: str) -> Video:
        """Return a live video of 8 frames per second."""
        return Video(uri, uri, 8.0, None, 16, 16, live=True)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield frames, without end."""
        for index in count(start, every):
            image = np.full((16, 16, 3), 90, dtype=np.uint8)
            if index % 32 >= 24:
                image[4:12, 4:12] = (255, 0, 0)
            yield Frame(video, index, index / video.fps, image)


class counting(Iterator[T]):
    """An iterator that counts the items taken from it, in ``n_pulled``."""

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
