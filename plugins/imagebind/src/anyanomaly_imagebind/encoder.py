"""The encoder ``imagebind``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from anyanomaly_openclip.encoder import TowerEncoder
from anyanomaly_openclip.loading import Loaded

from anyanomaly_imagebind.loading import load_model
from anyanomaly_imagebind.options import ImageBindOptions

MAX_SCALE = 100.0


class ImageBindEncoder(TowerEncoder[ImageBindOptions]):
    """ImageBind's image and text towers, for still images.

    Texts of ``encode_texts(unit=False)`` have the length that ImageBind gives them: its logit scale.
    """

    name = "imagebind"

    def read(self) -> Loaded:
        """Return the towers that the options name."""
        return load_model(self.options)

    def kind(self) -> str:
        """Return the heads of both towers, which no weight tells."""
        return f"{self.options.vision_heads}-{self.options.text_heads}"

    @torch.inference_mode()
    def _texts(self, texts: Sequence[str]) -> torch.Tensor:
        vectors = torch.nn.functional.normalize(super()._texts(texts), dim=-1)
        scale: torch.Tensor = self._model.logit_scale.float().exp().clamp(max=MAX_SCALE)
        return vectors * scale
