"""The backend ``transformers``: any image-text-to-text model, in padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly.api import Backend
from anyanomaly.kit import answer_in_groups, model_identity, require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_transformers.errors import translate_run_errors
from anyanomaly_transformers.fingerprints import model_fingerprint
from anyanomaly_transformers.generation import generate, sampling_key
from anyanomaly_transformers.loading import Loaded, free_gpu_memory, load, quiet_logs
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
        """Load processor and weights; download what is missing.

        :raises AnyAnomalyError: when the model cannot be loaded; the message says why and what to do.
        """
        self._loaded = load(self.options)
        self.revision = model_identity(self.options.model, self._loaded.commit or self.options.revision)
        self._fingerprint = model_fingerprint(self.options, self._loaded.model, self.revision)

    def close(self) -> None:
        """Free the weights and their GPU memory."""
        if self._loaded is not None:
            self._loaded = None
            free_gpu_memory()

    @property
    def fingerprint(self) -> str:
        """Weights, precision, pixel limits and release; known after `load`.

        :raises BackendError: before `load`.
        """
        require_loaded(self._loaded)
        return self._fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; queries with equal sampling share forward passes.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        :raises UsageError: when a question holds a special token of the model.
        """
        loaded = require_loaded(self._loaded)
        with translate_run_errors(self.options.model), quiet_logs():
            return answer_in_groups(queries, _batch_key, lambda group: _answer_group(loaded, group))


def _answer_group(loaded: Loaded, queries: Sequence[Query]) -> list[Answer]:
    """Return the answers to queries of one `_batch_key`, which share their forward passes."""
    prompts = [render_prompt(loaded.processor, query) for query in queries]
    inputs = encode_batch(loaded.processor, queries, prompts).to(loaded.model.device, dtype=loaded.model.dtype)
    lengths = inputs["attention_mask"].sum(dim=1).tolist()  # tokens of each prompt
    if queries[0].sampling.choices:
        choices = [query.sampling.choices for query in queries]
        tokens = [loaded.encode_choices(*pair) for pair in zip(prompts, choices, strict=True)]
        logprobs = choice_logprobs(loaded.model, inputs, tokens)
        return [
            Answer(query.id, logprobs=dict(zip(names, row, strict=True)), prompt_tokens=length, output_tokens=0)
            for query, names, row, length in zip(queries, choices, logprobs, lengths, strict=True)
        ]
    tokenizer = loaded.processor.tokenizer
    outputs = generate(loaded.model, inputs, queries)
    return [
        Answer(
            query.id,
            text=tokenizer.decode(tokens, skip_special_tokens=True).strip(),
            prompt_tokens=length,
            output_tokens=len(tokens),
        )
        for query, tokens, length in zip(queries, outputs, lengths, strict=True)
    ]


def _batch_key(query: Query) -> tuple[Any, ...]:
    """Return what queries of one forward pass share: with or without choices and images, and the sampling."""
    sampling = () if query.sampling.choices else sampling_key(query)
    return (bool(query.sampling.choices), bool(query.images), *sampling)
