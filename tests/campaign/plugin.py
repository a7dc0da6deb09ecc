"""The engine of the campaign: clips described by text files, an encoder, and a backend that answers as it is told.

A clip ``n seed`` has n frames at 8 per second; the pictures of segment k (8 frames) have the level of `level`.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydantic import Field

from anyanomaly import BackendSpec, DatasetSpec, EncoderSpec, ReaderSpec, hookimpl
from anyanomaly.api import Backend, Dataset, Options, Reader
from anyanomaly.errors import DatasetNotFound, VideoError
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.types import Answer, Frame, LabelledVideo, Query, Video

FPS = 8.0
SEGMENT = 8


def level(segment: int, seed: int) -> float:
    """Return the level of a segment's pictures: 0.0, 0.1 ... 1.0."""
    return (segment * 37 + seed * 11 + segment // 3) % 11 / 10


class ClipReader(Reader[Options]):
    """Reads a clip."""

    def probe(self, uri: str) -> Video:
        path = Path(uri)
        if not path.is_file():
            raise VideoError(f"There is no clip {uri}.")
        return Video(path.stem, uri, FPS, int(path.read_text().split()[0]), 16, 16)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        n_frames, seed = map(int, Path(video.uri).read_text().split())
        for index in range(start, n_frames, every):
            image = np.full((16, 16, 3), index // SEGMENT % 50, dtype=np.uint8)  # no two segments are equal
            image[..., 0] = round(25 * level(index // SEGMENT, seed)) + 1
            image[0, 0] = (index % 256, index // 256 % 256, seed % 256)
            yield Frame(video, index, index / FPS, image)


class LevelOptions(Options):
    """How the backend answers."""

    answers: str = Field("", description="JSON file of the answers, by number of the segment")
    log: str = Field("", description="file that gets a line per question")
    delay: float = Field(0.0, description="seconds per answer")
    batch: int = Field(1, ge=1, description="questions per batch")
    digest: bool = Field(False, description="answer with a digest of the images, which any other pixel changes")

    def named_files(self) -> list[Path]:
        """Return the answers: the log is written, and no answer depends on it."""
        return [Path(self.answers)] if self.answers else []


class LevelBackend(Backend[LevelOptions]):
    """Answers with the level of the picture, or with the words of a file."""

    def __init__(self, options: LevelOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch
        self._answers: list[str] = []

    def load(self) -> None:
        if self.options.answers:
            self._answers = json.loads(Path(self.options.answers).read_text())

    def close(self) -> None:
        """Nothing is held."""

    @property
    def fingerprint(self) -> str:
        return f"levels {self.options.answers} {self.options.digest}"

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        if self.options.log:
            with open(self.options.log, "a", encoding="utf-8", errors="surrogatepass") as log:
                log.writelines(json.dumps([query.id.video, query.id.segment, query.prompt]) + "\n" for query in queries)
        time.sleep(self.options.delay * len(queries))
        return [Answer(query.id, text=self._words(query)) for query in queries]

    def _words(self, query: Query) -> str:
        if self.options.digest:
            return f"{zlib.crc32(b''.join(image.tobytes() for image in query.images)) % 11 / 10:.1f}."
        if self._answers:
            return self._answers[query.id.segment % len(self._answers)]
        return f"{max(0, int(query.images[0][8, 8, 0]) - 1) / 25:.1f}. It has that level."


class ClipOptions(Options):
    """Which clips."""

    root: str = Field("", description="folder of the clips")
    n: int = Field(3, description="number of clips")


class Clips(Dataset[ClipOptions]):
    """Clips in which the segments above 0.5 are positive."""

    def videos(self) -> Iterator[LabelledVideo]:
        root = Path(self.options.root)
        if not root.is_dir():
            raise DatasetNotFound(f"There is no folder {root}.")
        for seed in range(self.options.n):
            path = root / f"{seed}.clip"
            if not path.exists():
                path.write_text(f"48 {seed}")
            labels = np.array([level(index // SEGMENT, seed) > 0.5 for index in range(48)])
            yield LabelledVideo(str(path), str(seed), ("red",), {"red": labels})


class LevelEncoder(FakeEncoder):
    """The colours of the kit."""


@hookimpl
def anyanomaly_register_readers() -> list[ReaderSpec]:
    return [ReaderSpec(name="clip", summary="Clips", target=f"{__name__}:ClipReader", suffixes=frozenset({".clip"}))]


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    return [EncoderSpec(name="levels", summary="Mean colours", target=f"{__name__}:LevelEncoder")]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    target, options = f"{__name__}:LevelBackend", f"{__name__}:LevelOptions"
    return [BackendSpec(name="levels", summary="Answers with levels", target=target, options=options)]


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    target, options = f"{__name__}:Clips", f"{__name__}:ClipOptions"
    return [DatasetSpec(name="clips", summary="Clips", target=target, options=options)]
