"""Chat templates come with models: they are rendered in a child process, with a bound on time, memory and length."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from anyanomaly.errors import UsageError
from anyanomaly.rehearsal import rehearse

MAX_CHARACTERS = 2**20
"""Longest prompt; a question has some thousands."""
MAX_BYTES = 2**29
LIMIT_S = 5


def render_chat(source: str, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> str | None:
    """Return the prompt that a chat template makes, up to where the answer starts; None: it does not take the messages.

    :param source: the template. :param variables: further values for it, which JSON can hold.
    :raises UsageError: when it cannot be compiled, or expands without end.
    """
    prompt: str | None = rehearse(
        "anyanomaly.kit.chat_templates:render_here",
        source,
        list(messages),
        dict(variables),
        name="The chat template of this model",
        error=UsageError,
        max_bytes=MAX_BYTES,
        limit_s=LIMIT_S,
    )
    return prompt


def check_chat(source: Any, messages: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]) -> None:
    """Check that a template which an engine renders itself, without a bound, does not expand without end.

    :param source: the template; anything but a text is left to the engine.
    :raises UsageError: when it does.
    """
    if isinstance(source, str):
        render_chat(source, messages, variables)


def render_here(source: str, messages: list[dict[str, Any]], variables: dict[str, Any]) -> str | None:
    """Render as `render_chat` does, in this process at once."""
    from jinja2 import TemplateError

    try:
        template = _compile(source)
    except (TemplateError, RecursionError) as error:
        raise UsageError(f"The chat template of this model cannot be read: {error}.") from error
    n_characters = 0
    parts = []
    try:
        for part in template.generate(messages=messages, add_generation_prompt=True, **variables):
            parts.append(part)
            n_characters += len(part)
            if n_characters > MAX_CHARACTERS:
                break
    except RecursionError as error:
        raise UsageError("The chat template of this model calls itself without end. Use another model.") from error
    except MemoryError:
        raise
    except Exception:  # a template may use any value in any way
        return None
    if n_characters > MAX_CHARACTERS:
        raise UsageError(
            f"The chat template of this model makes a prompt of more than {MAX_CHARACTERS:,} characters. "
            f"Use another model."
        )
    return "".join(parts)


@lru_cache(maxsize=4)
def _compile(source: str) -> Any:
    """Compile as transformers does, in jinja's sandbox."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}``, which marks answers for training, and changes no prompt."""

        tags = {"generation"}  # noqa: RUF012  # the base class declares it

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def to_json(value: Any, indent: int | None = None, **settings: Any) -> str:
        return json.dumps(value, ensure_ascii=settings.get("ensure_ascii", False), indent=indent)

    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols", Generation]
    )
    sandbox.filters["tojson"] = to_json
    sandbox.globals["raise_exception"] = raise_exception
    sandbox.globals["strftime_now"] = lambda date_format: datetime.now().strftime(date_format)
    return sandbox.from_string(source)
