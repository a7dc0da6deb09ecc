"""The backend ``minigpt4``."""

from __future__ import annotations

from anyanomaly_transformers.api import (
    PrefixBackend,
    Tensors,
    load_language_model,
    resolve_device,
    resolve_dtype,
    translate_errors,
)

from anyanomaly_minigpt4.checkpoint import Parts, find_parts
from anyanomaly_minigpt4.model import MiniGpt4
from anyanomaly_minigpt4.options import MiniGpt4Options
from anyanomaly_minigpt4.profiles import PROFILES


class MiniGpt4Backend(PrefixBackend[MiniGpt4Options]):
    """MiniGPT-4 with LLaMA-2."""

    def load_model(self) -> MiniGpt4:
        """Return the model of the three parts that the options name.

        :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
        """
        from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

        from anyanomaly_minigpt4.vision import load_tower

        options = self.options
        parts: Parts = find_parts(options)
        device = resolve_device(options.device)
        with translate_errors(options.model):
            config = LlamaConfig.from_pretrained(parts.language)
            tokenizer = AutoTokenizer.from_pretrained(parts.language)
        dtype = resolve_dtype(options, device)
        tower = load_tower(parts.vision, parts.projection, config.hidden_size, device, dtype)
        language = load_language_model(LlamaForCausalLM, config, Tensors(parts.language), options)
        return MiniGpt4(language, tokenizer, PROFILES[options.profile], parts, tower)
