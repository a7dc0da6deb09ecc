"""The same questions to several engines: expected scores alone, in a batch and again, and answers in words.

``python -m tests.support.engine_scores vllm OPTIONS...`` asks vLLM, once for each JSON object of options, and prints
one JSON object a line. vLLM's engines run in that one process: each starts in seconds, since nothing is imported again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.errors import AnyAnomalyError
from anyanomaly.types import Query, QueryId, Sampling

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "You are a vision anomaly detector."
SIZES = ((64, 96), (48, 88), (96, 64), (120, 120), (240, 320), (180, 60))  # height and width in pixels
WORDS = Sampling(max_tokens=6)


def make_queries(sampling: Sampling) -> list[Query]:
    """Return questions about images of several sizes, about two and three images, and about none."""
    one_image = [_query(number, [size], sampling) for number, size in enumerate(SIZES)]
    return [
        *one_image,
        _query(6, SIZES[:2], sampling, prompt="Is there a bicycle in one of the two? " * 2),
        _query(7, SIZES[1:4], sampling, system=SYSTEM, text_first=True),
        _query(8, (), sampling),
    ]


def _query(number: int, sizes: Sequence[tuple[int, int]], sampling: Sampling, **more: Any) -> Query:
    random = np.random.default_rng(number)
    images = []
    for height, width in sizes:
        image = np.full((height, width, 3), random.integers(0, 256, 3), np.uint8)
        image[height // 4 : height // 2, width // 4 : width // 2] = random.integers(0, 256, 3)
        images.append(image)
    prompt = more.pop("prompt", "Is there a bicycle?")
    return Query(QueryId("video", number, "bicycle", "key"), tuple(images), prompt, sampling=sampling, **more)


def ask_engine(backend: Any) -> dict[str, Any]:
    """Return the answers of a loaded backend.

    :returns: per query of `make_queries` the expected score in a batch (``scores``), with its ``mass`` and the
        ``prompt_tokens``, in the same batch ``again``, and ``alone``; and per query with one image the ``words``.
    """
    queries = make_queries(Sampling(choices=SCORES))
    answers = backend.answer_batch(queries)
    pairs = [expected_score(answer.logprobs or {}) for answer in answers]
    again = backend.answer_batch(queries)
    alone = [backend.answer_batch([query])[0] for query in queries]
    words = backend.answer_batch(make_queries(WORDS)[: len(SIZES)])
    return {
        "scores": [score for score, _ in pairs],
        "mass": [mass for _, mass in pairs],
        "prompt_tokens": [answer.prompt_tokens for answer in answers],
        "again": [expected_score(answer.logprobs or {})[0] for answer in again],
        "alone": [expected_score(answer.logprobs or {})[0] for answer in alone],
        "words": [answer.text for answer in words],
    }


def ask_transformers(**options: Any) -> dict[str, Any]:
    """Return the answers of transformers, in float32 on the CPU."""
    from anyanomaly_transformers.backend import TransformersBackend
    from anyanomaly_transformers.options import TransformersOptions

    with TransformersBackend(TransformersOptions(**{"device": "cpu", "dtype": "float32"} | options)) as backend:
        return ask_engine(backend)


def ask_vllm(*options: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the answers of vLLM for each of ``options``, all in one other process; ``error`` where one fails."""
    command = [sys.executable, "-m", "tests.support.engine_scores", "vllm", *map(json.dumps, options)]
    environment = {**os.environ, "PYTHONSAFEPATH": ""}  # this module is found in the current folder
    process = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    if process.returncode:
        raise RuntimeError(f"vLLM's process failed: {process.stderr[-2000:]}")
    return [json.loads(line) for line in process.stdout.splitlines()]


def _ask_in_process(options: Sequence[str]) -> Iterator[dict[str, Any]]:
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    from anyanomaly_vllm import engine
    from anyanomaly_vllm.backend import VllmBackend
    from anyanomaly_vllm.options import VllmOptions

    start = engine.Engine.__init__

    def start_in_process(self: engine.Engine, arguments: dict[str, Any], log: Any) -> None:
        start(self, {**arguments, "distributed_executor_backend": "uni"}, log)

    engine.Engine.__init__ = start_in_process  # type: ignore[method-assign]
    for text in options:
        settings = VllmOptions(**{"kv_cache_gib": 0.25, "batch_size": 16} | json.loads(text))
        try:
            with VllmBackend(settings) as backend:
                yield ask_engine(backend)
        except AnyAnomalyError as error:
            yield {"error": str(error)}


if __name__ == "__main__":
    for answers in _ask_in_process(sys.argv[2:]):
        print(json.dumps(answers), flush=True)
