"""Chat-UniVi from its published checkpoints, as backends for anyanomaly."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly import BackendSpec, hookimpl

CHAT_UNIVI = BackendSpec(
    name="chat-univi",
    summary="Chat-UniVi 7B, images and videos",
    target="anyanomaly_chatunivi.backend:ChatUniViBackend",
    options="anyanomaly_chatunivi.options:ChatUniViOptions",
    requires=("anyanomaly-transformers", "torch>=2.4", "transformers>=5.0", "sentencepiece>=0.2", "protobuf>=4"),
    install="anyanomaly-chatunivi",
    max_images=None,
    logprobs=True,
    devices=frozenset({"cpu", "cuda", "mps"}),
    memory="about 14 GB",
    licence="Llama 2 community; non-commercial preview",
)


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the three models, which differ only in their defaults."""
    return [
        CHAT_UNIVI,
        replace(
            CHAT_UNIVI,
            name="chat-univi-v1-5",
            summary="Chat-UniVi 7B v1.5, images and videos",
            options="anyanomaly_chatunivi.options:ChatUniVi15Options",
        ),
        replace(
            CHAT_UNIVI,
            name="chat-univi-13b",
            summary="Chat-UniVi 13B, images and videos",
            options="anyanomaly_chatunivi.options:ChatUniVi13BOptions",
            memory="about 27 GB",
        ),
    ]
