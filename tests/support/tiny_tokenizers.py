"""Tokenizers and a chat template for the tiny checkpoints, learned from the published question and the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

QUESTION = (
    "- **Task**: Evaluate whether the given image includes **{text}** on a scale from 0 to 1. A score of 1 means "
    "**{text}** is clearly present in the image, while a score of 0 means **{text}** is not present at all.\n"
    "- **Context**: The given image represents a sequence (row 1 column 1 -> row 2 column 2).\n"
    "- **Output**: Provide the score as a float, rounded to one decimal place, including a brief reason."
)
EVENT_TEXTS = ("bicycle", "car", "person running", "throwing", "jumping", "fighting", "a red square", "too close")
SYSTEM = "You are a vision anomaly detector."

# One message per turn between special tokens; the answer starts after the last line.
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string %}{{ message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' %}{{ 'IMAGE' }}{%- else %}{{ part.text }}{%- endif %}"
    "{%- endfor %}{%- endif %}{{ '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)


def chat_template(image: str) -> str:
    """Return the chat template in which the text ``image`` stands for an image."""
    return CHAT_TEMPLATE.replace("IMAGE", image)


def corpus() -> list[str]:
    """Return the texts that the tokenizers are trained on: the questions, and every score with one decimal."""
    questions = [QUESTION.format(text=text) for text in EVENT_TEXTS]
    return [SYSTEM, *questions, *(f"The score is {tenths / 10}." for tenths in range(11)), "system user assistant"]


# How Qwen2 splits a text into words, each digit on its own; llama.cpp calls this rule "qwen2".
QWEN2_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def byte_tokenizer(special: Sequence[str], named: dict[str, str] | None = None, *, digits: bool = True) -> Any:
    """Return a byte-level BPE tokenizer; with ``digits`` it splits words as Qwen2 does, else as GPT-2."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if digits:
        words = pre_tokenizers.Split(Regex(QWEN2_WORDS), "isolated")
        as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, as_bytes])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    return _wrap(tokenizer, special, named)


def metaspace_tokenizer(special: Sequence[str], named: dict[str, str] | None = None) -> Any:
    """Return a BPE tokenizer like those of SentencePiece: a symbol at the start of a word stands for the space."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    alphabet = [*map(chr, range(32, 127)), "\n"]
    trainer = trainers.BpeTrainer(
        vocab_size=500, initial_alphabet=alphabet, special_tokens=["<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    return _wrap(tokenizer, special, named, unk_token="<unk>")


def _wrap(tokenizer: Any, special: Sequence[str], named: dict[str, str] | None, **settings: str) -> Any:
    from transformers import PreTrainedTokenizerFast

    tokenizer.add_special_tokens(["<|endoftext|>", "<|im_start|>", "<|im_end|>", *special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=named or {},
        **settings,
    )
