"""The backend ``transformers``: any image-text-to-text model, in padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly.api import Backend
from anyanomaly.errors import AnyAnomalyError
from anyanomaly.kit import answer_in_groups, require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_transformers.errors import run_error
from anyanomaly_transformers.fingerprints import model_fingerprint
from anyanomaly_transformers.generation import generate, sampling_key
from anyanomaly_transformers.loading import Loaded, load, quiet_logs
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.prompts import encode_batch, render_prompt
from anyanomaly_transformers.scoring import choice_logprobs


class TransformersBackend(Backend[TransformersOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer."""

    def __init__(self, options: TransformersOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._loaded: Loaded | None = None
        self._fingerprint = ""

    def load(self) -> None:
        """Load processor and weights; download them when they are not there."""
        self._loaded = load(self.options)
        self._fingerprint = model_fingerprint(self.options, self._loaded.model, self._loaded.commit)

    def close(self) -> None:
        """Let the weights go, and give the GPU's memory back."""
        if self._loaded is None:
            return
        self._loaded = None
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @property
    def fingerprint(self) -> str:
        """Weights, precision, sizes and release. Known once loaded.

        :raises BackendError: before `load`.
        """
        require_loaded(self._loaded)
        return self._fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; queries that are drawn alike share forward passes.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        """
        loaded = require_loaded(self._loaded)
        try:
            with quiet_logs():
                return answer_in_groups(queries, _kind, lambda group: _answer_alike(loaded, group))
        except AnyAnomalyError:
            raise
        except Exception as error:
            raise run_error(self.options.model, error) from error


def _answer_alike(loaded: Loaded, queries: Sequence[Query]) -> list[Answer]:
    texts = [render_prompt(loaded.processor, query) for query in queries]
    inputs = encode_batch(loaded.processor, queries, texts).to(loaded.model.device, dtype=loaded.model.dtype)
    read = inputs["attention_mask"].sum(dim=1).tolist()
    if queries[0].sampling.choices:
        wanted = [query.sampling.choices for query in queries]
        tokens = [loaded.encode_choices(text, choices) for text, choices in zip(texts, wanted, strict=True)]
        values = choice_logprobs(loaded.model, inputs, tokens)
        scored = zip(queries, wanted, values, read, strict=True)
        return [
            Answer(query.id, logprobs=dict(zip(choices, row, strict=True)), prompt_tokens=n, output_tokens=0)
            for query, choices, row, n in scored
        ]
    written = zip(queries, generate(loaded.model, inputs, queries), read, strict=True)
    words = loaded.processor.tokenizer
    return [
        Answer(
            query.id,
            text=words.decode(new, skip_special_tokens=True).strip(),
            prompt_tokens=n,
            output_tokens=len(new),
        )
        for query, new, n in written
    ]


def _kind(query: Query) -> tuple[Any, ...]:
    """Return what queries of one forward pass have in common."""
    how = () if query.sampling.choices else sampling_key(query)
    return (bool(query.sampling.choices), bool(query.images), *how)
