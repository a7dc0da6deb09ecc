"""Load checkpoints of the published sizes, with random weights, and answer: memory, time, share of the machine's peak.

    python benchmarks/speed/full_size.py all [--record]
    python benchmarks/speed/full_size.py qwen-hf --dtype bfloat16 --keep FOLDER

A row is a backend of table S4, or llama.cpp's; --help lists them. Its checkpoint is written in the layout in which the
original is published, tensor by tensor, and deleted afterwards; another process loads it with the backend and answers
questions of the preset `paper` about pictures of noise. One row runs at a time, and needs up to 18 GB of disk.

Memory is what the process and its children have resident, pages of mapped files included, as the kernel counts it.
*Weights* is what the weights take in memory: of torch modules counted, of the other engines the size of their files.
The script fails where loading takes over 2 GiB more than the weights.

*Prefill*: operations of an expected score (2 for each weight and token, and for each patch of the picture) per second,
divided by the machine's fastest product of matrices. *Decode*: bytes of the weights that a token reads per second,
divided by the speed at which the machine reads memory. Both peaks are measured in the same run. In 4 bits bitsandbytes
writes each matrix out in single precision before each product, so little of the bandwidth is left. CPUs without
instructions for bfloat16 multiply it ten times slower than single precision: there 4 bits are the faster choice.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from machine import GIB, Memory, MemoryWatch, Peak, measure_peak
from results import add_record_options, record, table

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from benchmarks.checkpoints.models import MODELS, Checkpoint, Model  # noqa: E402

DTYPES = ("bfloat16", "float32", "4bit")
OVERHEAD = 2 * GIB  # most that loading may take beside the weights
LONGEST = 2048  # tokens of a question with its answer, in vLLM
ANSWER_TOKENS = 50  # of an answer in words, as the paper's scorer allows
BYTES = {"bfloat16": 2.0, "float32": 4.0, "4bit": 0.5 + 4 / 64}  # per weight; in 4 bits, a float32 for 64 weights
Q6_K = 6.5625 / 8  # bytes per weight of the matrix that gives the next token, in llama.cpp's mix Q4_K_M


class RowError(Exception):
    """A row that could not be measured."""


class Measurement(NamedTuple):
    """What one process that loads and answers took."""

    weights: int  # bytes
    loading: Memory
    answering: Memory
    load_s: float
    expected: list[dict[str, Any]]  # events "expected" and "words" of benchmarks/checkpoints/answering.py
    words: list[dict[str, Any]]


def backend_options(model: Model, checkpoint: Checkpoint, dtype: str) -> dict[str, Any]:
    """Return the options of a row's backend."""
    if model.plugin == "anyanomaly-llamacpp":
        return checkpoint.options | {"device": "cpu"}
    if model.plugin == "anyanomaly-vllm":
        return checkpoint.options | {"dtype": dtype, "kv_cache_gib": 0.25, "max_model_len": LONGEST}
    options = checkpoint.options | {"device": "cpu"}
    options |= {"quantization": "4bit"} if dtype == "4bit" else {"dtype": dtype}
    if model.plugin != "anyanomaly-transformers":
        options["profile"] = "recommended"  # greedy: beams would read each prompt several times
    return options


def run_row(
    model: Model,
    checkpoint: Checkpoint,
    dtype: str,
    picture: tuple[int, int],
    n_questions: int,
    n_words: int,
    seconds: float,
) -> Measurement:
    """Load a checkpoint in another process, let it answer, and measure both.

    :param picture: width and height in pixels. :param n_words: tokens of an answer in words.
    :param seconds: no further expected score is asked for when it would end after this time.
    :raises RowError: when the process fails.
    """
    task = {
        "backend": model.backend,
        "options": backend_options(model, checkpoint, dtype),
        "picture": picture,
        "system": model.backend.startswith("qwen"),
        "questions": n_questions,
        "words": n_words,
        "seconds": seconds,
        "loads_with_first_question": model.plugin == "anyanomaly-vllm",
    }
    program = [sys.executable, "-m", "benchmarks.checkpoints.answering"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(program, cwd=ROOT, stderr=log, text=True, **pipes) as process,
    ):
        try:
            return _measure(process, task, checkpoint)
        except (RowError, BrokenPipeError) as error:
            code = process.wait()
            log.seek(0)
            lines = log.read().strip().splitlines() or ["no message; killed, perhaps because memory ran out"]
            raise RowError(f"{model.label} in {dtype} ended early (exit code {code}): {lines[-1]}") from error
        finally:
            process.kill()


