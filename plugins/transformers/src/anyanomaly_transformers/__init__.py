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
NUM2WORDS = "num2words>=0.5"  # the processor of SmolVLM does not load without it
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
            requires=(*TRANSFORMERS.requires, NUM2WORDS),
            install="anyanomaly-transformers num2words",
            memory="about 5 GB",
            licence="Apache-2.0",
        ),
        replace(
            TRANSFORMERS,
            name="smolvlm-256m-hf",
            summary="SmolVLM2 256M in transformers",
            options="anyanomaly_transformers.options:SmolVlm256MOptions",
            requires=(*TRANSFORMERS.requires, NUM2WORDS),
            install="anyanomaly-transformers num2words",
            memory="about 0.6 GB",
            licence="Apache-2.0",
        ),
        replace(
            TRANSFORMERS,
            name="smolvlm-500m-hf",
            summary="SmolVLM2 500M in transformers",
            options="anyanomaly_transformers.options:SmolVlm500MOptions",
            requires=(*TRANSFORMERS.requires, NUM2WORDS),
            install="anyanomaly-transformers num2words",
            memory="about 1 GB",
            licence="Apache-2.0",
        ),
        replace(
            TRANSFORMERS,
            name="qwen35-hf",
            summary="Qwen3.5 4B in transformers",
            options="anyanomaly_transformers.options:Qwen35Options",
            memory="about 9 GB",
            licence="Apache-2.0",
        ),
        replace(
            TRANSFORMERS,
            name="internvl35-hf",
            summary="InternVL3.5 4B in transformers",
            options="anyanomaly_transformers.options:InternVl35Options",
            memory="about 9 GB",
            licence="Apache-2.0",
        ),
        replace(
            TRANSFORMERS,
            name="minicpm46-hf",
            summary="MiniCPM-V 4.6 in transformers",
            options="anyanomaly_transformers.options:MiniCpm46Options",
            memory="about 3 GB",
            licence="Apache-2.0",
        ),
        replace(
            TRANSFORMERS,
            name="gemma4-hf",
            summary="Gemma 4 E2B in transformers",
            options="anyanomaly_transformers.options:Gemma4Options",
            memory="about 10 GB",
            licence="see its page",
        ),
        replace(
            TRANSFORMERS,
            name="lfm2-hf",
            summary="LFM2-VL 1.6B in transformers",
            options="anyanomaly_transformers.options:Lfm2Options",
            memory="about 3 GB",
            licence="LFM Open License",
        ),
        replace(
            TRANSFORMERS,
            name="glm46v-hf",
            summary="GLM-4.6V-Flash in transformers",
            options="anyanomaly_transformers.options:Glm46VOptions",
            memory="about 20 GB",
            licence="MIT",
        ),
    ]
