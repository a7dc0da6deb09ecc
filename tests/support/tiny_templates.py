"""Chat templates of the tiny checkpoints, each in the style of its family, written for these tests."""

from __future__ import annotations

_PARTS = (
    "{%- if message.content is string %}{{ message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' %}{{ 'IMAGE' }}{%- else %}{{ part.text }}{%- endif %}"
    "{%- endfor %}{%- endif %}"
)
# One message per turn between special tokens; the answer starts after the last line.
_CHATML = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    + _PARTS
    + "{{ '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}ANSWER{%- endif %}"
)
# Thinking is on unless it is switched off; an empty thought stands for none.
_THINKING = (
    "{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}"
    "{%- else %}{{ '<think>\n' }}{%- endif %}"
)


def chat_template(image: str) -> str:
    """Return a template as Qwen-VL and InternVL have it, in which the text ``image`` stands for an image."""
    return _CHATML.replace("ANSWER", "").replace("IMAGE", image)


def thinking_template(image: str) -> str:
    """Return a template as Qwen3.5 has it: the answer starts with a thought, which ``enable_thinking`` switches off."""
    return _CHATML.replace("ANSWER", _THINKING).replace("IMAGE", image)


def lfm2_template() -> str:
    """Return a template as LFM2-VL has it: it writes the token that begins a text."""
    return "{{ bos_token }}" + chat_template("<image>")


def smolvlm_template() -> str:
    """Return a template as SmolVLM has it: roles as words, one special token at the start, one after each turn."""
    return (
        "<|im_start|>{%- for message in messages %}{{ message.role | capitalize }}"
        "{%- if message.content[0].type == 'image' %}{{ ':' }}{%- else %}{{ ': ' }}{%- endif %}"
        + _PARTS.replace("IMAGE", "<image>")
        + "{{ '<end_of_utterance>\n' }}{%- endfor %}{%- if add_generation_prompt %}{{ 'Assistant:' }}{%- endif %}"
    )


def gemma4_template() -> str:
    """Return a template as Gemma 4 has it: turns, and images on lines of their own."""
    return (
        "{{ bos_token }}{%- for message in messages %}"
        "{{ '<|turn>' + ('model' if message.role == 'assistant' else message.role) + '\n' }}"
        + _PARTS.replace("{{ 'IMAGE' }}", "{{ '\n\n<|image|>\n\n' }}")
        + "{{ '<turn|>\n' }}{%- endfor %}{%- if add_generation_prompt %}{{ '<|turn>model\n' }}{%- endif %}"
    )


def glm4v_template() -> str:
    """Return a template as GLM-4.6V has it: no end of a turn; a switch in the question turns thinking off."""
    return (
        "[gMASK]<sop>{%- for message in messages %}{{ '<|' + message.role + '|>\n' }}"
        + _PARTS.replace("IMAGE", "<|begin_of_image|><|image|><|end_of_image|>")
        + "{%- if message.role == 'user' and enable_thinking is defined and enable_thinking is false %}"
        "{{ '/nothink' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}{{ '<think></think>\n' }}{%- endif %}"
        "{%- endif %}"
    )
