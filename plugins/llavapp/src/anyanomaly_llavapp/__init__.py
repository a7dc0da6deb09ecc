"""LLaVA++, LLaVA-1.5 and Video-ChatGPT from their original checkpoints, as backends for anyanomaly."""

from __future__ import annotations

from dataclasses import replace

from anyanomaly import BackendSpec, hookimpl

LLAVA = BackendSpec(
    name="llava",
    summary="LLaVA-1.5 7B, original or -hf layout",
    target="anyanomaly_llavapp.backend:LlavaBackend",
    options="anyanomaly_llavapp.options:LlavaOptions",
    requires=("anyanomaly-transformers", "torch>=2.4", "transformers>=5.0", "sentencepiece>=0.2", "protobuf>=4"),
    install="anyanomaly-llavapp",
    max_images=None,
    logprobs=True,
    devices=frozenset({"cpu", "cuda", "mps"}),
    memory="about 14 GB",
    licence="Llama 2 community",
)


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backends of the three models."""
    return [
        LLAVA,
        replace(
            LLAVA,
            name="llava-pp",
            summary="LLaVA++ with LLaMA-3 8B, fully fine-tuned",
            target="anyanomaly_llavapp.backend:LlavaPpBackend",
            options="anyanomaly_llavapp.options:LlavaPpOptions",
            memory="about 17 GB",
            licence="Llama 3 community; code: none given",
        ),
        replace(
            LLAVA,
            name="video-chatgpt",
            summary="Video-ChatGPT 7B, up to 100 frames",
            target="anyanomaly_llavapp.backend:VideoChatGptBackend",
            options="anyanomaly_llavapp.options:VideoChatGptOptions",
            licence="non-commercial",
        ),
    ]
