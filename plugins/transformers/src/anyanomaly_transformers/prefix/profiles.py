"""How a model is spoken to: conversation, marks of the end, decoding. Data; the code that reads it is one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from anyanomaly.kit import full_prompt
from anyanomaly.types import Query

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Decoding:
    """How words are chosen: beams, or greedy, or drawn with a seed of the query's content."""

    num_beams: int = 1
    temperature: float = 0.0  # 0: the likeliest
    top_p: float = 1.0
    repetition_penalty: float = 1.0  # over the answer's own tokens

    def __post_init__(self) -> None:
        if self.num_beams > 1 and self.temperature > 0.0:
            raise ValueError("beams are not drawn: with num_beams above 1 the temperature must be 0")


@dataclass(frozen=True, slots=True)
class Profile:
    """A conversation around images and question, and how its answer is chosen and where it ends.

    The prompt is ``before`` + images + ``between`` + question + ``after``; each image stands between
    ``image_open`` and ``image_close``, and ``between`` stands between images too.
    """

    name: str  # "paper" or "recommended"
    before: str
    after: str
    between: str = ""
    image_open: str = ""
    image_close: str = ""
    question_first: bool = False  # the question before the images, whatever the query says
    stop_strings: tuple[str, ...] = ()  # end the answer, and are cut off it
    stop_tokens: tuple[str, ...] = ()  # marks that end the answer beside the checkpoint's own
    decoding: Decoding | None = None  # whatever the run says, but for the length; None: as the run says

    def layout(self, query: Query, images: Sequence[T]) -> list[str | T]:
        """Return the prompt as texts with ``images`` in their places; neighbouring texts are one."""
        shown: list[str | T] = []
        for place, image in enumerate(images):
            shown += [*([self.between] if place else []), self.image_open, image, self.image_close]
        words: list[str | T] = [full_prompt(query)]  # no conversation here has a system turn of its own
        joint: list[str | T] = [self.between] if shown else []
        text_first = self.question_first or query.text_first
        inner = [*words, *joint, *shown] if text_first else [*shown, *joint, *words]
        return _merged([self.before, *inner, self.after])

    def decode_as(self, query: Query) -> Decoding:
        """Return how the answer to ``query`` is chosen."""
        said = query.sampling
        return self.decoding or Decoding(
            temperature=said.temperature, top_p=said.top_p, repetition_penalty=said.repetition_penalty
        )


def _merged(parts: Sequence[str | T]) -> list[str | T]:
    merged: list[str | T] = []
    for part in parts:
        if isinstance(part, str) and merged and isinstance(merged[-1], str):
            merged[-1] += part
        elif part != "":
            merged.append(part)
    return merged
