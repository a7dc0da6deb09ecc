"""The backend ``minicpm-v``."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixBackend

from anyanomaly_minicpm.checkpoint import read_checkpoint
from anyanomaly_minicpm.model import MiniCpm
from anyanomaly_minicpm.options import MiniCpmOptions


class MiniCpmBackend(PrefixBackend[MiniCpmOptions]):
    """MiniCPM-Llama3-V-2.5 and MiniCPM-V 2.6."""

    def load_model(self) -> MiniCpm:
        """Return the model that the options name."""
        return MiniCpm(read_checkpoint(self.options), self.options)

    @property
    def fingerprint(self) -> str:
        """What the base says, and where the tower sees patches if not where the original does."""
        places = self.options.positions
        return super().fingerprint if places == "published" else f"{super().fingerprint}+{places}"
