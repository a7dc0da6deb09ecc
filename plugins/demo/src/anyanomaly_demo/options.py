"""Options of the demo's components."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from anyanomaly.api import Options


class DemoDatasetOptions(Options):
    """Selection, number and folder of the clips."""

    flavour: Literal["appearance", "action"] = Field(
        default="appearance", description="Events that a single frame shows, or events that only motion shows."
    )
    split: Literal["train", "validation", "test", "held-out"] = Field(
        default="test", description="Which seeds; held-out has a style that is not in the training set."
    )
    n_videos: int = Field(default=40, ge=1, le=10_000, description="Number of clips.")
    form: Literal["video", "frames"] = Field(default="video", description="mp4 files, or folders of jpg frames.")
    root: str = Field(
        default="",
        description="Folder of the clips; missing clips are written there; empty: demo/ in the user's cache.",
    )