def _measure(process: subprocess.Popen[str], task: dict[str, Any], checkpoint: Checkpoint) -> Measurement:
    assert process.stdin is not None
    print(json.dumps(task), file=process.stdin, flush=True)
    events: dict[str, list[dict[str, Any]]] = {"expected": [], "words": [], "loaded": []}
    with MemoryWatch(process.pid) as watch:
        for event in _events(process):
            name = event.pop("event")
            if name in ("start", "loaded", "answered"):
                watch.phase({"start": "loading", "loaded": "answering", "answered": ""}[name])
            if name in events:
                events[name].append(event)
            if name == "answered":
                break
        else:
            raise RowError
    (loaded,) = events["loaded"]
    weights = loaded["weights"] or _file_bytes(checkpoint)
    return Measurement(
        weights,
        watch.peaks["loading"],
        watch.peaks["answering"],
        loaded["seconds"],
        events["expected"],
        events["words"],
    )


def _events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield the events of the process, which waits after each of them."""
    assert process.stdin is not None
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith('{"event"'):
            yield json.loads(line)
            print(file=process.stdin, flush=True)


def _file_bytes(checkpoint: Checkpoint) -> int:
    """Return the size of the weights' files."""
    paths = [Path(checkpoint.options[name]) for name in ("model", "mmproj") if name in checkpoint.options]
    files = [file for path in paths for file in (path.glob("*.safetensors") if path.is_dir() else [path])]
    return sum(file.stat().st_size for file in files)


def row(model: Model, checkpoint: Checkpoint, dtype: str, measured: Measurement, peak: Peak) -> dict[str, Any]:
    """Return a row of the table."""
    expected_s = min(event["seconds"] for event in measured.expected)
    n_prompt = measured.expected[0]["tokens"]
    *first, several = measured.words
    one = first[0] if first else {"seconds": expected_s, "tokens": 1}
    n_more = several["tokens"] - one["tokens"]
    token_s = max(several["seconds"] - one["seconds"], 0.0) / n_more if n_more else 0.0
    layer_bytes = BYTES[dtype] if checkpoint.bits is None else checkpoint.bits / 8
    head_bytes = Q6_K if checkpoint.bits else BYTES["float32" if dtype == "4bit" else dtype]
    token_bytes = checkpoint.layers * layer_bytes + checkpoint.head * head_bytes
    overhead = measured.loading.total - measured.weights
    return {
        "model": model.label,
        "precision": "Q4_K_M" if checkpoint.bits else dtype,
        "weights GiB": _gib(measured.weights),
        "peak loading": _gib(measured.loading.total),
        "of it mapped files": _gib(measured.loading.files),
        "beside the weights": _gib(overhead),
        "peak answering": _gib(measured.answering.total),
        "mapped files": _gib(measured.answering.files),
        "load s": f"{measured.load_s:.1f}",
        "tokens in (of the picture)": f"{n_prompt} ({model.image_tokens})",
        "s, expected score": f"{expected_s:.2f}",
        "s per token": f"{token_s:.3f}" if token_s else "-",
        f"s, words ({ANSWER_TOKENS} tokens)": f"{expected_s + ANSWER_TOKENS * token_s:.0f}" if token_s else "-",
        "prefill, % of peak": f"{checkpoint.operations(n_prompt) / expected_s / max(peak.gflops.values()) / 1e7:.0f}",
        "decode, % of bandwidth": f"{token_bytes / token_s / peak.bandwidth / 1e7:.0f}" if token_s else "-",
        "fails": f"over weights + {OVERHEAD // GIB} GiB" if overhead > OVERHEAD else "-",
    }


