"""Tokenizers with the published vocabulary sizes and special tokens, trained on the questions.

The published vocabularies cannot be downloaded, so a small one is trained and filled up with tokens that no text holds.
A question has about as many tokens as with the published ones; the ids of special tokens are the published ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.checkpoints.questions import PROMPTS
from tests.support.tiny_templates import chat_template
from tests.support.tiny_tokenizers import LLAMA3_WORDS, QWEN2_WORDS, corpus

UNUSED = 0xF0000  # first code point of those for private use: the spare tokens are made of them
TRAINED = 600  # tokens that are learned

LLAMA_TOKENIZER = {
    "add_bos_token": True,
    "add_eos_token": False,
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "legacy": False,
    "clean_up_tokenization_spaces": False,
    "model_max_length": 4096,
    "padding_side": "right",
    "tokenizer_class": "LlamaTokenizer",
}
CHAT = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' + "
    "(m['content'] | trim) + '<|eot_id|>' }}{% endfor %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
)
LLAMA3 = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
QWEN_SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
QWEN_BASE = 151_643  # id of the first special token
QWEN_IMAGE = "<|vision_start|><|image_pad|><|vision_end|>"


def _texts() -> list[str]:
    """Return the texts that the tokenizers are trained on."""
    return [*corpus(), *(line for prompt in PROMPTS for line in prompt.splitlines())]


def write_sentencepiece(folder: Path, n_tokens: int) -> None:
    """Write the files of LLaMA's tokenizer with ``n_tokens`` tokens."""
    import io

    import sentencepiece
    from sentencepiece import sentencepiece_model_pb2

    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(_texts()),
        model_writer=trained,
        model_type="bpe",
        vocab_size=TRAINED,
        byte_fallback=True,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto.FromString(trained.getvalue())
    lowest = min(piece.score for piece in model.pieces)
    for number in range(n_tokens - len(model.pieces)):
        model.pieces.add(piece=chr(UNUSED + number), score=lowest - number - 1)
    (folder / "tokenizer.model").write_bytes(model.SerializeToString())
    _write_json(folder / "tokenizer_config.json", LLAMA_TOKENIZER)
    special = {name: LLAMA_TOKENIZER[name] for name in ("bos_token", "eos_token", "unk_token")}
    _write_json(folder / "special_tokens_map.json", special | {"pad_token": "<unk>"})


def byte_level(words: str, n_base: int, special: Mapping[int, str], **tokens: str) -> Any:
    """Return a byte-level BPE tokenizer with ``n_base`` ordinary tokens and special ones of given ids.

    :param words: a regular expression for words. :param special: special tokens by id, from ``n_base`` on.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    learner = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(words), "isolated")
    pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    learner.pre_tokenizer = pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    n_learned = min(TRAINED, n_base)
    trainer = trainers.BpeTrainer(vocab_size=n_learned, initial_alphabet=alphabet, show_progress=False)
    learner.train_from_iterator(_texts(), trainer)
    model = json.loads(learner.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    # Llama 3's padding is the token 0, which is an exclamation mark: the first byte of the alphabet.
    vocabulary |= {_spare(number): number for number in range(len(vocabulary), n_base)}
    merges = [tuple(merge) if isinstance(merge, list) else tuple(merge.split(" ")) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizer, decoders.ByteLevel()
    names = [special.get(number, f"<|reserved_{number}|>") for number in range(n_base, max(special) + 1)]
    tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False) for name in names])
    if bos := tokens.get("bos_token"):
        ids = [(bos, tokenizer.token_to_id(bos))]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{bos} $A", pair=f"{bos} $A $B", special_tokens=ids
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **tokens)


def _spare(number: int) -> str:
    """Return a token that no text holds: a byte-level tokenizer's texts are of 256 other characters."""
    return chr(UNUSED + number % 0xFFFF) + ("" if number < 0xFFFF else str(number // 0xFFFF))


def llama3(n_base: int, more: Sequence[str] = (), n_tokens: int = 0, **tokens: str) -> Any:
    """Return a tokenizer of Llama 3, its special tokens at the published distances from the first one.

    :param more: further special tokens, at 2 and from 10 on, as MiniCPM-V 2.5 has them.
    :param n_tokens: all tokens; the last ones are reserved.
    """
    places = dict(zip((0, 1, 6, 7, 9), LLAMA3, strict=True))
    if more:
        places |= {2: more[0]} | dict(enumerate(more[1:], 10))
    last = max(n_tokens - n_base - 1, max(places))
    pad = tokens.get("pad_token", "")
    places.setdefault(last, pad if pad.startswith("<") else f"<|reserved_{n_base + last}|>")
    special = {n_base + place: name for place, name in places.items()}
    settings = {"bos_token": LLAMA3[0], "eos_token": LLAMA3[1]} | tokens
    return byte_level(LLAMA3_WORDS, n_base, special, **settings)


def qwen(n_base: int = QWEN_BASE) -> Any:
    """Return a tokenizer of Qwen2.5-VL."""
    special = dict(enumerate(QWEN_SPECIAL, n_base))
    tokenizer = byte_level(QWEN2_WORDS, n_base, special, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    tokenizer.chat_template = chat_template(QWEN_IMAGE)
    return tokenizer


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
