"""A first load of a model in a child process: llama.cpp ends the process where a file contradicts itself."""

from __future__ import annotations

from pathlib import Path

from anyanomaly.errors import BackendError
from anyanomaly.rehearsal import DECODER_BYTES, rehearse

BYTES_PER_SECOND = 2**25
"""Slowest disk that is waited for."""
STARTUP_S = 30


def try_model(model: Path, mmproj: Path) -> None:
    """Let a child process answer a question about a small image with the model, on the CPU.

    The files are in the page cache after that, so that loading them again is fast.

    :raises BackendError: when the child crashes, or takes too long.
    """
    n_bytes = model.stat().st_size + mmproj.stat().st_size
    rehearse(
        "anyanomaly_llamacpp.trial_answer:answer_here",
        str(model),
        str(mmproj),
        name=f"The model {model.name!r} with the projector {mmproj.name!r}",
        error=BackendError,
        max_bytes=DECODER_BYTES + 2 * n_bytes,
        limit_s=STARTUP_S + n_bytes // BYTES_PER_SECOND,
    )
