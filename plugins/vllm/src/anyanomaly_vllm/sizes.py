"""Sizes of queries, known before the engine starts: their length in tokens, and their images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from anyanomaly_transformers.api import encode_batch, refuse_special_tokens, render_prompt

from anyanomaly.kit import ChatThinking
from anyanomaly.types import Query

FALLBACK_TOKENS = 4096  # assumed for a prompt that only vLLM's own code can encode


class QuerySize(NamedTuple):
    """Upper bounds over some queries, each field by itself."""

    tokens: int  # question, images and answer
    images: int = 1
    width: int = 1  # pixels of an image
    height: int = 1

    def holds(self, size: QuerySize) -> bool:
        """Return whether an engine of this size takes queries of ``size``; pixels count as tokens only."""
        return self.tokens >= size.tokens and self.images >= size.images

    def union(self, size: QuerySize) -> QuerySize:
        """Return the smallest size that holds both."""
        return QuerySize(*map(max, self, size))


class QuerySizer:
    """Computes the size of queries with the model's own processor, once per question and image shapes.

    :param processor: of transformers; None when only vLLM's code can encode prompts.
    """

    def __init__(self, processor: Any, tokenizer: Any, thinking: ChatThinking) -> None:
        self._processor = processor
        self._thinking = thinking
        self.tokenizer = tokenizer
        self._prompt_tokens: dict[tuple[Any, ...], int] = {}

    def size(self, queries: Sequence[Query]) -> QuerySize:
        """Return the size that holds all of ``queries``.

        :raises UsageError: when a question holds a special token of the model.
        """
        total = QuerySize(1)
        for query in queries:
            shapes = [image.shape for image in query.images]
            height, width = (max((shape[axis] for shape in shapes), default=1) for axis in (0, 1))
            sampling = query.sampling
            # No tokenizer needs more tokens than bytes.
            n_answer = max((len(choice.encode()) for choice in sampling.choices), default=sampling.max_tokens)
            n_prompt = self._count_tokens(query, tuple(shapes))
            total = total.union(QuerySize(n_prompt + n_answer, len(shapes), width, height))
        return total

    def _count_tokens(self, query: Query, shapes: tuple[Any, ...]) -> int:
        key = (query.system, query.prompt, query.text_first, shapes)
        if key not in self._prompt_tokens:
            refuse_special_tokens(self.tokenizer, query)
            self._prompt_tokens[key] = self._encoded_length(query)
        return self._prompt_tokens[key]

    def _encoded_length(self, query: Query) -> int:
        if self._processor is None:
            return FALLBACK_TOKENS
        try:
            prompt = render_prompt(self._processor, query, self._thinking)
            return int(encode_batch(self._processor, [query], [prompt])["input_ids"].shape[1])
        except (TypeError, ValueError, AttributeError, KeyError):  # a processor that comes with the model's own code
            return FALLBACK_TOKENS
