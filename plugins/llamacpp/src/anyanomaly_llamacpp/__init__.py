"""Backends that run GGUF models over llama.cpp, on a CPU or a GPU, and presets of current ones."""

from __future__ import annotations

from typing import Any

from anyanomaly import BackendSpec, hookimpl


def _spec(name: str, summary: str, options: str, **more: Any) -> BackendSpec:
    return BackendSpec(
        name=name,
        summary=summary,
        target="anyanomaly_llamacpp.backend:GgufBackend",
        options=f"anyanomaly_llamacpp.options:{options}",
        # The bindings of llama.cpp's image side change from release to release.
        requires=("llama-cpp-python>=0.3.36,<0.4", "huggingface_hub>=0.30", "jinja2>=3.1", "pillow>=10"),
        install="anyanomaly-llamacpp",
        max_images=None,
        logprobs=True,
        devices=frozenset({"cpu", "cuda", "mps"}),
        **more,
    )


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``gguf`` and its presets, which differ in their defaults alone."""
    return [
        _spec(
            "gguf",
            "Any GGUF vision-language model over llama.cpp",
            "GgufOptions",
            memory="the files' size",
            licence="the model's",
        ),
        _spec(
            "qwen-gguf",
            "Qwen2.5-VL 3B over llama.cpp, 4 bits",
            "QwenOptions",
            memory="about 3 GB",
            licence="Qwen research",
        ),
        _spec(
            "minicpm-gguf",
            "MiniCPM-V 2.6 over llama.cpp, 4 bits",
            "MiniCpmOptions",
            memory="about 6 GB",
            licence="see its page",
        ),
        _spec(
            "smolvlm-gguf",
            "SmolVLM2 2.2B over llama.cpp, 4 bits",
            "SmolVlmOptions",
            memory="about 2 GB",
            licence="Apache-2.0",
        ),
    ]
