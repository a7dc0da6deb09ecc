"""Options of the encoder ``imagebind``."""

from __future__ import annotations

from anyanomaly_openclip.options import TowerOptions
from pydantic import Field


class ImageBindOptions(TowerOptions):
    """Weights, device and precision of ImageBind.

    ``downloads`` declares nothing: the published weights are not on the Hugging Face hub.
    """

    model: str = Field(
        default="imagebind_huge",
        description="The file imagebind_huge.pth, or its folder; imagebind_huge: the published file, downloaded once.",
    )
    vision_heads: int = Field(
        default=16, ge=1, description="Attention heads of the image tower, which the weights do not show."
    )
    text_heads: int = Field(
        default=16, ge=1, description="Attention heads of the text tower, which the weights do not show."
    )
    normalize_windows: bool = Field(default=True, description="Apply the model's mean and std to windows too.")
