"""The encoder ``imagebind``."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from anyanomaly_openclip.encoder import TowerEncoder
from anyanomaly_openclip.loading import LoadedModel

from anyanomaly_imagebind.loading import load_model
from anyanomaly_imagebind.options import ImageBindOptions

MAX_SCALE = 100.0
"""ImageBind limits the length of text vectors to this value."""


class ImageBindEncoder(TowerEncoder[ImageBindOptions]):
    """ImageBind's image and text towers, for still images.

    ``encode_texts(unit=False)`` returns vectors of the length that ImageBind gives them: its logit scale.
    """

    name = "imagebind"

    def load_model(self) -> LoadedModel:
        """Return the towers that the options name, on the CPU in float32.

        :raises UsageError: for a file that does not hold ImageBind, or a number of heads that does not fit it.
        :raises MissingRequirement: when the weights are not on this machine and cannot be downloaded.
        """
        return load_model(self.options)

    def variant(self) -> str:
        """Return the numbers of heads of both towers, which the shapes of the weights do not show."""
        return f"{self.options.vision_heads}-{self.options.text_heads}"

    @torch.inference_mode()
    def _text_vectors(self, texts: Sequence[str]) -> torch.Tensor:
        vectors = torch.nn.functional.normalize(super()._text_vectors(texts), dim=-1)
        scale: torch.Tensor = self._model.logit_scale.float().exp().clamp(max=MAX_SCALE)
        return vectors * scale
