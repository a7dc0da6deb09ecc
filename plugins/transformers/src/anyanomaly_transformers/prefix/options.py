"""Options of all models with an image prefix; a plugin's options are a subclass with its own defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from anyanomaly.api import Download
from anyanomaly.kit import hub_downloads
from anyanomaly.outside_files import read_bounded
from anyanomaly_transformers.options import WeightsOptions


class PrefixOptions(WeightsOptions):
    """Weights, device, precision and conversation."""

    profile: Literal["paper", "recommended"] = Field(
        "paper",
        description="conversation and decoding; paper: both as published, whatever the run's temperature, top-p and "
        "penalty; recommended: the model's own conversation, decoding by the run's settings",
    )


class ClipTowerOptions(PrefixOptions):
    """Options of models whose image tower is a CLIP with a checkpoint of its own."""

    published_tower: ClassVar[str] = ""
    """Hub id of the CLIP that the default model's checkpoint names."""

    tower: str = Field(
        "", description="CLIP that encodes the images: hub id or folder; empty: the one that the checkpoint names"
    )

    def downloads(self) -> tuple[Download, ...]:
        """Return the weights of the model and of the CLIP, as far as the options name no folder."""
        return (*super().downloads(), *hub_downloads(self.tower or self._named_tower(), option="tower"))

    def _named_tower(self) -> str:
        """Return the hub id of the CLIP that the checkpoint names; empty: unknown, or a folder of this machine."""
        folder = Path(self.model).expanduser()
        if not folder.is_dir():
            return self.published_tower if self.model == type(self).model_fields["model"].default else ""
        try:
            config = json.loads(read_bounded(folder / "config.json"))
            name = str(config.get("mm_vision_tower", ""))
        except (OSError, ValueError, AttributeError):
            return ""  # `load` reports what is wrong with the file
        return "" if any((place / name).is_dir() for place in (folder, folder.parent)) else name
