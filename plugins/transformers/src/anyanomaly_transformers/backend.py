"""The backend ``transformers``: any image-text-to-text model, in padded batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

from anyanomaly.api import Backend
from anyanomaly.core.trie import Tokens, choice_tokens
from anyanomaly.errors import AnyAnomalyError, BackendError, UsageError
from anyanomaly.types import Answer, Query
from anyanomaly_transformers.faults import run_error
from anyanomaly_transformers.identity import fingerprint
from anyanomaly_transformers.loading import Loaded, load, quiet
from anyanomaly_transformers.options import TransformersOptions
from anyanomaly_transformers.prompting import encode, render
from anyanomaly_transformers.scoring import choice_logprobs
from anyanomaly_transformers.words import drawing, generate


class TransformersBackend(Backend[TransformersOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer."""

    def __init__(self, options: TransformersOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._loaded: Loaded | None = None
        self._fingerprint = ""
        self._choice_tokens = lru_cache(maxsize=1024)(self._tokens_of)  # few questions, many images

    def load(self) -> None:
        """Load processor and weights; download them when they are not there."""
        self._loaded = load(self.options)
        self._fingerprint = fingerprint(self.options, self._loaded.model, self._loaded.commit)

    def close(self) -> None:
        """Let the weights go, and give the GPU's memory back."""
        if self._loaded is None:
            return
        self._loaded = None
        self._choice_tokens.cache_clear()
        import torch

        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    @property
    def fingerprint(self) -> str:
        """Weights, precision, sizes and release. Known once loaded.

        :raises BackendError: before `load`.
        """
        self._ready()
        return self._fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; queries that are drawn alike share forward passes.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        """
        loaded = self._ready()
        order = sorted(range(len(queries)), key=lambda place: _kind(queries[place]))
        answers: dict[int, Answer] = {}
        try:
            with quiet():
                for _, places in groupby(order, key=lambda place: _kind(queries[place])):
                    group = list(places)
                    answers.update(zip(group, self._answer_alike(loaded, [queries[i] for i in group]), strict=True))
        except AnyAnomalyError:
            raise
        except Exception as error:
            raise run_error(self.options.model, error) from error
        return [answers[place] for place in range(len(queries))]

    def _ready(self) -> Loaded:
        if self._loaded is None:
            raise BackendError("The model is not loaded. Call load() first, or use the backend in a with block.")
        return self._loaded

    def _answer_alike(self, loaded: Loaded, queries: Sequence[Query]) -> list[Answer]:
        texts = [render(loaded.processor, query) for query in queries]
        inputs = encode(loaded.processor, queries, texts).to(loaded.model.device, dtype=loaded.model.dtype)
        read = inputs["attention_mask"].sum(dim=1).tolist()
        if queries[0].sampling.choices:
            wanted = [query.sampling.choices for query in queries]
            tokens = [self._choice_tokens(text, choices) for text, choices in zip(texts, wanted, strict=True)]
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

    def _tokens_of(self, text: str, choices: tuple[str, ...]) -> tuple[Tokens, ...]:
        tokenizer = self._ready().processor.tokenizer
        try:
            return choice_tokens(lambda words: tokenizer(words, add_special_tokens=False)["input_ids"], text, choices)
        except ValueError as error:
            raise UsageError(f"These allowed answers cannot be used with this model: {error}.") from error


def _kind(query: Query) -> tuple[Any, ...]:
    """Return what queries of one forward pass have in common."""
    how = () if query.sampling.choices else drawing(query)
    return (bool(query.sampling.choices), bool(query.images), *how)
