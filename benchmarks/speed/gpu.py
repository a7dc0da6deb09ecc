"""Measure the paper's models on a GPU, in at most 8 minutes and without a download.

    python benchmarks/speed/gpu.py [-o FOLDER] [--seconds 480] [--video VIDEO] [--record]
    python benchmarks/speed/gpu.py --size tiny --device cpu --engines transformers      # a rehearsal without a GPU

Qwen2.5-VL 3B and 7B of the published sizes with random weights, in vLLM and in transformers, with the three contexts
and with the key frames alone, for 1 and 5 texts: in words (answers of 50 tokens) and with the expected score. Runs have
the preset `paper`, with a CLIP ViT-B/32 of random weights, on a video of 1280x720 pixels, decoded by all cores.

Each engine runs in a process of its own, which loads a model once. The rows come in the order of their importance. Each
is written when it is measured: to rows.jsonl and table.md in the folder of -o, by default that of $OUT, else gpu-speed.
A row that does not fit into the time is reported as skipped, one that fails with its error.

* FPS: frames of full-length segments times texts per second, from the first frame read to the last score, as the paper
  counts.
* % of peak: operations of the language model and the image tower (2 for each weight and token or patch) per second,
  divided by the speed of a product of large matrices in bfloat16, measured on the device in the same run.
* waiting: share of the time in which the LVLM has nothing to do.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from machine import Peak, measure_peak
from results import add_record_options, record, table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from anyanomaly.processes import descendants, end_processes  # noqa: E402
from anyanomaly.testing.videos import synthetic_video  # noqa: E402
from benchmarks.checkpoints.models import Checkpoint, write_qwen  # noqa: E402
from benchmarks.checkpoints.speed_rows import write_encoder  # noqa: E402

TEXTS = ("bicycle", "car", "person running", "throwing", "jumping")
ANSWER_TOKENS = 50
SEGMENT = 24  # frames
KEY_SIZE, VIEW_SIZE = (1280, 720), (224, 224)
CLOSING_S = 10  # kept free at the end of the time, to end processes


def run_name(contexts: str, n_texts: int, scoring: str) -> str:
    """Return the name of a run."""
    return f"{contexts}, {n_texts} {'text' if n_texts == 1 else 'texts'}, {scoring}"


RUNS = [
    (contexts, n_texts, scoring)
    for contexts, n_texts in (("3 contexts", 1), ("3 contexts", 5), ("key frames", 1), ("key frames", 5))
    for scoring in ("words", "expected")
]
"""What is run in each engine, the most important first."""


def tables_of(contexts: str, n_texts: int, scoring: str) -> dict[str, Any]:
    """Return the settings of a run."""
    return {
        "texts": list(TEXTS[:n_texts]),
        "contexts": ["key", "position", "temporal"] if contexts == "3 contexts" else ["key"],
        "run": {
            "scoring": "published" if scoring == "words" else "expected",
            "max_tokens": ANSWER_TOKENS,
            "temperature": 0.0,
            "repetition_penalty": 1.0,
            "store": False,
        },
    }


def backend_of(engine: str, checkpoint: Checkpoint, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the choice of a backend."""
    options: dict[str, Any] = {"model": checkpoint.options["model"]}
    if arguments.device == "cpu":
        options["dtype"] = "float32"
    if engine == "vllm":
        if arguments.device == "cpu":
            options["kv_cache_gib"] = 1
        return {"name": "qwen-vllm", **options}
    return {"name": "qwen-hf", "device": arguments.device, **options}


def operations(checkpoint: Checkpoint, row: Mapping[str, Any], n_key_tokens: int, n_view_tokens: int) -> float:
    """Return the operations of a run: of its tokens in the language model, and of its patches in the image tower."""
    n_answers = row["n_segments"] * row["n_texts"] * row["n_contexts"]
    n_views = row["n_segments"] * row["n_texts"] * (row["n_contexts"] - 1)
    n_image_tokens = row["n_segments"] * row["n_texts"] * n_key_tokens + n_views * n_view_tokens
    n_tokens = row["prompt_tokens"] + row["output_tokens"]
    n_heads = max(row["output_tokens"], n_answers)
    return 2.0 * (checkpoint.layers * n_tokens + checkpoint.head * n_heads + checkpoint.tower * 4 * n_image_tokens)


def image_tokens(size: tuple[int, int]) -> int:
    """Return the tokens of a picture of (width, height) in Qwen2.5-VL, as long as it is not too large."""
    return max(round(size[0] / 28), 1) * max(round(size[1] / 28), 1)


