"""Time a run with and without outputs, when the language model is the bottleneck: a backend of fixed latency.

    python benchmarks/speed/outputs.py VIDEO [--outputs annotated.mp4] [--latency 0.3] [--repeats 3] [--record]

The backend sleeps for each question, as a server or a GPU leaves the CPUs free. Its answers rise and fall, so that
there are events with reasons. Runs with and without the outputs alternate, each in its own process; medians are
compared.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from results import add_record_options, record, table

PLUGIN = """
import math, os, time
from anyanomaly import BackendSpec, EncoderSpec, hookimpl
from anyanomaly.testing.fakes import FakeBackend

def answer(query):
    time.sleep(float(os.environ["BENCHMARK_LATENCY_S"]))
    score = 0.5 + 0.45 * math.sin(query.id.segment / 3)
    return f"{score:.2f}. Something moves from the left to the right, which fits the description {query.id.text!r}."

class Slow(FakeBackend):
    def __init__(self, options):
        super().__init__(answer, batch_size=1)

@hookimpl
def anyanomaly_register_backends():
    return [BackendSpec(name="slow", summary="s", target="outputs_plugin:Slow")]

@hookimpl
def anyanomaly_register_encoders():
    return [EncoderSpec(name="colour", summary="s", target="anyanomaly.testing.fakes:FakeEncoder")]
"""


def run_s(video: str, folder: Path, outputs: Sequence[str], latency_s: float, texts: Sequence[str]) -> float:
    """Return the time of a run with results as JSON lines and other outputs, in seconds."""
    plugin = folder / "outputs_plugin.py"
    plugin.write_text(PLUGIN)
    command = [sys.executable, "-m", "anyanomaly", "-q", "-p", str(plugin), "run", video, "--no-cache"]
    command += ["--backend", "slow", "--encoder", "colour", "-o", str(folder / "results.jsonl")]
    command += [word for text in texts for word in ("-t", text)]
    for output in outputs:
        # a folder is for clips
        command += ["-o", str(folder / output)] if "." in output else [f"--{output}", str(folder / output)]
    environment = dict(os.environ, ANYANOMALY_CACHE_DIR=str(folder), BENCHMARK_LATENCY_S=str(latency_s))
    begin_s = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert process.returncode == 0, process.stderr
    return time.perf_counter() - begin_s


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument(
        "--outputs", nargs="+", default=["annotated.mp4"], help="files, or `clips` for a folder of clips"
    )
    parser.add_argument("--texts", nargs="+", default=["a person", "a bottle"])
    parser.add_argument("--latency", type=float, default=0.3, help="seconds per question")
    parser.add_argument("--repeats", type=int, default=3)
    add_record_options(parser)
    arguments = parser.parse_args()
    times_s: dict[bool, list[float]] = {False: [], True: []}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(arguments.repeats):
            for has_outputs in times_s:
                outputs = arguments.outputs if has_outputs else ()
                times_s[has_outputs].append(
                    run_s(arguments.video, Path(name), outputs, arguments.latency, arguments.texts)
                )
    without_s, with_s = (statistics.median(times) for times in times_s.values())
    rows = {
        "outputs": ", ".join(arguments.outputs),
        "latency_s": arguments.latency,
        "without_s": round(without_s, 1),
        "with_s": round(with_s, 1),
        "ratio": round(with_s / without_s, 3),
    }
    print(table([rows]))
    if arguments.record:
        about = (
            f"Wall time of a run over {Path(arguments.video).name} with {len(arguments.texts)} event texts and a "
            f"backend that sleeps for each question, with and without other outputs than JSON lines; median of "
            f"{arguments.repeats} runs each, {os.cpu_count()} CPUs."
        )
        record("outputs", "Outputs", f"{about}\n\n{table([rows])}", arguments.results)


if __name__ == "__main__":
    main()
