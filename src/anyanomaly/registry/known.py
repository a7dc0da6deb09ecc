"""First-party components that may not be installed: what to install for a name."""

from __future__ import annotations

KNOWN: dict[tuple[str, str], str] = {
    ("encoder", "openclip"): "anyanomaly-openclip",
    ("encoder", "imagebind"): "anyanomaly-imagebind",
    ("encoder", "demo-clip"): "anyanomaly-demo",
    ("backend", "demo-hf"): "anyanomaly-demo",
    ("backend", "demo-gguf"): "anyanomaly-demo",
    ("backend", "demo-vllm"): "anyanomaly-demo",
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
    ("dataset", "demo"): "anyanomaly-demo",
    ("dataset", "c-avenue"): "anyanomaly-cvad",
    ("dataset", "c-shanghaitech"): "anyanomaly-cvad",
    ("dataset", "avenue"): "anyanomaly-cvad",
    ("dataset", "shanghaitech"): "anyanomaly-cvad",
    ("dataset", "ubnormal"): "anyanomaly-cvad",
    ("dataset", "ucf-crime"): "anyanomaly-cvad",
    ("dataset", "xd-violence"): "anyanomaly-cvad",
    ("dataset", "folder"): "anyanomaly-cvad",
}
"""(role, name) to distribution; only what is published or in this repository."""
