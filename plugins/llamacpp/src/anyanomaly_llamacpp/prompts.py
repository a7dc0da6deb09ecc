"""Queries to text, by the chat template in the GGUF file, with a marker for each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyanomaly.errors import UsageError
from anyanomaly.kit import ChatThinking, Switches, check_special_tokens, full_prompt, render_chat, text_part
from anyanomaly.types import Query, QueryId
from anyanomaly_llamacpp.images import IMAGE

# What templates write for one image, longer ones first. The tokens around an image are added later.
PLACEHOLDERS = (
    "<|vision_start|><|image_pad|><|vision_end|>",  # Qwen
    "<|begin_of_image|><|image|><|end_of_image|>",  # GLM-V
    "(<image>./</image>)",  # MiniCPM-V 2.6
    "<start_of_image>",  # Gemma 3
    "<IMG_CONTEXT>",  # InternVL
    "<|image_pad|>",  # MiniCPM-V 4.6
    "<|image|>",  # Gemma 4
    "<image>",  # SmolVLM, LFM2-VL, LLaVA
    "[IMG]",  # Pixtral
)
NUMBERED = "qwen2"  # text architecture of MiniCPM-V 2.6; the layout of 4.6 numbers images itself
_CONTROL = 3  # token type of special tokens


class Chat:
    """The chat template and the special tokens of one model.

    :param header: metadata of its GGUF file. :param model: name of the file, for messages.
    :param thinking: of the template; None: thinking off.
    :raises UsageError: when the file has no chat template.
    """

    def __init__(self, header: Mapping[str, Any], model: str, thinking: ChatThinking | None = None) -> None:
        tokens = header.get("tokenizer.ggml.tokens", [])
        token_types = header.get("tokenizer.ggml.token_type", [])
        source = header.get("tokenizer.chat_template")
        if not source:
            raise UsageError(
                f"Model {model!r} has no chat template, so it cannot answer questions. "
                "Use the variant that was tuned to follow instructions."
            )
        ids = {name: header.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos")}
        self._named_tokens = {f"{name}_token": tokens[index] for name, index in ids.items() if index is not None}
        adds_bos = header.get("tokenizer.ggml.add_bos_token")
        self._bos_token = self._named_tokens.get("bos_token", "") if adds_bos else ""
        typed_tokens = zip(tokens, token_types, strict=False)
        self._special_tokens = [IMAGE, *(token for token, token_type in typed_tokens if token_type == _CONTROL)]
        self._numbers_images = "<image_id>" in tokens and header.get("general.architecture") in {None, NUMBERED}
        self._source = source
        self.thinking = thinking or ChatThinking("off")

    def render(self, query: Query) -> str:
        """Return the prompt of ``query`` up to where the answer starts, with `IMAGE` for each image.

        For a template without a system turn the system text goes before the question; for one that does not take
        lists of text and images each image goes on a line of its own, as the models' authors write it.

        :raises UsageError: when the question holds a special token of the model, or the template takes no images.
        """
        check_special_tokens(query, self._special_tokens)
        return self.thinking.complete_prompt(lambda switches: self._render(query, switches), query.prompt)

    def thinking_fingerprint(self) -> str:
        """Return the part of the model's fingerprint on its thinking: "" where it is off and changes no prompt.

        :raises UsageError: when the template takes no questions.
        """
        question = Query(QueryId("", 0, "", ""), (), "?")
        return self.thinking.fingerprint(lambda switches: self._render(question, switches), question.prompt)

    def _render(self, query: Query, switches: Switches) -> str:
        for system, prompt in ((query.system, query.prompt), ("", full_prompt(query))):
            for content in (self._list_parts(query, prompt), self._write_lines(query, prompt)):
                text = self._apply_template(system, content, switches)
                if text is not None and _is_complete(text, query, prompt, system):
                    return text if text.startswith(self._bos_token) else self._bos_token + text
        raise UsageError("The chat template of this model does not take a question with images. Use another model.")

    def _apply_template(self, system: str, content: str | list[dict[str, str]], switches: Switches) -> str | None:
        system_content = system if isinstance(content, str) else [text_part(system)]
        turns = [{"role": "system", "content": system_content}] if system else []
        messages = [*turns, {"role": "user", "content": content}]
        values = {**switches, **self._named_tokens}
        if (text := render_chat(self._source, messages, values)) is None:
            return None
        placeholder = next((name for name in PLACEHOLDERS if name in text), None)
        return text.replace(placeholder, IMAGE) if placeholder else text

    def _list_parts(self, query: Query, prompt: str) -> list[dict[str, str]]:
        images, text = [{"type": "image"} for _ in query.images], [text_part(prompt)]
        return text + images if query.text_first else images + text

    def _write_lines(self, query: Query, prompt: str) -> str:
        indices = range(len(query.images))
        images = [f"<image_id>{index}</image_id>{IMAGE}" if self._numbers_images else IMAGE for index in indices]
        return "\n".join([prompt, *images] if query.text_first else [*images, prompt])


def _is_complete(text: str, query: Query, prompt: str, system: str) -> bool:
    """Return whether a template wrote all of the question, and no list as a string."""
    has_texts = prompt.strip() in text and system.strip() in text and "'type': 'text'" not in text
    return has_texts and text.count(IMAGE) == len(query.images)
