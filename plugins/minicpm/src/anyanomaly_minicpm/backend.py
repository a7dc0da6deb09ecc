"""The backend ``minicpm-v``."""

from __future__ import annotations

from anyanomaly_transformers.api import PrefixBackend

from anyanomaly_minicpm.checkpoint import read_checkpoint
from anyanomaly_minicpm.model import MiniCpm
from anyanomaly_minicpm.options import MiniCpmOptions


class MiniCpmBackend(PrefixBackend[MiniCpmOptions]):
    """MiniCPM-Llama3-V-2.5 and MiniCPM-V 2.6."""

    def load_model(self) -> MiniCpm:
        """Return the model that the options name.

        :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
        """
        return MiniCpm(read_checkpoint(self.options), self.options)

    @property
    def fingerprint(self) -> str:
        """The base's fingerprint, and the positions of patches when they are not the published ones.

        :raises BackendError: before `load`.
        """
        positions = self.options.positions
        return super().fingerprint if positions == "published" else f"{super().fingerprint}+{positions}"
