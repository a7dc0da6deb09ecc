"""Queries to what a processor takes: the rendered chat text, and a padded batch of tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from anyanomaly.kit import chat_messages, check_special_tokens
from anyanomaly.types import Query


def render_prompt(processor: Any, query: Query) -> str:
    """Return the text of ``query`` as the model's chat template writes it, up to where the answer starts.

    A template that knows no system turn gets the system text before the question.

    :raises UsageError: when the question holds one of the tokenizer's own marks, which would end it early or
        stand for an image.
    """
    refuse_special_tokens(processor.tokenizer, query)
    try:
        return _apply(processor, query, system_turn=True)
    except _template_error():
        if not query.system:
            raise
        return _apply(processor, query, system_turn=False)


def refuse_special_tokens(tokenizer: Any, query: Query) -> None:
    """:raises UsageError: when the question holds one of the tokenizer's own marks."""
    check_special_tokens(query, _special_tokens(tokenizer))


@lru_cache(maxsize=4)
def _special_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Return every mark; ``all_special_tokens`` leaves out those without a role, LLaVA's ``<image>`` among them.

    A single character is no mark: MiniCPM-V 2.5 pads with an exclamation mark.
    """
    own = tokenizer.added_tokens_decoder.values()
    return tuple(mark.content for mark in own if mark.special and len(mark.content) > 1)


def _template_error() -> type[Exception]:
    from jinja2 import TemplateError

    return TemplateError


def _apply(processor: Any, query: Query, *, system_turn: bool) -> str:
    messages = chat_messages(query, [{"type": "image"} for _ in query.images], system_turn=system_turn)
    return str(processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))


def encode_batch(processor: Any, queries: Sequence[Query], texts: Sequence[str]) -> Any:
    """Return the processor's tensors for ``texts``, padded on the left, with the images of ``queries``.

    Either every query has images or none has.
    """
    from PIL import Image

    images = [[Image.fromarray(image) for image in query.images] for query in queries]
    begin = processor.tokenizer.bos_token
    return processor(
        images=images if any(images) else None,
        text=list(texts),
        padding=True,
        padding_side="left",
        add_special_tokens=not (begin and texts[0].startswith(begin)),  # else the start would stand there twice
        return_tensors="pt",
    )
