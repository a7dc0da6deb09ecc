"""Chat templates in the styles of today's thinking models, and the ends of the prompts that they must give."""

from __future__ import annotations

from typing import NamedTuple

QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"
_SOURCE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string %}{{ message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' %}{{ 'IMAGE' }}{%- else %}{{ TEXT }}{%- endif %}"
    "{%- endfor %}{%- endif %}{{ '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}END{%- endif %}"
)


class ThinkingTemplate(NamedTuple):
    """What a template writes where the answer starts."""

    name: str
    end: str  # jinja after the header of the assistant's turn
    off: str  # the text there with thinking off
    on: str  # and with thinking on
    text: str = "part.text"  # what it writes of a text in a turn

    def source(self, image: str = QWEN_IMAGE) -> str:
        """Return the complete template, in which the text ``image`` stands for an image."""
        return _SOURCE.replace("IMAGE", image).replace("TEXT", self.text).replace("END", self.end)


CLOSED = "<think>\n\n</think>\n\n"
TEMPLATES = (
    ThinkingTemplate("none", "", "", ""),
    ThinkingTemplate(
        "enable_thinking closes",
        "{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{%- endif %}",
        off=CLOSED,
        on="",
    ),
    ThinkingTemplate(
        "enable_thinking opens or closes",
        "{{ '<think>\n\n</think>\n\n' if enable_thinking is defined and not enable_thinking else '<think>\n' }}",
        off=CLOSED,
        on="<think>\n",
    ),
    ThinkingTemplate("thinking", "{{ '<think>' if thinking else '</think>' }}", off="</think>", on="<think>"),
    ThinkingTemplate(
        "reasoning_effort that refuses other values",
        "{%- if reasoning_effort | default('high') not in ('none', 'high') %}{{ raise_exception('none or high') }}"
        "{%- endif %}{{ '[THINK]' if reasoning_effort | default('none') == 'high' else '' }}",
        off="",
        on="[THINK]",
    ),
    ThinkingTemplate(
        "a variable that switches nothing",
        "{%- set enable_thinking = enable_thinking | default(true) %}{{ '<think>\n' }}",
        off=CLOSED,
        on="<think>\n",
    ),
    ThinkingTemplate(
        "a switch that only shortens thoughts, beside one that ends them",
        "{{ '<think>' + ('Brief, ' if enable_thinking is defined and not enable_thinking else '') }}"
        "{{ '</think>' if thinking is defined and not thinking else '' }}",
        off="<think></think>",
        on="<think>",
    ),
    ThinkingTemplate("opens on a line of its own", "{{ '<think>\n' }}", off=CLOSED, on="<think>\n"),
    ThinkingTemplate("opens", "{{ '<think>' }}", off="<think></think>\n", on="<think>"),
    ThinkingTemplate("opens and begins", "{{ '<think>\nOkay, ' }}", "<think>\nOkay, \n</think>\n\n", "<think>\nOkay, "),
    ThinkingTemplate("Kimi", "{{ '◁think▷' }}", off="◁think▷◁/think▷", on="◁think▷"),
    ThinkingTemplate("Mistral", "{{ '[THINK]' }}", off="[THINK][/THINK]", on="[THINK]"),
    ThinkingTemplate(
        "channel", "{{ '<|channel>thought\n' }}", off="<|channel>thought\n<channel|>", on="<|channel>thought\n"
    ),
    ThinkingTemplate(
        "closes always, and removes thoughts from turns",  # so that no turn continues the prompt
        "{{ '<|channel>thought\n<channel|>' }}",
        off="<|channel>thought\n<channel|>",
        on="<|channel>thought\n<channel|>",
        text="(part.text | default('')).split('<channel|>')[-1]",
    ),
    ThinkingTemplate(
        "mentions thoughts of earlier turns",
        "{%- for message in messages if message.role == 'assistant' %}{{ message.content.split('</think>')[-1] }}"
        "{%- endfor %}{# <think> #}",
        off="",
        on="",
    ),
)


def plain_template(end: str) -> str:
    """Return a template without thinking that writes ``end`` where the answer starts."""
    return ThinkingTemplate("", f"{{{{ {end!r} }}}}", "", "").source()
