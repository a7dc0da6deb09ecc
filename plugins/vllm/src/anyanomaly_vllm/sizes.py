"""What the engine must hold: how long queries are, and how many images they have, known before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from anyanomaly_transformers.api import encode_batch, refuse_special_tokens, render_prompt

from anyanomaly.types import Query

UNMEASURED = 4096  # tokens taken for a query that only vLLM's own code can measure


class Size(NamedTuple):
    """The largest of some queries, each part by itself."""

    tokens: int  # question, images and answer
    images: int = 1
    width: int = 1  # pixels of an image
    height: int = 1

    def holds(self, other: Size) -> bool:
        """Return whether an engine of this size takes queries of the other; pixels count as tokens only."""
        return self.tokens >= other.tokens and self.images >= other.images

    def joined(self, other: Size) -> Size:
        """Return the size that holds both."""
        return Size(*map(max, self, other))


class Measure:
    """Measures queries with the model's own processor, once per question and picture format."""

    def __init__(self, processor: Any, tokenizer: Any) -> None:
        self._processor = processor
        self.tokenizer = tokenizer
        self._known: dict[tuple[Any, ...], int] = {}

    def size(self, queries: Sequence[Query]) -> Size:
        """Return the size that holds all of ``queries``.

        :raises UsageError: when a question holds a mark of the model.
        """
        whole = Size(1)
        for query in queries:
            shapes = [image.shape for image in query.images]
            height, width = (max((shape[axis] for shape in shapes), default=1) for axis in (0, 1))
            sampling = query.sampling
            answer = max(map(_n_bytes, sampling.choices), default=sampling.max_tokens)
            whole = whole.joined(Size(self._prompt(query, tuple(shapes)) + answer, len(shapes), width, height))
        return whole

    def _prompt(self, query: Query, shapes: tuple[Any, ...]) -> int:
        key = (query.system, query.prompt, query.text_first, shapes)
        if key not in self._known:
            refuse_special_tokens(self.tokenizer, query)
            self._known[key] = self._measured(query)
        return self._known[key]

    def _measured(self, query: Query) -> int:
        if self._processor is None:
            return UNMEASURED
        try:
            return int(
                encode_batch(self._processor, [query], [render_prompt(self._processor, query)])["input_ids"].shape[1]
            )
        except (TypeError, ValueError, AttributeError, KeyError):  # a processor of its authors, with its own manners
            return UNMEASURED


def _n_bytes(words: str) -> int:
    return len(words.encode())  # no tokenizer needs more tokens
