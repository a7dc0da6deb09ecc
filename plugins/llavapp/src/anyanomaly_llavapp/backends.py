"""The backends ``llava-pp`` and ``llava``."""

from __future__ import annotations

from anyanomaly_transformers.prefix.backend import PrefixBackend
from anyanomaly_transformers.prefix.model import PrefixModel

from anyanomaly_llavapp.llava import load_llava
from anyanomaly_llavapp.options import LlavaOptions, LlavaPpOptions
from anyanomaly_llavapp.profiles import LLAVA, LLAVA_PP


class LlavaBackend(PrefixBackend[LlavaOptions]):
    """LLaVA-1.5, in the original layout and transformers' own."""

    def load_model(self) -> PrefixModel:
        """Return the model that the options name."""
        return load_llava(self.options, LLAVA[self.options.profile])


class LlavaPpBackend(PrefixBackend[LlavaPpOptions]):
    """LLaVA++ with LLaMA-3."""

    def load_model(self) -> PrefixModel:
        """Return the model that the options name."""
        return load_llava(self.options, LLAVA_PP[self.options.profile])
