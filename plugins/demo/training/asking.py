"""Questions about training images: the method's words, and what the answer should be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tokens
import torch
from cells import N_CLASSES
from crops import Around
from draw import NAMES
from examples import Example, Scenes, grid, key, position, some_attention, some_window
from looks import change_looks
from tower import mirror, normalise
from wording import NOTHING, REASONS, WORDS

from anyanomaly.core.prompt import build_prompt

SYSTEM = "You are a vision anomaly detector."
YES_NO = "yes-no"
SHARES = {"reason-consideration": 0.4, "consideration": 0.3, "simple": 0.12, "reason": 0.08, YES_NO: 0.1}
"""How often each of the published questions is asked."""
SHORT = "short"
"""No question but the text alone: a quarter of the tokens, to learn what matters first."""


@dataclass
class Asked:
    """One question about an image: which image of the batch, the words, and the label."""

    image: int
    text: str
    name: str  # the class; empty: nothing of the scenes
    y: float
    hint: str
    weight: float = 1.0  # in the loss: undoes a draw that prefers some answers


@dataclass
class Batch:
    """Images of one size with questions about them."""

    pixels: torch.Tensor
    questions: list[Asked]


class Talk:
    """Questions to token ids."""

    def __init__(self, tokenizer: Any, short: float = 0.0) -> None:
        self.tokenizer = tokenizer
        self.short = short  # share of batches that ask with the text alone
        self.templates = tokens.templates()
        ids = self.ids
        self.before = ids(f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n<|vision_start|>")
        self.image = tokenizer.convert_tokens_to_ids("<|image_pad|>")
        self.zero, self.one, self.point = ids("0")[0], ids("1")[0], ids(".")[0]
        self.end = ids("<|im_end|>")[0]
        self.no, self.yes = ids("no")[0], ids("yes")[0]
        self.digits = [ids(str(d))[0] for d in range(10)]
        assert ids("yes<|im_end|>")[:1] == [self.yes]
        assert ids("no") == [self.no]
        assert ids("0.9. The") == [self.zero, self.point, self.digits[9], self.point, *ids(" The")]

    def ids(self, text: str) -> list[int]:
        """Return the ids of ``text``, marks included."""
        found: list[int] = self.tokenizer(text)["input_ids"]
        return found

    def draw(self, rng: np.random.Generator) -> str:
        """Draw the template that a batch asks with: of one, so that little is padding."""
        if rng.random() < self.short:
            return SHORT
        return str(rng.choice(list(SHARES), p=list(SHARES.values())))

    def after(self, asked: Asked, name: str, rng: np.random.Generator) -> tuple[list[int], list[int]]:
        """Return the ids that follow the image: the question, and an answer that could be right."""
        if name == SHORT:
            question = f"**{asked.text}**"
        else:
            template = self.templates[name]
            if rng.random() < 0.15:
                template = type(template)(template.name, template.question, template.system, output_word="Output")
            question = build_prompt(template, asked.text, asked.hint)
        high = rng.random() < asked.y
        if name == YES_NO:
            score = "yes" if high else "no"
        else:
            score = (
                "1.0"
                if high and rng.random() < 0.15
                else f"0.{int(rng.integers(5, 10) if high else rng.integers(0, 5))}"
            )
        reason = f". {REASONS[asked.name][0 if high else 1]}" if "reason" in name else ""
        return self.ids(f"<|vision_end|>{question}<|im_end|>\n<|im_start|>assistant\n"), self.ids(
            f"{score}{reason}<|im_end|>"
        )


def question(name: str, image: int, y: float, hint: str, rng: np.random.Generator) -> Asked:
    """Put a class into words."""
    if not name:
        return Asked(image, str(rng.choice(NOTHING)), "", 0.0, hint)
    words = WORDS[name]
    return Asked(image, words[0] if rng.random() < 0.65 else str(rng.choice(words)), name, y, hint)


def ask(examples: list[tuple[Example, str]], rng: np.random.Generator, n_texts: int = 2) -> Batch:
    """Ask ``n_texts`` questions about each example: of what is there, and of what is not."""
    questions = []
    for number, (example, hint) in enumerate(examples):
        there = np.flatnonzero(example.y)
        for _ in range(n_texts):
            if len(there) and rng.random() < 0.5:
                k = int(rng.choice(there))
            elif rng.random() < 0.04:
                questions.append(question("", number, 0.0, hint, rng))
                continue
            else:
                k = int(rng.integers(N_CLASSES))
            questions.append(question(NAMES[k], number, float(example.y[k]), hint, rng))
    pixels = change_looks(np.stack([e.image for e, _ in examples]), rng)
    return Batch(normalise(pixels), questions)


def drawn(
    scenes: Scenes,
    rng: np.random.Generator,
    sequences: Any,
    n_keys: int,
    n_squares: int,
    n_crops: int = 0,
    n_texts: int = 2,
) -> Iterator[tuple[Batch, ...]]:
    """Yield questions about key frames, about grids and position contexts of drawn windows, and about crops."""
    hint = tokens.hint()
    around = Around(scenes, int(sequences.min()), int(sequences.max()) + 1)
    eventful = scenes.with_events(sequences)

    def draw_sequence() -> Any:
        pool = eventful if rng.random() < 0.8 else sequences
        return pool[int(rng.integers(len(pool)))]

    while True:
        keys = [(mirror(key(scenes, int(rng.choice(draw_sequence()))), rng), "") for _ in range(n_keys)]
        squares = []
        for _ in range(n_squares):
            sequence = draw_sequence()
            if rng.random() < 0.35:
                number = int(rng.choice(sequence))
                squares.append((mirror(position(scenes, number, some_attention(scenes, number, rng)), rng), ""))
            else:
                example = grid(scenes, sequence, some_window(scenes, sequence, rng))
                squares.append((mirror(example, rng, tiles=True), hint))
        batches = [ask(keys, rng, n_texts), ask(squares, rng, n_texts)]
        if n_crops:
            batches.append(ask([(around.one(rng), "") for _ in range(n_crops)], rng, n_texts))
        yield tuple(batches)
