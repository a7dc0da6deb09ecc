"""The backend ``minigpt4``."""

from __future__ import annotations

from anyanomaly_transformers.errors import translated
from anyanomaly_transformers.loading import device_of, dtype_of
from anyanomaly_transformers.prefix.backend import PrefixBackend
from anyanomaly_transformers.prefix.checkpoint import Tensors
from anyanomaly_transformers.prefix.loading import load_language

from anyanomaly_minigpt4.checkpoint import Parts, find_parts
from anyanomaly_minigpt4.model import MiniGpt4
from anyanomaly_minigpt4.options import MiniGpt4Options
from anyanomaly_minigpt4.profiles import PROFILES


class MiniGpt4Backend(PrefixBackend[MiniGpt4Options]):
    """MiniGPT-4 with LLaMA-2."""

    def load_model(self) -> MiniGpt4:
        """Load the three parts."""
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        from anyanomaly_minigpt4.vision import load_tower

        options = self.options
        parts: Parts = find_parts(options)
        device = device_of(options.device)
        with translated(options.model):
            config = LlamaConfig.from_pretrained(parts.language)
            tokenizer = AutoTokenizer.from_pretrained(parts.language)
        dtype = dtype_of(options, device)
        tower = load_tower(parts.vision, parts.projection, config.hidden_size, device, dtype)
        language = load_language(LlamaForCausalLM, config, Tensors(parts.language), options)
        return MiniGpt4(language, tokenizer, PROFILES[options.profile], parts, tower)
