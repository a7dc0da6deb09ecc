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
# The processor of SmolVLM does not load without num2words.
SMOLVLM = replace(
    TRANSFORMERS, requires=(*TRANSFORMERS.requires, "num2words>=0.5"), install="anyanomaly-transformers num2words"
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

# Base, family, model, options, GB of the weights, licence.
PRESETS = (
    (replace(TRANSFORMERS, auto=AUTO), "qwen", "Qwen2.5-VL 3B", "QwenOptions", 7, "Qwen research"),
    (TRANSFORMERS, "qwen3", "Qwen3-VL 4B", "Qwen3Options", 9, "Apache-2.0"),
    (TRANSFORMERS, "qwen35", "Qwen3.5 4B", "Qwen35Options", 9, "Apache-2.0"),
    (TRANSFORMERS, "internvl", "InternVL3 2B", "InternVlOptions", 4, "see its page"),
    (TRANSFORMERS, "internvl35", "InternVL3.5 4B", "InternVl35Options", 9, "Apache-2.0"),
    (TRANSFORMERS, "gemma", "Gemma 3 4B", "GemmaOptions", 9, "Gemma terms; gated"),
    (TRANSFORMERS, "gemma4", "Gemma 4 E2B", "Gemma4Options", 10, "see its page"),
    (SMOLVLM, "smolvlm", "SmolVLM2 2.2B", "SmolVlmOptions", 5, "Apache-2.0"),
    (SMOLVLM, "smolvlm-256m", "SmolVLM2 256M", "SmolVlm256MOptions", 0.6, "Apache-2.0"),
    (SMOLVLM, "smolvlm-500m", "SmolVLM2 500M", "SmolVlm500MOptions", 1, "Apache-2.0"),
    (TRANSFORMERS, "minicpm46", "MiniCPM-V 4.6", "MiniCpm46Options", 3, "Apache-2.0"),
    (TRANSFORMERS, "lfm2", "LFM2-VL 1.6B", "Lfm2Options", 3, "LFM Open License"),
    (TRANSFORMERS, "glm46v", "GLM-4.6V-Flash", "Glm46VOptions", 20, "MIT"),
)


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``transformers`` and its presets, which differ in their defaults alone."""
    presets = [
        replace(
            base,
            name=f"{family}-hf",
            summary=f"{model} in transformers",
            options=f"anyanomaly_transformers.options:{options}",
            memory=f"about {gigabytes} GB",
            licence=licence,
        )
        for base, family, model, options, gigabytes, licence in PRESETS
    ]
    return [TRANSFORMERS, *presets]
