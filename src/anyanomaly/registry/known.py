"""First-party components that may not be installed: what to install for a name."""

from __future__ import annotations

KNOWN: dict[tuple[str, str], str] = {
    ("encoder", "openclip"): "anyanomaly-openclip",
    ("backend", "gguf"): "anyanomaly-llamacpp",
    ("backend", "qwen-gguf"): "anyanomaly-llamacpp",
    ("backend", "minicpm-gguf"): "anyanomaly-llamacpp",
    ("backend", "smolvlm-gguf"): "anyanomaly-llamacpp",
    ("backend", "openai"): "anyanomaly-openai",
    ("backend", "transformers"): "anyanomaly-transformers",
    ("backend", "qwen-hf"): "anyanomaly-transformers",
    ("backend", "qwen3-hf"): "anyanomaly-transformers",
    ("backend", "smolvlm-hf"): "anyanomaly-transformers",
    ("backend", "internvl-hf"): "anyanomaly-transformers",
    ("backend", "gemma-hf"): "anyanomaly-transformers",
    ("backend", "vllm"): "'anyanomaly-vllm[gpu]'",
    ("backend", "qwen-vllm"): "'anyanomaly-vllm[gpu]'",
    ("backend", "qwen-vllm-7b"): "'anyanomaly-vllm[gpu]'",
    ("backend", "qwen3-vllm"): "'anyanomaly-vllm[gpu]'",
    ("backend", "minicpm-vllm"): "'anyanomaly-vllm[gpu]'",
    ("backend", "llava-vllm"): "'anyanomaly-vllm[gpu]'",
}
"""(role, name) to distribution; only what is published or in this repository."""
