"""A process that loads a checkpoint and answers questions: ``python -m benchmarks.checkpoints.answering``.

It reads a JSON object from the first line of standard input, writes a line of JSON for each event, and waits for a line
before it goes on: the process that started it measures memory, and must know what it is used for.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anyanomaly.core.expected import SCORES, expected_score
from anyanomaly.registry import load
from anyanomaly.types import Sampling
from benchmarks.checkpoints.questions import question


def weights_bytes() -> int:
    """Return the size of all weights of torch modules in this process; a weight in several modules counts once."""
    if "torch" not in sys.modules:
        return 0
    import torch

    sizes: dict[int, int] = {}

    def count(tensor: Any) -> None:
        if isinstance(tensor, torch.Tensor) and tensor.device.type != "meta":
            sizes[tensor.data_ptr()] = max(sizes.get(tensor.data_ptr(), 0), tensor.numel() * tensor.element_size())

    for thing in gc.get_objects():
        if isinstance(thing, torch.nn.Module):
            for value in (*thing._parameters.values(), *thing._buffers.values()):
                count(value)
                state = getattr(value, "quant_state", None)  # of bitsandbytes: scales of blocks
                for part in (state, getattr(state, "state2", None)):
                    for name in ("absmax", "code", "offset"):
                        count(getattr(part, name, None))
    return sum(sizes.values())


def main(task: Mapping[str, Any]) -> None:
    """Load, answer, and tell both."""

    def tell(event: str, **values: Any) -> None:
        print(json.dumps({"event": event, **values}), flush=True)
        sys.stdin.readline()

    registry = load()
    spec = registry.find("backend", task["backend"])
    size = tuple(task["picture"])
    has_system = bool(task["system"])
    backend: Any = registry.create(spec, task["options"])
    tell("start")
    start = time.perf_counter()
    with backend:
        if task["loads_with_first_question"]:  # vLLM's engine starts with its first question; a short one
            short = question(0, size, Sampling(choices=("0", "1")), with_system=False)
            list(backend.answer([replace(short, prompt="Is it there?")]))
        tell("loaded", seconds=time.perf_counter() - start, weights=weights_bytes())
        begin = time.perf_counter()
        number, seconds = 0, 0.0
        while number < task["questions"]:
            if number and time.perf_counter() - begin + seconds > task["seconds"]:
                break
            number += 1
            query = question(number, size, Sampling(choices=SCORES), has_system)
            start = time.perf_counter()
            (answer,) = list(backend.answer([query]))
            seconds = time.perf_counter() - start
            score, mass = expected_score(answer.logprobs)
            tell("expected", seconds=seconds, tokens=answer.prompt_tokens, score=score, mass=mass)
        # The same question in words: of one token where there is time, so that the difference is that of tokens alone.
        lengths = (1, task["words"]) if seconds < task["seconds"] / 4 else (task["words"],)
        for n_tokens in lengths:
            query = question(number, size, Sampling(max_tokens=n_tokens, temperature=0.0), has_system)
            start = time.perf_counter()
            (answer,) = list(backend.answer([query]))
            tell("words", seconds=time.perf_counter() - start, tokens=answer.output_tokens)
        tell("answered")


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