def table_row(model: str, engine: str, row: Mapping[str, Any], checkpoint: Checkpoint, peak: Peak) -> dict[str, str]:
    """Return a row of the table."""
    cells = {"model": model, "engine": engine, "run": row["name"]}
    if "error" in row:
        reason = {"FPS": "-", "% of peak": "-", "waiting": "-", "tokens per answer": "-", "segments": "-"}
        return cells | reason | {"remark": row["error"].splitlines()[0]}
    share = operations(checkpoint, row, row["key_tokens"], image_tokens(VIEW_SIZE)) / row["wall_s"]
    n_answers = row["n_segments"] * row["n_texts"] * row["n_contexts"]
    waiting = row.get("waiting_share")
    load_s = sum(row["load_s"].values())
    return cells | {
        "FPS": f"{row['paper_fps']:.3g}",
        "% of peak": f"{share / max(peak.gflops.values()) / 1e7:.1f}",
        "waiting": "-" if waiting is None else f"{waiting:.1%}",
        "tokens per answer": f"{row['output_tokens'] / n_answers:.1f}",
        "segments": str(row["n_segments"]),
        "remark": f"models loaded in {load_s:.0f} s" if row.get("is_first") else "-",
    }


class Report:
    """The rows, written to files as soon as they are known."""

    def __init__(self, folder: Path, about: str, record_to: Path | None) -> None:
        self.folder, self.about, self._record_to = folder, about, record_to
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rows.jsonl").write_text("", encoding="utf-8")
        self.rows: list[dict[str, str]] = []

    def add(self, cells: dict[str, str], figures: Mapping[str, Any]) -> None:
        """Add a row."""
        self.rows.append(cells)
        with (self.folder / "rows.jsonl").open("a", encoding="utf-8") as file:
            print(json.dumps({**cells, "figures": figures}), file=file)
        text = f"{self.about}\n\n{table(self.rows)}"
        (self.folder / "table.md").write_text(text, encoding="utf-8")
        print(" | ".join(cells.values()), flush=True)
        if self._record_to:
            record("gpu", "Qwen2.5-VL on a GPU", text, self._record_to)


def rows_of(job: Mapping[str, Any], limit_s: float, log: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a process that measures; it is ended after ``limit_s`` seconds."""
    program = [sys.executable, "-m", "benchmarks.checkpoints.speed_rows"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(program, cwd=ROOT, stderr=errors, text=True, start_new_session=True, **pipes) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        timer = threading.Timer(max(limit_s, 0.0), _end, [process])
        timer.start()
        try:
            print(json.dumps(job), file=process.stdin, flush=True)
            for line in process.stdout:
                if line.startswith('{"row"'):
                    yield json.loads(line)
        except BrokenPipeError:
            pass  # it ended before it read its job: all its rows are missing
        finally:
            timer.cancel()
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """End a process and its descendants, which an engine starts."""
    pids = descendants(process.pid)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGTERM)
    end_processes(pids, 2.0)
    try:
        process.wait(3.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def measure_engine(
    label: str,
    engine: str,
    checkpoint: Checkpoint,
    tables: Mapping[str, Any],
    arguments: argparse.Namespace,
    report: Report,
    peak: Peak,
    limit_s: float,
) -> None:
    """Measure all runs of a model in an engine, as far as the time allows, and report each."""
    runs = [{"name": run_name(*run), "tables": tables_of(*run)} for run in RUNS[: arguments.runs]]
    contexts = {run["name"]: len(run["tables"]["contexts"]) for run in runs}
    job = {
        "tables": {**tables, "backend": backend_of(engine, checkpoint, arguments)},
        "runs": runs,
        "seconds": arguments.row_seconds,
        "segments": arguments.segments,
    }
    missing = [run["name"] for run in runs]
    log = report.folder / f"{label}-{engine}.log".replace(" ", "-")
    start = time.monotonic()
    if limit_s > 0:
        for row in rows_of(job, limit_s, log):
            missing.remove(row["name"])
            row |= {
                "n_contexts": contexts[row["name"]],
                "is_first": row["name"] == runs[0]["name"],
                "key_tokens": image_tokens(arguments.key_size),
            }
            report.add(table_row(label, engine, row, checkpoint, peak), row)
    is_out_of_time = time.monotonic() - start >= limit_s - 1
    for name in missing:
        reason = "skipped: no time left" if is_out_of_time else f"failed: see {log.name}"
        report.add(table_row(label, engine, {"name": name, "error": reason}, checkpoint, peak), {})


def make_video(arguments: argparse.Namespace, folder: Path) -> str:
    """Return the video; a clip is made where the user gives none. Its size becomes that of the key frames."""
    import cv2

    path = arguments.video
    if not path:
        path = str(folder / "clip.mp4")
        synthetic_video(path, n_frames=arguments.segments * SEGMENT, size=arguments.key_size)
    capture = cv2.VideoCapture(path)
    arguments.key_size = tuple(int(capture.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    arguments.segments = max(min(arguments.segments, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) // SEGMENT), 1)
    capture.release()
    return path


def describe_device(device: str) -> str:
    """Return the name of the device, and the releases."""
    import torch

    name = torch.cuda.get_device_name() if device.startswith("cuda") else f"CPU, {os.cpu_count()} cores"
    return f"{name}, torch {torch.__version__}"


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("tiny", "half", "full"), default="full", help="full: as published")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--models", nargs="+", choices=("3b", "7b"), default=["3b", "7b"])
    parser.add_argument("--engines", nargs="+", choices=("vllm", "transformers"), default=["vllm", "transformers"])
    parser.add_argument("--runs", type=int, default=len(RUNS), help="only so many of the runs of each engine")
    parser.add_argument("--video", default="", help="instead of a clip that is made")
    parser.add_argument("--segments", type=int, default=60, help="most segments of a row")
    parser.add_argument("--seconds", type=float, default=470, help="time for everything")
    parser.add_argument("--row-seconds", type=float, default=4, help="time that the measured part of a row should take")
    parser.add_argument("-o", "--output", type=Path, default=Path(os.environ.get("OUT") or "gpu-speed"))
    add_record_options(parser)
    arguments = parser.parse_args()
    arguments.key_size = KEY_SIZE if arguments.size != "tiny" else (320, 240)
    return arguments


def check_device(device: str, engines: Sequence[str]) -> None:
    """End with a message where the GPU or an engine is missing."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        sys.exit(
            f"torch {torch.__version__} sees no CUDA device here. To rehearse without one: --size tiny --device cpu"
        )
    for engine in engines:
        if find_spec(engine) is None:
            sys.exit(f"{engine} is not installed. Install it, or leave it out with --engines (docs/benchmarks.md).")


