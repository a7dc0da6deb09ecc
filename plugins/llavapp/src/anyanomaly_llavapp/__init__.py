"""LLaVA++, LLaVA-1.5 and Video-ChatGPT from their original checkpoints, as backends for anyanomaly."""

from __future__ import annotations

from anyanomaly import BackendSpec, hookimpl


def _spec(name: str, summary: str, target: str, options: str, memory: str, licence: str) -> BackendSpec:
    return BackendSpec(
        name=name,
        summary=summary,
        target=f"anyanomaly_llavapp.backend:{target}",
        options=f"anyanomaly_llavapp.options:{options}",
        requires=("anyanomaly-transformers", "torch>=2.4", "transformers>=5.0", "sentencepiece>=0.2", "protobuf>=4"),
        install="anyanomaly-llavapp",
        max_images=None,
        logprobs=True,
        devices=frozenset({"cpu", "cuda", "mps"}),
        memory=memory,
        licence=licence,
    )


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the three models."""
    return [
        _spec(
            "llava-pp",
            "LLaVA++ with LLaMA-3 8B, fully fine-tuned",
            "LlavaPpBackend",
            "LlavaPpOptions",
            memory="about 17 GB",
            licence="Llama 3 community; code: none given",
        ),
        _spec(
            "llava",
            "LLaVA-1.5 7B, original or -hf layout",
            "LlavaBackend",
            "LlavaOptions",
            memory="about 14 GB",
            licence="Llama 2 community",
        ),
        _spec(
            "video-chatgpt",
            "Video-ChatGPT 7B, up to 100 frames",
            "VideoChatGptBackend",
            "VideoChatGptOptions",
            memory="about 14 GB",
            licence="non-commercial",
        ),
    ]
