"""The tokenizer of the tiny LVLM: byte-level BPE, trained on questions and event texts, which splits text as Qwen2."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from event_texts import CAPTIONS, NO_EVENTS, REASONS, WORDS

from anyanomaly.core.prompt import PromptTemplate, build_prompt

VOCABULARY = 1024
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL_TOKENS = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
    "<|image_pad|>", "<|video_pad|>",
)  # fmt: skip
CHAT_TEMPLATE = (
    "{%- for message in messages %}{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content is string %}{{ message.content }}{%- else %}{%- for part in message.content %}"
    "{%- if part.type == 'image' or part.type == 'image_url' or 'image' in part %}"
    "{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    "{%- elif part.type == 'video' or 'video' in part %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}"
    "{%- else %}{{ part.text }}{%- endif %}{%- endfor %}{%- endif %}{{ '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)


def read_templates() -> dict[str, PromptTemplate]:
    """Return the questions that the core ships, by name, without those of the paper presets (published white space)."""
    import tomllib

    prompts = {}
    for path in sorted((files("anyanomaly") / "prompts").iterdir(), key=lambda path: path.name):
        if path.name.endswith(".toml") and not path.name.startswith("published-"):
            name = path.name.removesuffix(".toml")
            fields = tomllib.loads(path.read_text(encoding="utf-8"))
            prompts[name] = PromptTemplate(name=name, **fields)
    return prompts


def read_hint() -> str:
    """Return the sentence that explains a grid."""
    import tomllib

    words = tomllib.loads((files("anyanomaly.builtin") / "wording.toml").read_text(encoding="utf-8"))
    return str(words["temporal_hint"])


def vocabulary_texts() -> Iterator[str]:
    """Yield the texts that the vocabulary is trained on."""
    event_texts = [word for words in WORDS.values() for word in words]
    for template in read_templates().values():
        yield template.system
        for text in event_texts:
            yield build_prompt(template, text, read_hint())
    for text in (*event_texts, *NO_EVENTS):
        yield f" {text}"
        yield from (caption.replace("{}", text) for caption in CAPTIONS)
    for yes, no in REASONS.values():
        for tenths in range(11):
            yield f"{tenths / 10:.1f}. {yes}"
            yield f"{tenths / 10:.1f}. {no}"
    yield from ("system\n", "user\n", "assistant\n", "Output", "Response", "yes", "no", "Yes", "No")


def build_tokenizer() -> Any:
    """Return the tokenizer as a transformers object."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(vocabulary_texts(), trainer)
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=CHAT_TEMPLATE,
        model_max_length=4096, clean_up_tokenization_spaces=False,
    )  # fmt: skip
