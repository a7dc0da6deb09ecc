"""The backend ``chat-univi``."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixBackend, PrefixModel

from anyanomaly_chatunivi.model import ChatUniVi
from anyanomaly_chatunivi.options import ChatUniViOptions
from anyanomaly_chatunivi.profiles import PROFILES


class ChatUniViBackend(PrefixBackend[ChatUniViOptions]):
    """Chat-UniVi; the images of a query are one image, or the frames of a video."""

    def load_model(self) -> PrefixModel:
        """Return the model that the options name.

        :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
        """
        return ChatUniVi(self.options, PROFILES[self.options.profile])

    @property
    def fingerprint(self) -> str:
        """The base's fingerprint, and the options that change the tokens of images; known after `load`.

        :raises BackendError: before `load`.
        """
        noise = "off" if self.options.noise_seed is None else self.options.noise_seed
        return f"{super().fingerprint}/frames={self.options.max_frames}/noise={noise}"
