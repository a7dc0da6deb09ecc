"""Counts of the tokens that a model evaluated: tokens from a prefix cache are not among them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class EvaluatedTokens:
    """Prompt tokens that the language model read so far, without those that it found in its cache."""

    image: int = 0  # of images, also of the frames and tiles that one image is made of
    text: int = 0  # all others

    def add(self, image: int = 0, text: int = 0) -> None:
        """Add the tokens of a pass."""
        self.image += image
        self.text += text
