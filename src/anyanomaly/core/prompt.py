"""Prompt templates to questions. A template is a data file; slots are ``{text}``, ``{hint}`` and ``{output}``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SLOT = re.compile(r"\{(text|hint|output)\}")


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A question with slots. A line that holds ``{hint}`` alone is left out when there is no hint."""

    name: str
    question: str
    system: str = ""
    text_first: bool = False  # the question before the images
    output_word: str = "Response"  # fills {output}: how the question names the reply

    def __post_init__(self) -> None:
        if "{text}" not in self.question:
            raise ValueError(f"prompt template '{self.name}' has no slot {{text}}")


def build_prompt(template: PromptTemplate, text: str, hint: str = "") -> str:
    """Return the question for an event text; braces in ``text`` and ``hint`` stay as they are."""
    question = template.question.strip("\n")
    if not hint:
        question = re.sub(r"(?m)^[ \t]*\{hint\}[ \t]*(\n|\Z)", "", question)
    fillings = {"text": text, "hint": hint, "output": template.output_word}
    return _SLOT.sub(lambda slot: fillings[slot[1]], question)
