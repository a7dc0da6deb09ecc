"""Options of the tiny CLIP."""

from __future__ import annotations

from pathlib import Path

from anyanomaly_openclip.options import MAX_DENSE_TILES, TILES_HELP, OpenClipOptions
from pydantic import Field

from anyanomaly_demo.model_paths import CLIP


class DemoClipOptions(OpenClipOptions):
    """The options of the engine; the model is that of this plugin unless another is named."""

    model: str = Field(default="", description="Folder of another model of this kind; empty: the model of this plugin.")
    batch_size: int = Field(
        default=0, ge=0, le=65_536, description="Crops per forward pass; 0: 128 on a CPU, 512 on a GPU."
    )
    # its map of a tile has only 4 x 4 cells
    dense_tiles: int = Field(default=3, ge=1, le=MAX_DENSE_TILES, description=TILES_HELP)

    def named_files(self) -> list[Path]:
        """Return the files that the options name, and the model of this plugin where they name no other."""
        return [*super().named_files(), *([] if self.model else [CLIP])]
