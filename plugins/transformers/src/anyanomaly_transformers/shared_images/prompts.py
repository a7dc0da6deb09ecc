"""Prompts as a head, which ends with the last image, and a tail: the question."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from anyanomaly.kit import ChatThinking
from anyanomaly.types import Query
from anyanomaly_transformers.prompts import render_prompt

CACHE_SIZE = 1024  # of rendered prompts: a run has few questions and many images
HeadKey: TypeAlias = Hashable
"""Equal for prompts with the same head."""


class Prompt(NamedTuple):
    """A rendered prompt."""

    text: str
    head_text: str | None  # what stands before the question, with all images; None: an image follows the question


class PromptWriter:
    """Renders prompts, each different question once."""

    def __init__(self, processor: Any, thinking: ChatThinking) -> None:
        self._processor = processor
        self._thinking = thinking
        self._cached_prompt = lru_cache(maxsize=CACHE_SIZE)(self._write)

    def __call__(self, query: Query) -> Prompt:
        """Return the prompt of ``query``.

        :raises UsageError: as `render_prompt`.
        """
        return self._cached_prompt(query.prompt, query.system, query.text_first, len(query.images), _Images(query))

    def _write(self, question: str, system: str, text_first: bool, n_images: int, images: _Images) -> Prompt:
        query = images.query
        text = render_prompt(self._processor, query, self._thinking)
        if not query.images or not question.strip():
            return Prompt(text, None)
        head, _, end = text.rpartition(question.strip())
        text_alone = render_prompt(self._processor, replace(query, images=()), self._thinking)
        head_alone, _, end_alone = text_alone.rpartition(question.strip())
        # Images change only what stands before the question: so all of them stand there.
        return Prompt(text, head if head and end == end_alone and head != head_alone else None)


class _Images:
    """Carries a query past the cache: its images change nothing in a prompt's text."""

    def __init__(self, query: Query) -> None:
        self.query = query

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Images)

    def __hash__(self) -> int:
        return 0


def head_key(query: Query, prompt: Prompt) -> HeadKey:
    """Return the key of a prompt's head: its text and the content of the images."""
    digests = (hashlib.blake2b(image.data, person=repr(image.shape[:2]).encode()[:16]) for image in query.images)
    return (prompt.head_text, *(digest.digest() for digest in digests))


def image_sizes(query: Query) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of a query's images, on which the tokens around them may depend."""
    return tuple(image.shape for image in query.images)
