"""The tiny LVLM's tokenizer: byte-level BPE over the published questions and our words, cut as Qwen2 cuts text."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from wording import NOTHING, REASONS, SENTENCES, WORDS

from anyanomaly.core.prompt import PromptTemplate, build_prompt

VOCABULARY = 1024
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
MARKS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
CHAT = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string %}{{ message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' or part.type == 'image_url' or 'image' in part %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- elif part.type == 'video' or 'video' in part %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}"
    "{%- else %}{{ part.text }}{%- endif %}{%- endfor %}{%- endif %}{{ '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)


def templates() -> dict[str, PromptTemplate]:
    """Return the questions by name, as the core ships them, but for those that repeat the published white space."""
    import tomllib

    found = {}
    for path in (files("anyanomaly") / "prompts").iterdir():
        if path.name.endswith(".toml") and not path.name.startswith("published-"):
            name = path.name.removesuffix(".toml")
            fields = tomllib.loads(path.read_text(encoding="utf-8"))
            found[name] = PromptTemplate(name=name, **fields)
    return found


def hint() -> str:
    """Return the sentence that explains a grid."""
    import tomllib

    words = tomllib.loads((files("anyanomaly.builtin") / "wording.toml").read_text(encoding="utf-8"))
    return str(words["temporal_hint"])


def corpus() -> Iterator[str]:
    """Yield what the vocabulary is learned from."""
    every = [word for words in WORDS.values() for word in words]
    for template in templates().values():
        yield template.system
        for text in every:
            yield build_prompt(template, text, hint())
    for text in (*every, *NOTHING):
        yield f" {text}"
        yield from (sentence.replace("{}", text) for sentence in SENTENCES)
    for yes, no in REASONS.values():
        for tenths in range(11):
            yield f"{tenths / 10:.1f}. {yes}"
            yield f"{tenths / 10:.1f}. {no}"
    yield from ("system\n", "user\n", "assistant\n", "Output", "Response", "yes", "no", "Yes", "No")


def build() -> Any:
    """Return the tokenizer as transformers wants it."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(MARKS), initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.add_special_tokens(list(MARKS))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHAT,
        model_max_length=4096, clean_up_tokenization_spaces=False,
    )  # fmt: skip
