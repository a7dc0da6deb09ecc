"""A plugin that stops at the place that WAIT_AT names, says so in the file WAIT_FILE, and waits for a signal."""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from anyanomaly import BackendSpec, DatasetSpec, ReaderSpec, hookimpl, interrupts
from anyanomaly.api import Backend, Dataset, Options, Reader
from anyanomaly.types import Answer, Frame, LabelledVideo, Query, Video

PLACE, _, MANNER = os.environ.get("WAIT_AT", "").partition(" ")
N_FRAMES = 40


def wait(place: str) -> None:
    """Wait for a minute when this is the place, in the manner of WAIT_AT."""
    if place != PLACE:
        return
    here = Path(os.environ["WAIT_FILE"])
    if MANNER == "child":  # in a session of its own, deaf to signals
        child = ["sh", "-c", f"trap '' INT TERM HUP; echo $$ > '{here}'; while :; do sleep 1; done"]
        subprocess.Popen(child, start_new_session=True)
    else:
        here.write_text("waiting\n")
    if MANNER == "native":  # without Python's lock, and without hearing signals
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
    if MANNER == "thread":
        interrupts.EXIT_LIMIT_S = 1.0  # the test need not wait for longer
        threading.Thread(target=time.sleep, args=(60,)).start()
        return
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        try:
            time.sleep(60)
        except BaseException:
            if MANNER == "swallow":
                return
            if MANNER == "translate":
                raise RuntimeError("the engine failed") from None
            raise


wait("import")


class WaitingReader(Reader[Options]):
    """Grey frames; the file's content is not used."""

    def probe(self, uri: str) -> Video:
        wait("probe")
        return Video(Path(uri).stem, uri, 8.0, N_FRAMES, 32, 32)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        for index in range(start, N_FRAMES, every):
            if index == 30:
                wait("frames")
            yield Frame(video, index, index / 8, np.full((32, 32, 3), index, dtype=np.uint8))


class WaitingBackend(Backend[Options]):
    """Answers in words; the fourth question waits."""

    fingerprint = "waiting"
    n_queries = 0

    def load(self) -> None:
        wait("load")

    def close(self) -> None:
        wait("close")

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        self.n_queries += 1
        if self.n_queries == 4:
            wait("answer")
        return [Answer(query.id, text="0.9. It is there.") for query in queries]


class WaitingDataset(Dataset[Options]):
    """One video of one class."""

    def videos(self) -> Iterator[LabelledVideo]:
        labels = np.arange(N_FRAMES) > 20
        labels.flags.writeable = False
        yield LabelledVideo("street.wait", "street", ("car",), labels={"car": labels})


@hookimpl
def anyanomaly_register_readers() -> list[ReaderSpec]:
    wait("hook")
    target = f"{__name__}:WaitingReader"
    return [ReaderSpec(name="waiting", summary="Grey", target=target, suffixes=frozenset({".wait"}))]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    return [BackendSpec(name="waiting", summary="Waits", target=f"{__name__}:WaitingBackend", cacheable=False)]


@hookimpl
def anyanomaly_register_datasets() -> list[DatasetSpec]:
    return [DatasetSpec(name="waiting", summary="One video", target=f"{__name__}:WaitingDataset")]
