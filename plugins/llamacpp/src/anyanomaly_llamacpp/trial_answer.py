"""The answer that a model is tried with, in a child process."""

from __future__ import annotations

from contextlib import suppress

import numpy as np

from anyanomaly.errors import AnyAnomalyError
from anyanomaly.types import Query, QueryId, Sampling
from anyanomaly_llamacpp.backend import GgufBackend
from anyanomaly_llamacpp.options import GgufOptions


def answer_here(model: str, mmproj: str) -> None:
    """Load a model and answer one question; an error is no concern of the trial, only a crash is."""
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
