"""Time runs with and without evidence (what `Sink.wants_evidence` costs), in turn, in one process.

    python benchmarks/speed/evidence.py VIDEO [--texts 1 5] [--rounds 5] [--latency-ms 500] [--record]

Without evidence nothing is encoded. With it, the look-ahead thread encodes JPEG files of every segment and text: the
key frame, the frames of the sequence and the images of each question. A sink gets those of the events. The first
backend is ``similarity``, which asks no LVLM, with the encoder of the demo: all that evidence costs is visible. The
second one takes a fixed time per question, as an LVLM on another chip does, and gets one text only. Answers are not
stored.

Ratios are of the medians of all rounds. CPU seconds are of all threads of the process: of all measures, other programs
on the machine change them least. A backend that waits takes none, so for the second one the wall-clock seconds count.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from results import add_record_options, record, table

from anyanomaly import BackendSpec, hookimpl
from anyanomaly.api import Backend, Options, Sink, SinkOptions
from anyanomaly.assemble import build
from anyanomaly.config.load import config_from_tables
from anyanomaly.engine.outputs import Outputs
from anyanomaly.evidence import Evidence
from anyanomaly.registry import load
from anyanomaly.types import Answer, Query

TEXTS = ("bicycle", "dog", "car", "stroller", "umbrella")


class LatencyOptions(Options):
    """Options of the backend that waits."""

    seconds: float = 0.05


class LatencyBackend(Backend[LatencyOptions]):
    """Answers each question after a fixed time."""

    @property
    def fingerprint(self) -> str:
        """A constant."""
        return "latency"

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        """Return the same answer to each query."""
        time.sleep(self.options.seconds * len(queries))
        return [Answer(query.id, "0.3") for query in queries]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Register the backend that waits."""
    target = f"{__name__}:LatencyBackend"
    return [BackendSpec(name="latency", summary="Waits", target=target, options=f"{__name__}:LatencyOptions")]


class CountingSink(Sink[SinkOptions]):
    """Counts evidence and writes nothing."""

    def __init__(self, wants_evidence: bool) -> None:
        super().__init__(SinkOptions())
        self.wants_evidence = wants_evidence
        self.n_evidence = 0

    def write_evidence(self, evidence: Evidence) -> None:
        """Count it."""
        self.n_evidence += 1


def time_run(tables: dict[str, Any], *, with_evidence: bool) -> tuple[float, float]:
    """Return the CPU seconds and the wall-clock seconds of a run, without loading models."""
    sink = CountingSink(with_evidence)
    with build(config_from_tables(tables), load([__file__])) as pipeline:
        pipeline.outputs = Outputs([sink])
        start_cpu_s, start_s = time.process_time(), time.perf_counter()
        for _ in pipeline.run():
            pass
        seconds = time.process_time() - start_cpu_s, time.perf_counter() - start_s
    assert bool(sink.n_evidence) == with_evidence
    return seconds


def compare(tables: dict[str, Any], n_rounds: int) -> dict[str, Any]:
    """Return the median seconds without and with evidence, and their ratios."""
    seconds: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for number in range(n_rounds):
        for with_evidence in (False, True) if number % 2 else (True, False):
            seconds[with_evidence].append(time_run(tables, with_evidence=with_evidence))
    without, with_ = (
        [statistics.median(column) for column in zip(*seconds[with_evidence], strict=True)]
        for with_evidence in (False, True)
    )
    return {
        "CPU s without": f"{without[0]:.2f}",
        "with": f"{with_[0]:.2f}",
        "CPU ratio": f"{with_[0] / without[0]:.3f}",
        "wall s without": f"{without[1]:.2f}",
        "with ": f"{with_[1]:.2f}",
        "wall ratio": f"{with_[1] / without[1]:.3f}",
    }


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("--texts", type=int, nargs="+", default=[1, 5], help="numbers of event texts")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--latency-ms", type=float, default=500.0, help="time per question of the second backend")
    add_record_options(parser)
    arguments = parser.parse_args()
    latency = {"name": "latency", "seconds": arguments.latency_ms / 1000}
    cases: list[tuple[str, dict[str, Any], int]] = [
        *(("similarity", {"name": "similarity"}, n_texts) for n_texts in arguments.texts),
        (f"{arguments.latency_ms:g} ms per question", latency, 1),
    ]
    rows = []
    for title, backend, n_texts in cases:
        tables = {
            "videos": [arguments.video],
            "texts": list(TEXTS[:n_texts]),
            "encoder": "demo-clip",
            "backend": backend,
            "run": {"store": False},
        }
        rows.append({"backend": title, "texts": n_texts, **compare(tables, arguments.rounds)})
        print(table(rows[-1:]))
    if arguments.record:
        about = f"Runs over {Path(arguments.video).name} without and with evidence, {arguments.rounds} rounds."
        record("evidence", "What evidence costs", f"{about}\n\n{table(rows)}", arguments.results)


if __name__ == "__main__":
    main()
