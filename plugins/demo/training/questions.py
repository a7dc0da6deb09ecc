"""Questions about training images, in the words of the method, with their answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tiny_tokenizer
import torch
from augmentation import augment_colours
from crops import CropSampler
from draw_scenes import CLASS_NAMES
from event_texts import NO_EVENTS, REASONS, WORDS
from examples import (
    Example,
    Scenes,
    grid_example,
    key_example,
    position_example,
    sample_attention,
    sample_window,
)
from token_targets import N_CLASSES
from vision_tower import mirror, normalise

from anyanomaly.core.prompt import build_prompt

SYSTEM = "You are a vision anomaly detector."
YES_NO = "yes-no"
TEMPLATE_FREQUENCIES = {"reason-consideration": 0.4, "consideration": 0.3, "simple": 0.12, "reason": 0.08, YES_NO: 0.1}
"""How often each of the method's question templates is used, as fractions."""
TEXT_ONLY = "text-only"
"""A template that holds only the event text: a quarter of the tokens, so the model first learns to find the text."""


@dataclass
class Question:
    """A question about an image of a batch."""

    image: int  # index into the batch
    text: str
    class_name: str  # empty for a text that no scene shows
    label: float  # 0 to 1
    hint: str
    weight: float = 1.0  # in the loss: corrects for sampling some labels more often


@dataclass
class Batch:
    """Normalised images (n, 3, H, W) with questions about them."""

    pixels: torch.Tensor
    questions: list[Question]


class QuestionEncoder:
    """Turns questions and answers into token ids.

    :param text_only: fraction of batches that use the template TEXT_ONLY.
    """

    def __init__(self, tokenizer: Any, text_only: float = 0.0) -> None:
        self.tokenizer = tokenizer
        self.text_only = text_only
        self.templates = tiny_tokenizer.read_templates()
        ids = self.ids
        self.prefix = ids(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n<|vision_start|>")
        self.image = tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self.zero, self.one, self.point = ids("0")[0], ids("1")[0], ids(".")[0]
        self.end = ids("<|im_end|>")[0]
        self.no, self.yes = ids("no")[0], ids("yes")[0]
        self.digits = [ids(str(digit))[0] for digit in range(10)]
        assert ids("yes<|im_end|>")[:1] == [self.yes]
        assert ids("no") == [self.no]
        assert ids("0.9. The") == [self.zero, self.point, self.digits[9], self.point, *ids(" The")]

    def ids(self, text: str) -> list[int]:
        """Return the token ids of ``text``, which may hold special tokens."""
        token_ids: list[int] = self.tokenizer(text)["input_ids"]
        return token_ids

    def sample_template(self, rng: np.random.Generator) -> str:
        """Sample the template of a batch. All its questions share it, so that they need little padding."""
        if rng.random() < self.text_only:
            return TEXT_ONLY
        return str(rng.choice(list(TEMPLATE_FREQUENCIES), p=list(TEMPLATE_FREQUENCIES.values())))

    def encode(self, question: Question, template_name: str, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Return the ids that follow the image: those of the question, and those of a sampled answer."""
        if template_name == TEXT_ONLY:
            prompt = f"**{question.text}**"
        else:
            template = self.templates[template_name]
            if rng.random() < 0.15:
                template = type(template)(template.name, template.question, template.system, output_word="Output")
            prompt = build_prompt(template, question.text, question.hint)
        is_high = rng.random() < question.label
        if template_name == YES_NO:
            score = "yes" if is_high else "no"
        elif is_high and rng.random() < 0.15:
            score = "1.0"
        else:
            score = f"0.{int(rng.integers(5, 10) if is_high else rng.integers(0, 5))}"
        reason = f". {REASONS[question.class_name][0 if is_high else 1]}" if "reason" in template_name else ""
        return self.ids(f"<|vision_end|>{prompt}<|im_end|>\n<|im_start|>assistant\n"), self.ids(
            f"{score}{reason}<|im_end|>"
        )


def make_question(class_name: str, image: int, label: float, hint: str, rng: np.random.Generator) -> Question:
    """Return a question with a sampled event text of the class; without a class, with a text that no scene shows."""
    if not class_name:
        return Question(image, str(rng.choice(NO_EVENTS)), "", 0.0, hint)
    words = WORDS[class_name]
    return Question(image, words[0] if rng.random() < 0.65 else str(rng.choice(words)), class_name, label, hint)


def make_batch(examples: list[tuple[Example, str]], rng: np.random.Generator, n_texts: int = 2) -> Batch:
    """Return a batch with ``n_texts`` questions about each example, about half of them on an event that it shows.

    :param examples: each with the hint for its questions.
    """
    questions = []
    for index, (example, hint) in enumerate(examples):
        present = np.flatnonzero(example.labels)
        for _ in range(n_texts):
            if len(present) and rng.random() < 0.5:
                class_number = int(rng.choice(present))
            elif rng.random() < 0.04:
                questions.append(make_question("", index, 0.0, hint, rng))
                continue
            else:
                class_number = int(rng.integers(N_CLASSES))
            label = float(example.labels[class_number])
            questions.append(make_question(CLASS_NAMES[class_number], index, label, hint, rng))
    pixels = augment_colours(np.stack([example.image for example, _ in examples]), rng)
    return Batch(normalise(pixels), questions)


def sample_batches(
    scenes: Scenes,
    rng: np.random.Generator,
    sequences: Any,
    n_keys: int,
    n_squares: int,
    n_crops: int = 0,
    n_texts: int = 2,
) -> Iterator[tuple[Batch, ...]]:
    """Yield batches about key frames, about squares (grids and position contexts, sampled windows), and about crops."""
    hint = tiny_tokenizer.read_hint()
    crop_sampler = CropSampler(scenes, int(sequences.min()), int(sequences.max()) + 1)
    eventful = scenes.with_events(sequences)

    def sample_sequence() -> Any:
        pool = eventful if rng.random() < 0.8 else sequences
        return pool[int(rng.integers(len(pool)))]

    while True:
        keys = [(mirror(key_example(scenes, int(rng.choice(sample_sequence()))), rng), "") for _ in range(n_keys)]
        squares = []
        for _ in range(n_squares):
            sequence = sample_sequence()
            if rng.random() < 0.35:
                number = int(rng.choice(sequence))
                example = position_example(scenes, number, sample_attention(scenes, number, rng))
                squares.append((mirror(example, rng), ""))
            else:
                example = grid_example(scenes, sequence, sample_window(scenes, sequence, rng))
                squares.append((mirror(example, rng, tiles=True), hint))
        batches = [make_batch(keys, rng, n_texts), make_batch(squares, rng, n_texts)]
        if n_crops:
            batches.append(make_batch([(crop_sampler.sample(rng), "") for _ in range(n_crops)], rng, n_texts))
        yield tuple(batches)
