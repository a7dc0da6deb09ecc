"""How much of the time an LVLM of fixed speed waits for questions, on a 720p H.264 video and two cores.

    python benchmarks/speed/waiting.py [VIDEO] [--seconds 60] [--latency-ms 50] [--slots 16] [--cores 2] [--record]

The video is VIDEO, looped, scaled to 1280x720, with noise, as H.264 at 25 frames per second; without VIDEO it is a
synthetic one. The run is the program's own: real decoding, key frames, contexts. The backend shows nothing to a model:

- "slots": each question takes ``--latency-ms``, and up to ``--slots`` are answered side by side, as by a server;
- "in turn": each question takes ``--latency-ms`` of one engine, which has up to ``--slots`` of them at once.

The share of waiting is that of every run (docs/benchmarks.md): the part of the time from the first question to the last
answer without a question at the backend. The stages say what sets the pace: seconds of reading frames (two threads
decode), of the encoder and of the contexts, all on the thread that runs ahead.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
from anyanomaly_openai.pool import map_in_threads
from results import add_record_options, record, table

from anyanomaly import BackendSpec, hookimpl
from anyanomaly.api import Backend, Options
from anyanomaly.assemble import build
from anyanomaly.config.load import config_from_tables
from anyanomaly.engine.clock import StageClock
from anyanomaly.registry import load
from anyanomaly.testing.videos import synthetic_video
from anyanomaly.types import Answer, Query

TEXTS = ("bicycle", "dog", "car", "stroller", "umbrella")
SIZE = (1280, 720)
FPS = 25
NOISE = 3.0  # standard deviation in grey levels: sensors have it, and it makes H.264 harder to decode


class FixedOptions(Options):
    """Options of the backend of fixed speed."""

    seconds: float = 0.05
    slots: int = 16
    in_turn: bool = False


class FixedBackend(Backend[FixedOptions]):
    """Answers each question after a fixed time, several at once."""

    forms_batches = False
    works_while_pulling = True

    def __init__(self, options: FixedOptions) -> None:
        super().__init__(options)
        self.batch_size = options.slots
        self._engine = threading.Lock()

    @property
    def fingerprint(self) -> str:
        """A constant."""
        return "fixed"

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        """Return the same answer to each query."""
        return list(self.answer(queries))

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Yield answers as they are finished."""
        activity = self.activity

        def work(query: Query) -> Answer:
            with activity.work():
                if self.options.in_turn:
                    with self._engine:
                        time.sleep(self.options.seconds)
                else:
                    time.sleep(self.options.seconds)
            return Answer(query.id, "0.3")

        return map_in_threads(work, queries, self.options.slots)


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Register the backend of fixed speed."""
    target, options = f"{__name__}:FixedBackend", f"{__name__}:FixedOptions"
    return [BackendSpec(name="fixed", summary="Answers after a fixed time", target=target, options=options)]


def write_video(path: Path, source: str, seconds: float) -> None:
    """Write a 720p H.264 video of the frames of ``source``, looped, with noise."""
    random = np.random.default_rng(0)
    noise = random.normal(0, NOISE, (8, SIZE[1], SIZE[0], 1)).round().astype(np.int16)
    n_frames = round(seconds * FPS)
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        for number, image in zip(range(n_frames), _looped(source), strict=False):
            noisy = np.clip(image + noise[random.integers(len(noise))], 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(noisy, format="rgb24")
            frame.pts = number
            file.mux(stream.encode(frame))
        file.mux(stream.encode())


def _looped(source: str) -> Iterator[np.ndarray[Any, Any]]:
    while True:
        with av.open(source) as file:
            for frame in file.decode(video=0):
                yield frame.to_ndarray(width=SIZE[0], height=SIZE[1], format="rgb24")


def decoding_fps(path: Path) -> float:
    """Return the frames per second of reading the video alone."""
    registry = load([])
    tables = {"videos": [str(path)], "texts": ["car"], "encoder": "demo-clip", "backend": "similarity"}
    with build(config_from_tables(tables), registry) as pipeline:
        reader, video = pipeline.sources[0]
        start_s = time.perf_counter()
        n_frames = sum(1 for _ in reader.frames(video))
        return n_frames / (time.perf_counter() - start_s)


def measure(tables: dict[str, Any]) -> dict[str, Any]:
    """Run and return the figures of a row."""
    clock = StageClock()
    with build(config_from_tables(tables), load([__file__]), clock) as pipeline:
        for _ in pipeline.run():
            pass
        report = pipeline.report
    assert report.speed is not None
    assert report.speed.waiting_share is not None
    stages = report.speed.stages_s
    return {
        "questions": report.n_asked,
        "questions/s": f"{report.n_asked / report.speed.wall_s:.1f}",
        "x real time": f"{report.speed.real_time:.2f}",
        "waits": f"{report.speed.waiting_share:.1%}",
        **{f"{stage} s": f"{stages[stage]:.1f}" for stage in ("decode", "encode", "contexts")},
        "all s": f"{report.speed.wall_s:.1f}",
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", default="", help="whose frames are shown; default: synthetic")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the video")
    parser.add_argument("--latency-ms", type=float, default=50.0)
    parser.add_argument("--slots", type=int, default=16)
    parser.add_argument("--cores", type=int, default=2, help="that this process may use")
    parser.add_argument("--texts", type=int, nargs="+", default=[1, 5], help=f"how many, up to {len(TEXTS)}")
    parser.add_argument("--encoder", default="demo-clip", help="name of an encoder, or weights for openclip")
    parser.add_argument("--engines", nargs="+", choices=("slots", "in turn"), default=["slots", "in turn"])
    parser.add_argument("--settings", nargs="+", choices=("exact", "4 frames/s", "dense, 4 frames/s"), default=None)
    add_record_options(parser)
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])
    encoder: Any = arguments.encoder
    if Path(arguments.encoder).exists():
        encoder = {"name": "openclip", "model": arguments.encoder}
    settings: dict[str, dict[str, Any]] = {
        "exact": {},
        "4 frames/s": {"run": {"frames_per_second": 4}},
        "dense, 4 frames/s": {
            "run": {"frames_per_second": 4},
            "context": {"position": {"encoding": "dense"}, "temporal": {"encoding": "dense"}},
        },
    }
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        source = arguments.video
        if not source:
            source = str(Path(folder) / "synthetic.mp4")
            synthetic_video(source, n_frames=3 * FPS, size=(320, 180))
        path = Path(folder) / "720p.mp4"
        write_video(path, source, arguments.seconds)
        megabits = 8e-6 * path.stat().st_size / arguments.seconds
        about = (
            f"{arguments.seconds:g} s of {SIZE[0]}x{SIZE[1]} H.264 ({megabits:.1f} Mbit/s) from "
            f"{Path(arguments.video).name or 'a synthetic video'}, {FPS} frames/s; reading alone takes "
            f"{decoding_fps(path):.0f} frames/s on {arguments.cores} cores. Encoder {Path(arguments.encoder).name}; "
            f"{arguments.latency_ms:g} ms a question, {arguments.slots} at once."
        )
        print(about, flush=True)
        for engine in arguments.engines:
            for title in arguments.settings or settings:
                for n_texts in arguments.texts:
                    options = {"seconds": arguments.latency_ms / 1000, "slots": arguments.slots}
                    tables = {
                        "videos": [str(path)],
                        "texts": list(TEXTS[:n_texts]),
                        "encoder": encoder,
                        "backend": {"name": "fixed", **options, "in_turn": engine == "in turn"},
                        **settings[title],
                    }
                    tables["run"] = {"store": False, "scoring": "words", **tables.get("run", {})}
                    rows.append({"engine": engine, "settings": title, "texts": n_texts, **measure(tables)})
                    print(table(rows[-1:]), flush=True)
    if arguments.record:
        record("waiting", "How much of the time the LVLM waits", f"{about}\n\n{table(rows)}", arguments.results)


if __name__ == "__main__":
    main()
