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


def corpus() -> list[str]:
    """Return the texts that the tokenizers are trained on: the questions, and every score with one decimal."""
    questions = [QUESTION.format(text=text) for text in EVENT_TEXTS]
    return [SYSTEM, *questions, *(f"The score is {tenths / 10}." for tenths in range(11)), "system user assistant"]


# How the families split a text into words; llama.cpp calls these rules "qwen2", "qwen35" and "llama3".
_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
QWEN2_WORDS = _CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN35_WORDS = (
    _CONTRACTIONS + r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_WORDS = QWEN2_WORDS.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def byte_tokenizer(
    special: Sequence[str], named: dict[str, str] | None = None, *, words: str = QWEN2_WORDS, **tokens: str
) -> Any:
    """Return a byte-level BPE tokenizer.

    :param special: special tokens besides those of `CHATML`. :param named: those with a name in transformers.
    :param words: a regular expression for words; empty: those of GPT-2.
    :param tokens: ``eos_token``, ``pad_token``, and ``bos_token`` where a text begins with one.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    if words:
        split = pre_tokenizers.Split(Regex(words), "isolated")
        as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    else:
        split = pre_tokenizers.Digits(individual_digits=True)
        as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, as_bytes])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    return _wrap(tokenizer, special, named, **tokens)


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


def gemma_tokenizer(special: Sequence[str], named: dict[str, str] | None = None, **tokens: str) -> Any:
    """Return a BPE tokenizer as Gemma has it: a symbol stands for each space, unknown characters are bytes."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    first_tokens = ["<pad>", "<eos>", "<bos>", "<unk>"]  # vLLM takes 0 for the padding
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    # Words are learned apart, and then searched in whole lines.
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("\u2581?[A-Za-z]+|.|\n"), "isolated")
    alphabet = [*map(chr, range(33, 127)), "\u2581", "\n"]
    trainer = trainers.BpeTrainer(
        vocab_size=800, initial_alphabet=alphabet, special_tokens=[*first_tokens, *byte_tokens], show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()])
    return _wrap(tokenizer, special, named, unk_token="<unk>", **tokens)


CHATML = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")


def _wrap(tokenizer: Any, special: Sequence[str], named: dict[str, str] | None, **tokens: str) -> Any:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    tokenizer.add_special_tokens([*CHATML, *special])
    if bos := tokens.get("bos_token"):
        ids = [(bos, tokenizer.token_to_id(bos))]
        tokenizer.post_processor = TemplateProcessing(single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=ids)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        extra_special_tokens=named or {},
        **{"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"} | tokens,
    )
