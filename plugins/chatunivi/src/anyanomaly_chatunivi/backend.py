"""The backend ``chat-univi``."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixBackend, PrefixModel

from anyanomaly_chatunivi.model import ChatUniVi
from anyanomaly_chatunivi.options import ChatUniViOptions
from anyanomaly_chatunivi.profiles import PROFILES


class ChatUniViBackend(PrefixBackend[ChatUniViOptions]):
    """Chat-UniVi; the images of a query are a video's frames."""

    def load_model(self) -> PrefixModel:
        """Return the model that the options name."""
        return ChatUniVi(self.options, PROFILES[self.options.profile])

    @property
    def fingerprint(self) -> str:
        """What the base says, and what else changes tokens."""
        noise = "off" if self.options.noise_seed is None else self.options.noise_seed
        return f"{super().fingerprint}/frames={self.options.max_frames}/noise={noise}"
