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
        if task["loads_with_first_question"]:  # vLLM's engine starts with its first question
            list(backend.answer([question(0, size, Sampling(choices=SCORES), has_system)]))
        tell("loaded", seconds=time.perf_counter() - start, weights=weights_bytes())
        number = 1
        begin = time.perf_counter()
        while True:
            query = question(number, size, Sampling(choices=SCORES), has_system)
            start = time.perf_counter()
            (answer,) = list(backend.answer([query]))
            score, mass = expected_score(answer.logprobs)
            seconds = time.perf_counter() - start
            tell("expected", seconds=seconds, tokens=answer.prompt_tokens, score=score, mass=mass)
            number += 1
            is_over_time = time.perf_counter() - begin + seconds > task["seconds"]
            if number > task["questions"] or (is_over_time and number > 1):
                break
        for n_tokens in (1, task["words"]):  # the first tells the time of the prompt, the difference that of a token
            query = question(number, size, Sampling(max_tokens=n_tokens, temperature=0.0), has_system)
            start = time.perf_counter()
            (answer,) = list(backend.answer([query]))
            seconds = time.perf_counter() - start
            tell("words", seconds=seconds, tokens=answer.output_tokens, prompt=answer.prompt_tokens)
            number += 1
        tell("answered")


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
