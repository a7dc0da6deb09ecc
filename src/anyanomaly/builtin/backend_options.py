"""Options of the built-in backends."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api.options import Options


class SimilarityOptions(Options):
    """The similarity backend has no options: the encoder has them."""


class ReplayOptions(Options):
    """The file of recorded answers."""

    path: str = Field(default="", description="A results file (.jsonl) of an earlier run.")
