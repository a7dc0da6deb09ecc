"""Options of the backend ``minicpm-v``."""

from __future__ import annotations

from typing import Literal

from anyanomaly_transformers.api import PrefixOptions
from pydantic import Field


class MiniCpmOptions(PrefixOptions):
    """Position embeddings of patches, and the options of all models with an image prefix."""

    model: str = Field(
        "openbmb/MiniCPM-Llama3-V-2_5",
        description="hub id or folder of MiniCPM-Llama3-V-2.5 or MiniCPM-V 2.6; its config.json says which",
    )
    positions: Literal["published", "grid"] = Field(
        "published",
        description="positions of patches in the image tower; published: as in the original, which in 2.5 numbers the "
        "patches of a view along one row and attends to padding; grid: by rows and columns, in 2.5 too",
    )
