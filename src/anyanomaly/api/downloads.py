"""Weights that a component downloads, declared before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Download:
    """Weights on the Hugging Face hub that ``load`` downloads when they are not on this machine."""

    repository: str  # hub id, "owner/name"
    revision: str = "main"
    file: str = ""  # the one file of weights in it; empty: the weights of the whole repository
    option: str = "model"  # the option that names other weights, for messages