def main() -> int:
    """Measure and report; return 1 when a row failed."""
    arguments = _parse()
    end = time.monotonic() + arguments.seconds - (CLOSING_S if arguments.size == "full" else 0)
    check_device(arguments.device, arguments.engines)
    with tempfile.TemporaryDirectory(prefix="gpu-speed-") as name:
        work = Path(name)
        video = make_video(arguments, work)
        tables = {
            "preset": "paper",
            "videos": [video],
            "encoder": {"name": "openclip", "model": str(write_encoder(work / "clip", tiny=arguments.size == "tiny"))},
        }
        tables["encoder"]["device"] = arguments.device  # type: ignore[index]
        dtypes = ("bfloat16",) if arguments.device == "cuda" else ("float32",)
        peak = measure_peak(arguments.device, 1.0, dtypes)
        checkpoints = {variant: BackgroundCheckpoint(variant, work, arguments.size) for variant in arguments.models}
        about = (
            f"Size {arguments.size}, random weights. {describe_device(arguments.device)}. Measured peak: "
            f"{peak.describe()}. Video: {arguments.key_size[0]}x{arguments.key_size[1]} pixels. Answers in words: "
            f"{ANSWER_TOKENS} tokens."
        )
        report = Report(arguments.output, about, arguments.results if arguments.record else None)
        print(about, flush=True)
        groups = [(variant, engine) for variant in arguments.models for engine in arguments.engines]
        for number, (variant, engine) in enumerate(groups):
            checkpoint = checkpoints[variant].wait()
            label = f"Qwen2.5-VL {variant.upper()}"
            # Those that come later get at least a third of an equal part of the time.
            remaining = end - time.monotonic()
            n_later = len(groups) - number - 1
            limit_s = remaining - n_later * remaining / len(groups) / 3
            measure_engine(label, engine, checkpoint, tables, arguments, report, peak, limit_s)
    print(f"Written: {arguments.output / 'table.md'}, {arguments.output / 'rows.jsonl'}")
    return int(any("failed" in row["remark"] or "Error" in row["remark"] for row in report.rows))


class BackgroundCheckpoint:
    """A checkpoint that is written by a thread while other models are measured."""

    def __init__(self, variant: str, work: Path, size: Any) -> None:
        self._result: Checkpoint | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, args=(variant, work, size), daemon=True)
        self._thread.start()

    def _write(self, variant: str, work: Path, size: Any) -> None:
        try:
            self._result = write_qwen(work / variant, size, variant)
        except BaseException as error:
            self._error = error

    def wait(self) -> Checkpoint:
        """Return the checkpoint when it is complete."""
        self._thread.join()
        if self._result is None:
            raise SystemExit(f"A checkpoint cannot be written: {self._error}")
        return self._result


if __name__ == "__main__":
    sys.exit(main())
