"""A one-file plugin, given with ``-p``: a reader of made scenes, an encoder of colours, a backend that sees red."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import typer
from pydantic import Field, SecretStr

from anyanomaly import BackendSpec, EncoderSpec, ReaderSpec, hookimpl
from anyanomaly.api import Backend, Options, Reader
from anyanomaly.errors import BackendError, VideoError
from anyanomaly.testing.fakes import FakeEncoder, redness
from anyanomaly.types import Answer, Frame, Query, Video

FPS = 8.0


class ColourEncoder(FakeEncoder):
    """The colours of the kit, under a name."""


class SceneReader(Reader[Options]):
    """Reads a text file: how many frames, and at which it breaks; red from second 1 to second 2."""

    def probe(self, uri: str) -> Video:
        path = Path(uri)
        if not path.is_file():
            raise VideoError(f"There is no video {uri}.")
        return Video(path.stem, uri, FPS, int(path.read_text().split()[0]), 32, 32)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        words = Path(video.uri).read_text().split()
        stop = int(words[-1])
        for index in range(start, stop, every):
            image = np.full((32, 32, 3), 90, dtype=np.uint8)
            if FPS <= index < 2 * FPS:
                image[8:24, 8:24] = (255, 0, 0)
            yield Frame(video, index, index / FPS, image)
        if len(words) > 1:
            raise VideoError(f"{video.uri} breaks off: {stop} of {words[0]} frames could be read.")


class RedOptions(Options):
    """How the backend answers, and how it misbehaves."""

    words: str = Field("", repr=False, description="answer with these words always")
    level: float = Field(1.0, ge=0, description="multiply scores by this")
    mode: Literal["plain", "fancy"] = Field("plain", description="how to speak")
    loud: bool = Field(False, description="speak up")
    names: tuple[str, ...] = Field((), description="names it knows")
    token: SecretStr = Field(SecretStr(""), description="secret of a service")
    fail: Literal["", "engine", "interrupt", "bug"] = Field("", description="what goes wrong at the third query")


class RedBackend(Backend[RedOptions]):
    """Answers how red the picture is."""

    n_queries = 0
    loaded = False

    def load(self) -> None:
        self.loaded = True

    def close(self) -> None:
        self.loaded = False

    @property
    def fingerprint(self) -> str:
        if not self.loaded:
            raise BackendError("The model is not loaded.")
        return f"red {self.options.words}"

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        self.n_queries += len(queries)
        if any(query.id.video.startswith(os.environ.get("RED_FAILS_AT", "none")) for query in queries):
            raise BackendError("The engine died.")
        if self.n_queries > 2 and self.options.fail:
            raise {"engine": BackendError("The engine died."), "interrupt": KeyboardInterrupt()}.get(
                self.options.fail, RuntimeError("a bug")
            )
        return [Answer(query.id, text=self.options.words or redness(query)) for query in queries]


@hookimpl
def anyanomaly_register_readers() -> list[ReaderSpec]:
    return [
        ReaderSpec(name="scene", summary="Scenes", target=f"{__name__}:SceneReader", suffixes=frozenset({".scene"}))
    ]


@hookimpl
def anyanomaly_register_encoders() -> list[EncoderSpec]:
    return [EncoderSpec(name="colour", summary="Mean colours", target=f"{__name__}:ColourEncoder")]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    target, options = f"{__name__}:RedBackend", f"{__name__}:RedOptions"
    lacking = ("no-such-thing>=2",)
    return [
        BackendSpec(name="red", summary="Sees red", target=target, options=options),
        BackendSpec(name="cloud", summary="Sends frames away", target=target, options=options, network=True),
        BackendSpec(
            name="lacking",
            summary="Lacks something",
            target=target,
            options=options,
            requires=lacking,
            install="it",
        ),
    ]


@hookimpl
def anyanomaly_register_commands(app: typer.Typer) -> None:
    @app.command()
    def hello(name: str) -> None:
        """Greet somebody."""
        typer.echo(f"hello {name}")
