"""The backend of any server with the chat completions of OpenAI's API."""

from __future__ import annotations

from anyanomaly import BackendSpec, hookimpl


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``openai``."""
    return [
        BackendSpec(
            name="openai",
            summary="Any OpenAI-compatible server: vLLM, llama.cpp, SGLang, Ollama, hosted ones",
            target="anyanomaly_openai.backend:OpenAiBackend",
            options="anyanomaly_openai.options:OpenAiOptions",
            requires=("httpx>=0.27", "pillow>=10"),
            install="anyanomaly-openai",
            max_images=None,
            logprobs=True,
            deterministic=False,
            memory="the server's",
            licence="the model's",
            network=True,
        )
    ]
