"""Backends that run GGUF models over llama.cpp, on a CPU or a GPU, and presets of current ones."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly import AutoChoice, BackendSpec, hookimpl

GGUF = BackendSpec(
    name="gguf",
    summary="Any GGUF vision-language model over llama.cpp",
    target="anyanomaly_llamacpp.backend:GgufBackend",
    options="anyanomaly_llamacpp.options:GgufOptions",
    # The bindings of llama.cpp's image side change from release to release.
    requires=("llama-cpp-python>=0.3.36,<0.4", "huggingface_hub>=0.30", "jinja2>=3.1", "pillow>=10"),
    install="anyanomaly-llamacpp",
    max_images=None,
    logprobs=True,
    devices=frozenset({"cpu", "cuda", "mps"}),
    memory="the files' size",
    licence="the model's",
)


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``gguf`` and its presets, which differ in their defaults alone."""
    return [
        GGUF,
        replace(
            GGUF,
            name="qwen-gguf",
            summary="Qwen2.5-VL 3B over llama.cpp, 4 bits",
            options="anyanomaly_llamacpp.options:QwenOptions",
            # Also taken on a machine with a GPU that no installed engine uses.
            auto=(AutoChoice(device="cpu", rank=50, reason="llama.cpp is installed"),),
            memory="about 3 GB",
            licence="Qwen research",
        ),
        replace(
            GGUF,
            name="minicpm-gguf",
            summary="MiniCPM-V 2.6 over llama.cpp, 4 bits",
            options="anyanomaly_llamacpp.options:MiniCpmOptions",
            memory="about 6 GB",
            licence="see its page",
        ),
        replace(
            GGUF,
            name="smolvlm-gguf",
            summary="SmolVLM2 2.2B over llama.cpp, 4 bits",
            options="anyanomaly_llamacpp.options:SmolVlmOptions",
            memory="about 2 GB",
            licence="Apache-2.0",
        ),
    ]
