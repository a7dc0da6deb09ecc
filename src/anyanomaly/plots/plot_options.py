"""Options of the plot."""

from __future__ import annotations

from pydantic import Field

from anyanomaly.api.sink import PathText, SinkOptions


class PlotOptions(SinkOptions):
    """Options of the plot."""

    path: PathText = Field(default="timeline.png", description="Image to write: .png, .svg or .pdf.")
    max_panels: int = Field(
        default=24, ge=1, le=200, description="Panels of the image, one per video and text; those with the top scores."
    )
