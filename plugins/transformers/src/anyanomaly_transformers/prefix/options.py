"""Options that every model with an image prefix has; a plugin's options are a subclass with its own defaults."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly_transformers.options import WeightsOptions


class PrefixOptions(WeightsOptions):
    """What decides which weights answer, how they run, and how they are spoken to."""

    profile: Literal["paper", "recommended"] = Field(
        "paper",
        description="conversation and decoding; paper: as published, the run's temperature, top-p and penalty do not "
        "count; recommended: the model's own conversation, decoding as the run says",
    )
