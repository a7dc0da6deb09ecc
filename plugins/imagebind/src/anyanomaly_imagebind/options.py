"""Options of the encoder ``imagebind``."""

from __future__ import annotations

from anyanomaly_openclip.options import TowerOptions
from pydantic import Field


class ImageBindOptions(TowerOptions):
    """Which weights, and how they run."""

    model: str = Field(
        default="imagebind_huge",
        description="The file imagebind_huge.pth, or its folder; imagebind_huge: torch's cache, downloaded once.",
    )
    vision_heads: int = Field(default=16, ge=1, description="Attention heads of the image tower; no weight tells.")
    text_heads: int = Field(default=16, ge=1, description="Attention heads of the text tower; no weight tells.")
    normalize_windows: bool = Field(default=True, description="Apply the model's mean and std to windows too.")
