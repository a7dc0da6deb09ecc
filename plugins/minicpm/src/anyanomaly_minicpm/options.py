"""Options of the backend ``minicpm-v``."""

from __future__ import annotations

from typing import Literal

from anyanomaly_transformers.api import PrefixOptions
from pydantic import Field


class MiniCpmOptions(PrefixOptions):
    """Where the patches of a view stand, beside what all such models have."""

    model: str = Field(
        "openbmb/MiniCPM-Llama3-V-2_5",
        description="hub id or folder of MiniCPM-Llama3-V-2.5 or MiniCPM-V 2.6; its config.json says which",
    )
    positions: Literal["published", "grid"] = Field(
        "published",
        description="where the image tower sees patches; published: as the original, which in 2.5 reads each view as "
        "one row and attends to what fills shorter views up; grid: by rows and columns, in 2.5 too",
    )
