"""The backend ``minigpt4``: MiniGPT-4 with LLaMA-2, from its published checkpoints."""

from __future__ import annotations

from anyanomaly import BackendSpec, hookimpl


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``minigpt4``."""
    return [
        BackendSpec(
            name="minigpt4",
            summary="MiniGPT-4, LLaMA-2 7B",
            target="anyanomaly_minigpt4.backend:MiniGpt4Backend",
            options="anyanomaly_minigpt4.options:MiniGpt4Options",
            requires=(
                "anyanomaly-transformers",
                "torch>=2.4",
                "transformers>=5.0",
                "sentencepiece>=0.2",  # the published tokenizer is a SentencePiece model, which these two read
                "protobuf>=4",
                "pillow>=10",
            ),
            install="anyanomaly-minigpt4",
            max_images=None,
            logprobs=True,
            devices=frozenset({"cpu", "cuda", "mps"}),
            memory="about 16 GB",
            licence="Llama 2 community; MiniGPT-4: BSD-3-Clause",
        )
    ]
