"""Options of the tiny CLIP."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_openclip.options import OpenClipOptions
from pydantic import Field

from anyanomaly_demo.places import CLIP


class DemoClipOptions(OpenClipOptions):
    """Which weights: those that come with the plugin."""

    model: str = Field(
        default="", description="Folder of a model trained alike; empty: the one that comes with the plugin."
    )
    batch_size: int = Field(default=0, ge=0, description="Crops per forward pass; 0: 128 on a CPU, 512 on a GPU.")

    def named_files(self) -> list[Path]:
        """Return the files that the options name, and the model that comes with the plugin."""
        return [*super().named_files(), *([] if self.model else [CLIP])]
