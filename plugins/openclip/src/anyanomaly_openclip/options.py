"""Options of the encoder ``openclip``, and of other encoders that run on open_clip's towers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from anyanomaly.api import Download, Options
from anyanomaly.kit import local_path
from anyanomaly_openclip.hub import hub_paths, is_model_name, tokenizer_repository

HUB_SCHEME = "hf-hub:"
OPENAI = "openai"
SAFETENSORS = "open_clip_model.safetensors"
TOKENIZER = "tokenizer.json"
TIMM = "timm/"
"""Owner of repositories that may hold the same weights for other libraries too, beside the file SAFETENSORS."""

DENSE_TILES = 2
"""Tiles along a side of a frame for dense windows: a tile is then as large as the largest of the published windows."""
MAX_DENSE_TILES = 5
"""As many tiles cost as much as the smallest of the published windows."""
TILES_HELP = "Dense windows: tiles along a side of the frame; more show smaller things, and take longer."


class TowerOptions(Options):
    """Weights, device and precision of an encoder on open_clip's towers."""

    model: str = Field(default="", description="Which weights.")
    device: str = Field(default="auto", description="auto, cuda, cuda:N, mps or cpu.")
    dtype: Literal["float32", "bfloat16", "float16"] = Field(default="float32", description="Precision.")
    batch_size: int = Field(
        default=0, ge=0, le=65_536, description="Crops per forward pass; 0: 16 on a CPU, 512 on a GPU."
    )
    normalize_windows: bool = Field(
        default=False, description="Apply the model's mean and std to windows too; the published code does not."
    )
    dense_tiles: int = Field(default=DENSE_TILES, ge=1, le=MAX_DENSE_TILES, description=TILES_HELP)


class OpenClipOptions(TowerOptions):
    """Model of open_clip, its weights, device and precision."""

    model: str = Field(
        default="ViT-B-32-quickgelu",
        description="Model name, hf-hub:ORG/REPO, a folder with open_clip_config.json, or an OpenAI-layout file.",
    )
    pretrained: str = Field(default=OPENAI, description="Tag of the weights of a named model, or a file of weights.")
    text_heads: int = Field(
        default=0, ge=0, description="Attention heads of an OpenAI-layout file's text tower; 0: its width / 64."
    )

    def downloads(self) -> tuple[Download, ...]:
        """Return the weights on the hub of ``hf-hub:ORG/REPO``, or of a model name and tag in open_clip's table.

        The tokenizer of a named model is a download of its own where it is not in the repository of the weights.
        Nothing for a folder or file, and for names that are not in the table.
        """
        if self.local_model():
            return ()
        if self.model.startswith(HUB_SCHEME):
            return (Download(self.model.removeprefix(HUB_SCHEME)),)
        repository, _, file = hub_paths().get((self.model, self.pretrained), "").rpartition("/")
        if not repository and not Path(self.pretrained).is_file():
            return ()
        weights = [Download(repository, file=file or (SAFETENSORS if repository.startswith(TIMM) else ""))]
        tokenizer = tokenizer_repository(self.model)
        tokenizers = [Download(tokenizer, file=TOKENIZER)] if tokenizer not in {"", repository} else []
        return (*(weights if repository else ()), *tokenizers)

    def local_model(self) -> Path | None:
        """Return the file or folder that ``model`` names; None: it is a name of open_clip or of the hub.

        :raises UsageError: when it is such a name, and there is a file or folder of this name here.
        """
        return local_path(self.model, is_name=self.model.startswith(HUB_SCHEME) or is_model_name(self.model))
