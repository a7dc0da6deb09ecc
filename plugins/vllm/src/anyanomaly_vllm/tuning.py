"""Arguments of vLLM's engine that make it faster, as far as the installed release has them.

docs/backends/vllm.md gives a reason for each. Answers differ in rounding at most.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from anyanomaly_vllm.options import VllmOptions


def speed_arguments(options: VllmOptions, *, on_cpu: bool, eager: bool) -> dict[str, Any]:
    """Return arguments of ``vllm.EngineArgs``; none of those for a GPU on a CPU.

    :param eager: whether the engine runs without compilation and graphs.
    """
    from vllm import EngineArgs

    arguments: dict[str, Any] = {}
    if options.batched_tokens is not None:
        arguments["max_num_batched_tokens"] = options.batched_tokens
    if not on_cpu:
        arguments["mm_device_do_normalize"] = True
        if options.tensor_parallel > 1:
            arguments["mm_encoder_tp_mode"] = "data"
        if options.vision_graphs and not eager and _has_vision_graphs():
            arguments["compilation_config"] = {"cudagraph_mm_encoder": True}
    known = {field.name for field in fields(EngineArgs)}
    return {name: value for name, value in arguments.items() if name in known}


def _has_vision_graphs() -> bool:
    """Return whether the release has CUDA graphs for vision towers; for models without them it ignores the setting."""
    from vllm.config import CompilationConfig

    return "cudagraph_mm_encoder" in {field.name for field in fields(CompilationConfig)}
