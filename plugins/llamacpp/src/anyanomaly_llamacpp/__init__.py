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

# Family, model, bits of a weight, options, GB of both files, licence.
PRESETS = (
    ("qwen3", "Qwen3-VL 4B", 4, "Qwen3Options", 3.3, "Apache-2.0"),
    ("qwen35", "Qwen3.5 4B", 4, "Qwen35Options", 3.4, "Apache-2.0"),
    ("internvl35", "InternVL3.5 4B", 4, "InternVl35Options", 3.4, "Apache-2.0"),
    ("minicpm", "MiniCPM-V 2.6", 4, "MiniCpmOptions", 6, "see its page"),
    ("minicpm46", "MiniCPM-V 4.6", 4, "MiniCpm46Options", 1.6, "Apache-2.0"),
    ("gemma4", "Gemma 4 E2B", 4, "Gemma4Options", 4.1, "see its page"),
    ("smolvlm", "SmolVLM2 2.2B", 4, "SmolVlmOptions", 2, "Apache-2.0"),
    ("smolvlm-256m", "SmolVLM2 256M", 8, "SmolVlm256mOptions", 0.4, "Apache-2.0"),
    ("smolvlm-500m", "SmolVLM2 500M", 8, "SmolVlm500mOptions", 0.6, "Apache-2.0"),
    ("lfm2", "LFM2-VL 1.6B", 8, "Lfm2Options", 2.1, "LFM Open License"),
    ("glm46v", "GLM-4.6V-Flash 9B", 4, "Glm46vOptions", 7.2, "MIT"),
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
        *(
            replace(
                GGUF,
                name=f"{family}-gguf",
                summary=f"{model} over llama.cpp, {bits} bits",
                options=f"anyanomaly_llamacpp.options:{options}",
                memory=f"about {gigabytes} GB",
                licence=licence,
            )
            for family, model, bits, options, gigabytes, licence in PRESETS
        ),
    ]
