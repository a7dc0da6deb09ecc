"""The backend ``transformers``: any image-text-to-text model, in padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly.api import Backend
from anyanomaly.kit import (
    ChatThinking,
    ThinkingGuard,
    answer_in_groups,
    check_scoring,
    model_identity,
    require_loaded,
)
from anyanomaly.types import Answer, Query
from anyanomaly_transformers.errors import translate_run_errors
from anyanomaly_transformers.fingerprints import model_fingerprint
from anyanomaly_transformers.generation import generate, sampling_key
from anyanomaly_transformers.loading import Loaded, free_gpu_memory, load, quiet_logs
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.prompts import decode_words, encode_batch, render_prompt, thinking_fingerprint
from anyanomaly_transformers.scoring import choice_logprobs


class TransformersBackend(Backend[TransformersOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer."""

    def __init__(self, options: TransformersOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._loaded: Loaded | None = None
        self._fingerprint = ""
        self._thinking = ChatThinking(options.thinking, f"Model {options.model!r}")
        self._guard = ThinkingGuard(f"Model {options.model!r}")

    def load(self) -> None:
        """Load processor and weights; download what is missing.

        :raises AnyAnomalyError: when the model cannot be loaded; the message says why and what to do.
        """
        self._loaded = load(self.options)
        self.revision = model_identity(self.options.model, self._loaded.commit or self.options.revision)
        with translate_run_errors(self.options.model), quiet_logs():
            thinking = thinking_fingerprint(self._loaded.processor, self._thinking)
        self._fingerprint = model_fingerprint(self.options, self._loaded.model, self.revision, thinking)

    def close(self) -> None:
        """Free the weights and their GPU memory."""
        if self._loaded is not None:
            self._loaded = None
            free_gpu_memory()

    @property
    def fingerprint(self) -> str:
        """Weights, precision, pixel limits, thinking and release; known after `load`.

        :raises BackendError: before `load`.
        """
        require_loaded(self._loaded)
        return self._fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; queries with equal sampling share forward passes.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        :raises UsageError: when a question holds a special token of the model, or asks for log-probabilities while
            thinking is on.
        """
        loaded = require_loaded(self._loaded)
        with translate_run_errors(self.options.model), quiet_logs():
            return answer_in_groups(queries, _batch_key, lambda group: self._answer_group(loaded, group))

    def _answer_group(self, loaded: Loaded, queries: Sequence[Query]) -> list[Answer]:
        if not queries[0].sampling.choices:
            return _answer_in_words(loaded, queries, self._thinking)
        check_scoring(self._thinking.mode, "expected")
        answers = _score_choices(loaded, queries, self._thinking)
        self._guard.check(queries, answers, lambda query: _answer_in_words(loaded, [query], self._thinking)[0])
        return answers


def _score_choices(loaded: Loaded, queries: Sequence[Query], thinking: ChatThinking) -> list[Answer]:
    """Return the log-probabilities of the allowed answers to queries of one `_batch_key`."""
    prompts = [render_prompt(loaded.processor, query, thinking) for query in queries]
    inputs, lengths = _encode(loaded, queries, prompts)
    choices = [query.sampling.choices for query in queries]
    tokens = [loaded.encode_choices(*pair) for pair in zip(prompts, choices, strict=True)]
    logprobs = choice_logprobs(loaded.model, inputs, tokens)
    return [
        Answer(query.id, logprobs=dict(zip(names, row, strict=True)), prompt_tokens=length, output_tokens=0)
        for query, names, row, length in zip(queries, choices, logprobs, lengths, strict=True)
    ]


def _answer_in_words(loaded: Loaded, queries: Sequence[Query], thinking: ChatThinking) -> list[Answer]:
    """Return the answers in words to queries of one `_batch_key`."""
    prompts = [render_prompt(loaded.processor, query, thinking) for query in queries]
    inputs, lengths = _encode(loaded, queries, prompts)
    outputs = generate(loaded.model, inputs, queries)
    return [
        Answer(
            query.id,
            text=thinking.complete_answer(prompt, query.prompt, decode_words(loaded.processor.tokenizer, tokens)),
            prompt_tokens=length,
            output_tokens=len(tokens),
        )
        for query, prompt, tokens, length in zip(queries, prompts, outputs, lengths, strict=True)
    ]


def _encode(loaded: Loaded, queries: Sequence[Query], prompts: Sequence[str]) -> tuple[Any, list[int]]:
    """Return the model's inputs, and the number of tokens of each prompt."""
    inputs = encode_batch(loaded.processor, queries, prompts).to(loaded.model.device, dtype=loaded.model.dtype)
    return inputs, inputs["attention_mask"].sum(dim=1).tolist()


def _batch_key(query: Query) -> tuple[Any, ...]:
    """Return what queries of one forward pass share: with or without choices and images, and the sampling."""
    sampling = () if query.sampling.choices else sampling_key(query)
    return (bool(query.sampling.choices), bool(query.images), *sampling)
