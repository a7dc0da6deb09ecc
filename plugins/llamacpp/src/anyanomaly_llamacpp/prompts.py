"""Queries to text, as the chat template in the GGUF file writes it, with a mark where each image stands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from jinja2 import Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from anyanomaly.errors import UsageError
from anyanomaly.kit import check_special_tokens, full_prompt, text_part
from anyanomaly.types import Query
from anyanomaly_llamacpp.engine import IMAGE

# What templates write for one image. llama.cpp puts the marks around an image itself.
PLACEHOLDERS = (
    "<|vision_start|><|image_pad|><|vision_end|>",  # Qwen
    "(<image>./</image>)",  # MiniCPM-V
    "<start_of_image>",  # Gemma 3
    "<image>",  # SmolVLM, LLaVA
    "[IMG]",  # Pixtral
)
_CONTROL = 3  # the kind of token that text must not hold


class Chat:
    """The template and the marks of one model."""

    def __init__(self, header: Mapping[str, Any], model: str) -> None:
        tokens = header.get("tokenizer.ggml.tokens", [])
        kinds = header.get("tokenizer.ggml.token_type", [])
        source = header.get("tokenizer.chat_template")
        if not source:
            raise UsageError(
                f"Model {model!r} has no chat template, so questions cannot be put to it. "
                "Use the variant tuned to follow instructions."
            )
        named = {name: header.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos")}
        self._known = {f"{name}_token": tokens[number] for name, number in named.items() if number is not None}
        self._begin = self._known.get("bos_token", "") if header.get("tokenizer.ggml.add_bos_token") else ""
        self._marks = [IMAGE, *(token for token, kind in zip(tokens, kinds, strict=False) if kind == _CONTROL)]
        self._numbers_images = "<image_id>" in tokens  # MiniCPM-V 2.6
        self._template = _compiled(source)

    def render(self, query: Query) -> str:
        """Return the text of ``query`` up to where the answer starts, with `IMAGE` for each image.

        A template that knows no system turn gets the system text before the question; one that takes no lists of
        text and images gets the images as the model's authors write them, each on a line of its own.

        :raises UsageError: when the question holds one of the model's own marks.
        """
        check_special_tokens(query, self._marks)
        for system, prompt in ((query.system, query.prompt), ("", full_prompt(query))):
            for content in (self._parts(query, prompt), self._lines(query, prompt)):
                try:
                    text = self._apply(system, content)
                except (TemplateError, TypeError):
                    continue
                if _complete(text, query, prompt, system):
                    return text if text.startswith(self._begin) else self._begin + text
        raise UsageError("The chat template of this model does not take a question with images. Use another model.")

    def _apply(self, system: str, content: Any) -> str:
        listed = not isinstance(content, str)
        before = [{"role": "system", "content": [text_part(system)] if listed else system}] if system else []
        turns = [*before, {"role": "user", "content": content}]
        text = self._template.render(messages=turns, add_generation_prompt=True, **self._known)
        found = next((each for each in PLACEHOLDERS if each in text), None)
        return text.replace(found, IMAGE) if found else text

    def _parts(self, query: Query, prompt: str) -> list[dict[str, str]]:
        images, words = [{"type": "image"} for _ in query.images], [text_part(prompt)]
        return words + images if query.text_first else images + words

    def _lines(self, query: Query, prompt: str) -> str:
        numbers = [f"<image_id>{n}</image_id>" if self._numbers_images else "" for n in range(len(query.images))]
        images = [f"{number}{IMAGE}" for number in numbers]
        return "\n".join([prompt, *images] if query.text_first else [*images, prompt])


def _complete(text: str, query: Query, prompt: str, system: str) -> bool:
    """Return whether a template wrote all of the question, and no list as a string."""
    whole = prompt.strip() in text and system.strip() in text and "'type': 'text'" not in text
    return whole and text.count(IMAGE) == len(query.images)


def _compiled(source: str) -> Template:
    """Compile as transformers does; the template comes with the model, so it runs in jinja's sandbox."""

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def to_json(value: Any, indent: int | None = None, **more: Any) -> str:
        return json.dumps(value, ensure_ascii=more.get("ensure_ascii", False), indent=indent)

    sandbox = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    sandbox.filters["tojson"] = to_json
    sandbox.globals["raise_exception"] = raise_exception
    sandbox.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    try:
        return sandbox.from_string(source)
    except TemplateError as error:
        raise UsageError(f"The chat template of this model cannot be read: {error}.") from error
