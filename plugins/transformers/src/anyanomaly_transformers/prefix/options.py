"""Options that every model with an image prefix has; a plugin's options are a subclass with its own defaults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from anyanomaly.api import Download
from anyanomaly.kit import hub_downloads
from anyanomaly_transformers.options import WeightsOptions


class PrefixOptions(WeightsOptions):
    """What decides which weights answer, how they run, and how they are spoken to."""

    profile: Literal["paper", "recommended"] = Field(
        "paper",
        description="conversation and decoding; paper: as published, the run's temperature, top-p and penalty do not "
        "count; recommended: the model's own conversation, decoding as the run says",
    )


class TowerOptions(PrefixOptions):
    """What a model has beside that reads images with a CLIP from a place of its own."""

    published_tower: ClassVar[str] = ""
    """Hub id of the CLIP that the default model's checkpoint names."""

    tower: str = Field(
        "", description="CLIP that the images go through: hub id or folder; empty: the one that the checkpoint names"
    )

    def downloads(self) -> tuple[Download, ...]:
        """Return the model's weights and the CLIP's, as far as they are not here."""
        return (*super().downloads(), *hub_downloads(self.tower or self._named_tower(), option="tower"))

    def _named_tower(self) -> str:
        """Return the CLIP that the checkpoint names; empty: unknown before the download, or on this machine."""
        folder = Path(self.model).expanduser()
        if not folder.is_dir():
            return self.published_tower if self.model == type(self).model_fields["model"].default else ""
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            name = str(config.get("mm_vision_tower", ""))
        except (OSError, ValueError, AttributeError):
            return ""  # `load` says what is wrong with the file
        return "" if any((place / name).is_dir() for place in (folder, folder.parent)) else name
