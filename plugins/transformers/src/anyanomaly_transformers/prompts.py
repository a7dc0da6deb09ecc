"""Queries to the inputs of a processor of transformers: chat text, and a padded batch of tensors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from anyanomaly.kit import (
    ChatThinking,
    Switches,
    chat_messages,
    check_chat,
    check_special_tokens,
    thinks_in_special_tokens,
)
from anyanomaly.types import Query, QueryId


def render_prompt(processor: Any, query: Query, thinking: ChatThinking | None = None) -> str:
    """Return the prompt of ``query`` in the model's chat template, up to where the answer starts.

    For a template without a system turn the system text goes before the question.

    :param thinking: of this processor's template; None: thinking off.
    :raises UsageError: when the question holds a special token of the model, or the template expands without end.
    """
    refuse_special_tokens(processor.tokenizer, query)
    thinking = thinking or ChatThinking("off")
    return thinking.complete_prompt(lambda switches: _render(processor, query, switches), query.prompt)


def thinking_fingerprint(processor: Any, thinking: ChatThinking) -> str:
    """Return the part of a model's fingerprint on its thinking: "" where thinking is off and changes no prompt."""
    question = Query(QueryId("", 0, "", ""), (), "?")
    return thinking.fingerprint(lambda switches: _render(processor, question, switches), question.prompt)


def _render(processor: Any, query: Query, switches: Switches) -> str:
    from jinja2 import TemplateError

    try:
        return _apply_template(processor, query, switches, system_turn=True)
    except TemplateError:
        if not query.system:
            raise
        return _apply_template(processor, query, switches, system_turn=False)


def refuse_special_tokens(tokenizer: Any, query: Query) -> None:
    """Check that the question holds no special token, which would end the turn early or stand for an image.

    :raises UsageError: when it holds one.
    """
    check_special_tokens(query, _special_tokens(tokenizer))


@lru_cache(maxsize=4)
def _special_tokens(tokenizer: Any) -> tuple[str, ...]:
    """Return all special tokens; ``all_special_tokens`` lacks those without a role, such as LLaVA's ``<image>``.

    A single character is ordinary text: MiniCPM-V 2.5 pads with an exclamation mark.
    """
    tokens = tokenizer.added_tokens_decoder.values()
    return tuple(token.content for token in tokens if token.special and len(token.content) > 1)


def _apply_template(processor: Any, query: Query, switches: Switches, *, system_turn: bool) -> str:
    messages = chat_messages(query, [{"type": "image"} for _ in query.images], system_turn=system_turn)
    words = set(re.findall(r"\w+", str(processor.chat_template)))
    variables = {name: value for name, value in switches.items() if name in words}  # transformers warns of others
    check_chat(processor.chat_template, messages, variables)
    return str(processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **variables))


def decode_words(tokenizer: Any, tokens: Sequence[int]) -> str:
    """Return the text of an answer, without special tokens unless thoughts stand between them."""
    special = _special_tokens(tokenizer)
    names = tokenizer.convert_ids_to_tokens(list(tokens))
    skip = not thinks_in_special_tokens(name for name in names if name in special)
    return str(tokenizer.decode(tokens, skip_special_tokens=skip)).strip()


def encode_batch(processor: Any, queries: Sequence[Query], prompts: Sequence[str]) -> Any:
    """Return the processor's tensors for ``prompts``, padded on the left, with the images of ``queries``.

    Either all queries have images or none has.

    :param prompts: one per query, from `render_prompt`.
    :returns: a mapping of torch tensors; ``input_ids`` and ``attention_mask`` are (n_queries, longest prompt).
    """
    from PIL import Image

    images = [[Image.fromarray(image) for image in query.images] for query in queries]
    bos_token = processor.tokenizer.bos_token
    return processor(
        images=images if any(images) else None,
        text=list(prompts),
        padding=True,
        padding_side="left",
        add_special_tokens=not (bos_token and prompts[0].startswith(bos_token)),  # not twice
        return_tensors="pt",
    )
