"""Requests in vLLM's engine over time: fed in windows, which drain at their end, and fed continuously.

    python benchmarks/speed/in_flight.py [--questions 64] [--batch-size 8] [--make-ms 0] [--record]

The model is a tiny Qwen2.5-VL with random weights in vLLM on this machine. The questions are in words; their answers
have between 4 and 64 tokens, so a window waits for its longest. "Windows" is the schedule of backends that answer batch
by batch: pull as many questions as fit, answer all, pull the next. "Continuous" is `VllmBackend.answer`. Both ask the
same questions of the same engine, after a warm-up. ``--make-ms`` is the time that each question takes to make.

A thread samples how many questions are in the engine, 50 times a second. A sparkline shows the mean of each column.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from results import add_record_options, record, table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from anyanomaly_vllm.backend import VllmBackend  # noqa: E402
from anyanomaly_vllm.options import VllmOptions  # noqa: E402

from anyanomaly.api import Activity, Backend  # noqa: E402
from anyanomaly.types import Answer, Query, QueryId, Sampling  # noqa: E402
from tests.support.tiny_models import make_model  # noqa: E402

LEVELS = "▁▂▃▄▅▆▇█"
WIDTH = 72
SAMPLE_S = 0.02
TOKENS = (4, 64)


def make_queries(n_queries: int, seed: int = 0) -> list[Query]:
    """Return questions about different images, with answers of different lengths."""
    random = np.random.default_rng(seed)
    return [
        Query(
            QueryId("video", number, "bicycle", "key"),
            (random.integers(0, 256, (112, 168, 3), dtype=np.uint8),),
            "Is there a bicycle?",
            sampling=Sampling(max_tokens=int(random.integers(*TOKENS, endpoint=True))),
        )
        for number in range(n_queries)
    ]


def sample_in_flight(
    backend: VllmBackend, answer: Callable[[Iterable[Query]], Iterator[Answer]], queries: Sequence[Query], make_s: float
) -> tuple[list[int], float]:
    """Return the samples of the number of questions in the engine, and the seconds that all answers took."""
    samples: list[int] = []
    has_ended = threading.Event()
    backend.activity = Activity()

    def sample() -> None:
        while not has_ended.wait(SAMPLE_S):
            samples.append(backend.activity.n_queries)

    def stream() -> Iterator[Query]:
        for query in queries:
            time.sleep(make_s)
            yield query

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    start_s = time.perf_counter()
    n_answers = sum(1 for _ in answer(stream()))
    seconds = time.perf_counter() - start_s
    has_ended.set()
    thread.join()
    assert n_answers == len(queries)
    return samples, seconds


def sparkline(samples: Sequence[int], most: int) -> str:
    """Return samples over time as a line of blocks."""
    columns = [part for part in np.array_split(samples, min(WIDTH, len(samples))) if len(part)]
    return "".join(LEVELS[min(7, int(8 * np.mean(column) / (most + 1e-9)))] for column in columns)


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=8, help="questions in the engine at once")
    parser.add_argument("--make-ms", type=float, default=0.0, help="time to make a question")
    add_record_options(parser)
    arguments = parser.parse_args()
    rows, lines = [], []
    with tempfile.TemporaryDirectory() as folder:
        model = make_model("qwen2_5_vl", Path(folder) / "model")
        options = VllmOptions(
            model=str(model), kv_cache_gib=0.5, batch_size=arguments.batch_size, max_model_len=512, prepare_processes=0
        )
        with VllmBackend(options) as backend:
            list(backend.answer(make_queries(arguments.batch_size, seed=1)))
            queries = make_queries(arguments.questions)
            # The same questions again with another image each, so that no schedule finds the other's prefix cache.
            inverted = [replace(query, images=(255 - query.images[0],)) for query in queries]

            def answer_in_windows(stream: Iterable[Query]) -> Iterator[Answer]:
                return Backend.answer(backend, stream)

            for title, answer, asked in (
                ("windows", answer_in_windows, queries),
                ("continuous", backend.answer, inverted),
            ):
                samples, seconds = sample_in_flight(backend, answer, asked, arguments.make_ms / 1000)
                times = backend.activity.times()
                tenth, median = np.percentile(samples, (10, 50))
                rows.append(
                    {
                        "fed": title,
                        "in flight, mean": f"{statistics.mean(samples):.1f}",
                        "10th percentile": f"{tenth:.0f}",
                        "median": f"{median:.0f}",
                        "most": max(samples),
                        "engine waits": f"{times.waiting_s / times.span_s:.1%}",
                        "seconds": f"{seconds:.1f}",
                    }
                )
                lines.append(f"{title:>10} {sparkline(samples, arguments.batch_size)}")
    text = f"{table(rows)}\n```\n" + "\n".join(lines) + "\n```"
    print(text)
    if arguments.record:
        about = (
            f"{arguments.questions} questions with answers of {TOKENS[0]} to {TOKENS[1]} tokens, at most "
            f"{arguments.batch_size} at once, {arguments.make_ms:g} ms to make one; tiny random Qwen2.5-VL in vLLM on "
            "a CPU."
        )
        record("in-flight", "Requests in flight in vLLM", f"{about}\n\n{text}", arguments.results)


if __name__ == "__main__":
    main()
