"""Chat-UniVi from its published checkpoints, as backends for anyanomaly."""

from __future__ import annotations

from anyanomaly import BackendSpec, hookimpl


def _spec(name: str, summary: str, options: str, memory: str) -> BackendSpec:
    return BackendSpec(
        name=name,
        summary=summary,
        target="anyanomaly_chatunivi.backend:ChatUniViBackend",
        options=f"anyanomaly_chatunivi.options:{options}",
        requires=("anyanomaly-transformers", "torch>=2.4", "transformers>=5.0", "sentencepiece>=0.2", "protobuf>=4"),
        install="anyanomaly-chatunivi",
        max_images=None,
        logprobs=True,
        devices=frozenset({"cpu", "cuda", "mps"}),
        memory=memory,
        licence="Llama 2 community; non-commercial preview",
    )


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the three models, which differ in their defaults alone."""
    return [
        _spec("chat-univi", "Chat-UniVi 7B, images and videos", "ChatUniViOptions", "about 14 GB"),
        _spec("chat-univi-v1-5", "Chat-UniVi 7B v1.5, images and videos", "ChatUniVi15Options", "about 14 GB"),
        _spec("chat-univi-13b", "Chat-UniVi 13B, images and videos", "ChatUniVi13BOptions", "about 27 GB"),
    ]