def _gib(n_bytes: float) -> str:
    return f"{n_bytes / GIB:.2f}"


def check_space(folder: Path, model: Model, size: str) -> None:
    """Check that a checkpoint fits on the disk.

    :raises RowError: when it does not.
    """
    needed = model.n_bytes * 1.02 if size == "full" else 3 * 10**9 if size == "half" else 10**8
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RowError(
            f"{model.label} needs {needed / 1e9:.1f} GB of disk in {folder}, and {free / 1e9:.1f} GB are free. "
            "Remove files, or give a folder on another disk with --keep or TMPDIR."
        )


def measure(model: Model, dtypes: Sequence[str], arguments: argparse.Namespace, peak: Peak) -> Iterator[dict[str, Any]]:
    """Write a checkpoint, and yield its row in each precision; a kept one is used again."""
    with tempfile.TemporaryDirectory(prefix="full-size-") as temporary:
        folder = (arguments.keep or Path(temporary)) / f"{model.write.__name__.removeprefix('write_')}-{arguments.size}"
        check_space(arguments.keep or Path(temporary), model, arguments.size)
        start = time.perf_counter()
        shutil.rmtree(folder, ignore_errors=True)
        checkpoint = model.write(folder, arguments.size)
        if arguments.size == "full":
            os.sync()  # so that the disk is idle again
        print(f"{model.label}: written in {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
        for dtype in dtypes:
            picture = arguments.picture
            limits = (picture, arguments.questions, arguments.words, arguments.seconds)
            measured = run_row(model, checkpoint, dtype, *limits)
            yield row(model, checkpoint, dtype, measured, peak)


def _picture(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    return int(width), int(height)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", nargs="+", choices=[*MODELS, "all"], metavar="MODEL", help=f"all, {', '.join(MODELS)}"
    )
    parser.add_argument("--dtype", nargs="+", choices=DTYPES, default=["4bit"], help="a row without these: its own")
    parser.add_argument("--size", choices=("tiny", "half", "full"), default="full", help="half: half a billion weights")
    parser.add_argument("--picture", type=_picture, default=(224, 224), help="width and height, such as 640x360")
    parser.add_argument("--questions", type=int, default=3, help="most expected scores")
    parser.add_argument("--words", type=int, default=6, help="tokens of the answer in words that is timed")
    parser.add_argument("--seconds", type=float, default=120, help="time for the expected scores of a row")
    parser.add_argument("--keep", type=Path, help="a folder for the checkpoints, which then stay")
    add_record_options(parser)
    return parser.parse_args()


def main() -> int:
    """Measure, print, record; return 1 when a row fails."""
    arguments = _parse()
    names = list(MODELS) if "all" in arguments.models else arguments.models
    peak = measure_peak()
    about = (
        f"Checkpoints of the published sizes with random weights, {arguments.picture[0]}x{arguments.picture[1]} "
        f"pictures, {os.cpu_count()} cores. Measured peak: {peak.describe()}. Memory in GiB."
    )
    if arguments.size != "full":
        about = f"Size {arguments.size}, not the published one. {about}"
    print(about, flush=True)
    rows: list[dict[str, Any]] = []
    failures: list[str] = []
    for name in names:
        model = MODELS[name]
        dtypes = [dtype for dtype in arguments.dtype if dtype in model.dtypes] or list(model.dtypes[:1])
        try:
            for measured in measure(model, dtypes, arguments, peak):
                rows.append(measured)
                print(table([measured]), flush=True)
                if arguments.record:  # after each row: finished rows stay when a later one fails
                    record("full_size", "Full-size checkpoints", f"{about}\n\n{table(rows)}", arguments.results)
        except RowError as error:
            failures.append(str(error))
            print(error, file=sys.stderr, flush=True)
    return int(bool(failures) or any(row["fails"] != "-" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
