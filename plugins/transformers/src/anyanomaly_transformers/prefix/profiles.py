"""Profiles: the conversation of a model, where its answers end, and how they are decoded.

A profile's ``repr`` is part of the fingerprint: a renamed field or class makes stored answers unusable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from anyanomaly.kit import full_prompt
from anyanomaly.types import Query

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decoding:
    """Decoding of answers: beam search, greedy, or sampling with one seed per query."""

    num_beams: int = 1
    temperature: float = 0.0  # 0: greedy
    top_p: float = 1.0
    repetition_penalty: float = 1.0  # over the answer's tokens

    def __post_init__(self) -> None:
        if self.num_beams > 1 and self.temperature > 0.0:
            raise ValueError("beam search does not sample: with num_beams above 1 the temperature must be 0")


@dataclass(frozen=True, slots=True)
class Profile:
    """A conversation around images and question, and where and how its answer is decoded.

    The prompt is ``before`` + images + ``between`` + question + ``after``; each image stands between
    ``image_open`` and ``image_close``, and ``between`` stands between images too.
    """

    name: str  # "paper" or "recommended"
    before: str
    after: str
    between: str = ""
    image_open: str = ""
    image_close: str = ""
    question_first: bool = False  # the question before the images, whatever the query's ``text_first``
    stop_strings: tuple[str, ...] = ()  # end the answer, and are removed from it
    stop_tokens: tuple[str, ...] = ()  # special tokens that end the answer, beside the checkpoint's own
    decoding: Decoding | None = None  # overrides the run's sampling, all but the length; None: the run's sampling

    def layout(self, query: Query, images: Sequence[T]) -> list[str | T]:
        """Return the prompt as texts and ``images`` in order; neighbouring texts are joined."""
        image_parts: list[str | T] = []
        for index, image in enumerate(images):
            image_parts += [*([self.between] if index else []), self.image_open, image, self.image_close]
        question: list[str | T] = [full_prompt(query)]  # no conversation of a profile has a system turn
        joint: list[str | T] = [self.between] if image_parts else []
        text_first = self.question_first or query.text_first
        inner = [*question, *joint, *image_parts] if text_first else [*image_parts, *joint, *question]
        return _join_texts([self.before, *inner, self.after])

    def decode_as(self, query: Query) -> Decoding:
        """Return how the answer to ``query`` is decoded."""
        sampling = query.sampling
        return self.decoding or Decoding(
            temperature=sampling.temperature, top_p=sampling.top_p, repetition_penalty=sampling.repetition_penalty
        )


def _join_texts(parts: Sequence[str | T]) -> list[str | T]:
    merged: list[str | T] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return merged
