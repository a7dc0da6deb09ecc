"""A first load of a model in a child process: llama.cpp ends the process where a file contradicts itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from anyanomaly.errors import AnyAnomalyError, BackendError
from anyanomaly.rehearsal import DECODER_BYTES, rehearse
from anyanomaly.types import Query, QueryId, Sampling
from anyanomaly_llamacpp.options import GgufOptions

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
        "anyanomaly_llamacpp.trial:answer_here",
        str(model),
        str(mmproj),
        name=f"The model {model.name!r} with the projector {mmproj.name!r}",
        error=BackendError,
        max_bytes=DECODER_BYTES + 2 * n_bytes,
        limit_s=STARTUP_S + n_bytes // BYTES_PER_SECOND,
    )


def answer_here(model: str, mmproj: str) -> None:
    """Load a model and answer one question; an error is no concern of the trial, only a crash is."""
    from anyanomaly_llamacpp.backend import GgufBackend

    query = Query(
        QueryId("", 0, "", ""), (np.zeros((64, 64, 3), np.uint8),), "Is it there?", sampling=Sampling(max_tokens=2)
    )
    with suppress(AnyAnomalyError):
        backend = GgufBackend(GgufOptions(model=model, mmproj=mmproj, device="cpu", gpu_layers=0))
        try:
            backend.load_here()
            backend.answer_batch([query])
        finally:
            backend.close()
