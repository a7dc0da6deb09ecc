"""The backend ``minicpm-v``: MiniCPM-Llama3-V-2.5 and MiniCPM-V 2.6, from their published checkpoints."""

from __future__ import annotations

from anyanomaly import BackendSpec, hookimpl


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    """Return the backend ``minicpm-v``."""
    return [
        BackendSpec(
            name="minicpm-v",
            summary="MiniCPM-Llama3-V 2.5 8B or MiniCPM-V 2.6 8B",
            target="anyanomaly_minicpm.backend:MiniCpmBackend",
            options="anyanomaly_minicpm.options:MiniCpmOptions",
            requires=("anyanomaly-transformers", "torch>=2.4", "transformers>=5.0", "pillow>=10"),
            install="anyanomaly-minicpm",
            max_images=None,
            logprobs=True,
            devices=frozenset({"cpu", "cuda", "mps"}),
            memory="about 17 GB",
            licence="Apache-2.0 by its README; 2.5 with Llama 3 community",
        )
    ]
