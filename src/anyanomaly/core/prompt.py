"""From prompt templates to questions. A template is a data file; slots are ``{text}``, ``{hint}`` and ``{output}``."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from anyanomaly.core.expected import SCALES

MAX_LENGTH = 20_000
"""Characters of a field; a template of a stranger must not fill the memory when it is filled."""

_SLOT = re.compile(r"\{(text|hint|output)\}")


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A question with slots. A line that holds only ``{hint}`` is removed when the context has no hint.

    :raises ValueError: when a question has no slot ``{text}``, a field has another type or is too long, or ``scale`` is
        none.
    """

    name: str
    question: str
    system: str = ""
    text_first: bool = False  # the question before the images
    output_word: str = "Response"  # fills {output}: how the question names the reply
    question_with_hint: str = ""  # for contexts with a hint; empty: `question`
    keep_line_breaks: bool = False  # at the start and at the end of the question
    scale: str = ""  # the scale that the question asks for; empty: tenths, or unknown

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_field(field.name, getattr(self, field.name), is_switch=isinstance(field.default, bool))
        if self.scale not in ("", *SCALES):
            raise ValueError(f"scale must be one of {', '.join(SCALES)}")
        for question in filter(None, (self.question, self.question_with_hint)):
            if "{text}" not in question:
                raise ValueError(f"prompt template '{self.name}' has no slot {{text}}")


def _check_field(name: str, value: object, *, is_switch: bool) -> None:
    if is_switch and not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    if not is_switch and not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    if isinstance(value, str) and len(value) > MAX_LENGTH:
        raise ValueError(f"{name} has {len(value):,} characters; use at most {MAX_LENGTH:,}")


def build_prompt(template: PromptTemplate, text: str, hint: str = "") -> str:
    """Return the question for an event text; braces in ``text`` and ``hint`` stay as they are."""
    question = (hint and template.question_with_hint) or template.question
    if not template.keep_line_breaks:
        question = question.strip("\n")
    if not hint:
        question = re.sub(r"(?m)^[ \t]*\{hint\}[ \t]*(\n|\Z)", "", question)
    slots = {"text": text, "hint": hint, "output": template.output_word}
    return _SLOT.sub(lambda slot: slots[slot[1]], question)
