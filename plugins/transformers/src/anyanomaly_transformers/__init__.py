"""Backends that run any image-text-to-text model of transformers, and presets of current ones."""

from __future__ import annotations

from typing import Any

from anyanomaly import BackendSpec, hookimpl

REQUIRES = ("torch>=2.4", "torchvision>=0.19", "transformers>=5.0", "pillow>=10")
INSTALL = "anyanomaly-transformers"


def _spec(name: str, summary: str, options: str, **more: Any) -> BackendSpec:
    return BackendSpec(
        name=name,
        summary=summary,
        target="anyanomaly_transformers.backend:TransformersBackend",
        options=f"anyanomaly_transformers.options:{options}",
        max_images=None,
        logprobs=True,
        devices=frozenset({"cpu", "cuda", "mps"}),
        **{"requires": REQUIRES, "install": INSTALL} | more,
    )


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``transformers`` and its presets, which differ in their defaults alone."""
    return [
        _spec(
            "transformers",
            "Any image-text-to-text model of transformers",
            "TransformersOptions",
            memory="2 bytes a weight; 4 on a CPU",
            licence="the model's",
        ),
        _spec("qwen-hf", "Qwen2.5-VL 3B in transformers", "QwenOptions", memory="about 7 GB", licence="Qwen research"),
        _spec("qwen3-hf", "Qwen3-VL 4B in transformers", "Qwen3Options", memory="about 9 GB", licence="Apache-2.0"),
        _spec(
            "internvl-hf",
            "InternVL3 2B in transformers",
            "InternVlOptions",
            memory="about 4 GB",
            licence="see its page",
        ),
        _spec(
            "gemma-hf", "Gemma 3 4B in transformers", "GemmaOptions", memory="about 9 GB", licence="Gemma terms; gated"
        ),
        _spec(
            "smolvlm-hf",
            "SmolVLM2 2.2B in transformers",
            "SmolVlmOptions",
            requires=(*REQUIRES, "num2words>=0.5"),
            install=f"{INSTALL} num2words",
            memory="about 5 GB",
            licence="Apache-2.0",
        ),
    ]
