"""Backends that run any image-text-to-text model of transformers, and presets of current ones."""

from __future__ import annotations

from anyanomaly import BackendSpec, hookimpl

REQUIRES = ("torch>=2.4", "torchvision>=0.19", "transformers>=5.0", "pillow>=10")
INSTALL = "pip install anyanomaly-transformers"


def _spec(
    name: str, summary: str, options: str, requires: tuple[str, ...] = REQUIRES, install: str = INSTALL
) -> BackendSpec:
    return BackendSpec(
        name=name,
        summary=summary,
        target="anyanomaly_transformers.backend:TransformersBackend",
        options=f"anyanomaly_transformers.options:{options}",
        requires=requires,
        install=install,
        max_images=None,
        batching=True,
        logprobs=True,
        choices=True,
        devices=frozenset({"cpu", "cuda", "mps"}),
    )


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``transformers`` and its presets, which differ in their defaults alone."""
    return [
        _spec("transformers", "Any image-text-to-text model of transformers", "TransformersOptions"),
        _spec("qwen-hf", "Qwen2.5-VL 3B in transformers", "QwenOptions"),
        _spec("qwen3-hf", "Qwen3-VL 4B in transformers", "Qwen3Options"),
        _spec("internvl-hf", "InternVL3 2B in transformers", "InternVLOptions"),
        _spec("gemma-hf", "Gemma 3 4B in transformers", "GemmaOptions"),
        _spec(
            "smolvlm-hf",
            "SmolVLM2 2.2B in transformers",
            "SmolVLMOptions",
            requires=(*REQUIRES, "num2words>=0.5"),
            install=f"{INSTALL} num2words",
        ),
    ]
