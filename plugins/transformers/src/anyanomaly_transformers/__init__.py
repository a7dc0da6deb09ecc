"""Backends that run any image-text-to-text model of transformers, and presets of current ones.

Other plugins use `anyanomaly_transformers.api`.
"""

from __future__ import annotations

from dataclasses import replace

from anyanomaly import AutoChoice, BackendSpec, hookimpl

TRANSFORMERS = BackendSpec(
    name="transformers",
    summary="Any image-text-to-text model of transformers",
    target="anyanomaly_transformers.backend:TransformersBackend",
    options="anyanomaly_transformers.options:TransformersOptions",
    requires=("torch>=2.4", "torchvision>=0.19", "transformers>=5.0", "pillow>=10"),
    install="anyanomaly-transformers",
    max_images=None,
    logprobs=True,
    devices=frozenset({"cpu", "cuda", "mps"}),
    memory="2 bytes a weight; 4 on a CPU",
    licence="the model's",
)
AUTO = (
    AutoChoice(
        device="cuda",
        rank=80,
        reason="transformers is installed; vLLM, which is not, answers more queries at once",
        cuda_build="torch",
    ),
    AutoChoice(device="mps", rank=80, reason="transformers is installed"),
    AutoChoice(device="cpu", rank=10, reason="transformers is installed; llama.cpp, whose weights are smaller, is not"),
)


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``transformers`` and its presets, which differ in their defaults alone."""
    return [
        TRANSFORMERS,
        replace(
            TRANSFORMERS,
            name="qwen-hf",
            summary="Qwen2.5-VL 3B in transformers",
            options="anyanomaly_transformers.options:QwenOptions",
            auto=AUTO,
            memory="about 7 GB",
            licence="Qwen research",
        ),
        replace(
            TRANSFORMERS,
            name="qwen3-hf",
            summary="Qwen3-VL 4B in transformers",
            options="anyanomaly_transformers.options:Qwen3Options",
            memory="about 9 GB",
            licence="Apache-2.0",
        ),
        replace(
            TRANSFORMERS,
            name="internvl-hf",
            summary="InternVL3 2B in transformers",
            options="anyanomaly_transformers.options:InternVlOptions",
            memory="about 4 GB",
            licence="see its page",
        ),
        replace(
            TRANSFORMERS,
            name="gemma-hf",
            summary="Gemma 3 4B in transformers",
            options="anyanomaly_transformers.options:GemmaOptions",
            memory="about 9 GB",
            licence="Gemma terms; gated",
        ),
        replace(
            TRANSFORMERS,
            name="smolvlm-hf",
            summary="SmolVLM2 2.2B in transformers",
            options="anyanomaly_transformers.options:SmolVlmOptions",
            requires=(*TRANSFORMERS.requires, "num2words>=0.5"),
            install="anyanomaly-transformers num2words",
            memory="about 5 GB",
            licence="Apache-2.0",
        ),
    ]
