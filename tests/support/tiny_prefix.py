"""A tiny random language model with image embeddings before its text, and its outputs by complete forward passes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from anyanomaly_transformers.prefix.backend import PrefixBackend
from anyanomaly_transformers.prefix.model import ImageSlot
from anyanomaly_transformers.prefix.options import PrefixOptions
from anyanomaly_transformers.prefix.profiles import Profile
from anyanomaly_transformers.prefix.prompts import encode_layout
from transformers import LlamaConfig, LlamaForCausalLM

from anyanomaly.types import Query
from tests.support.tiny_tokenizers import byte_tokenizer

HIDDEN = 64
PAPER = Profile("paper", before="A chat.###Human: <Img>", between="</Img> ", after="###Assistant: ")


class TinyPrefixModel:
    """A tiny LLaMA; an image has one token per sixteen rows of pixels."""

    def __init__(self, profile: Profile = PAPER) -> None:
        self.tokenizer = byte_tokenizer(())
        self.profile = profile
        self.files: tuple[Path, ...] = ()
        self.encoded = 0
        self.slots_alone = True
        config = LlamaConfig(
            vocab_size=len(self.tokenizer),
            hidden_size=HIDDEN,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            initializer_range=0.15,
            bos_token_id=None,
            eos_token_id=self.tokenizer.eos_token_id,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.language = LlamaForCausalLM(config).eval()
            self.projector = torch.randn(48, HIDDEN)

    def pieces(self, query: Query) -> Sequence[Sequence[int] | ImageSlot]:
        positions = range(len(query.images))
        slots = (
            [ImageSlot((position,)) for position in positions] if self.slots_alone else [ImageSlot(tuple(positions))]
        )
        return encode_layout(self.tokenizer, self.profile.layout(query, slots))

    def encode_images(self, groups: Sequence[Sequence[Any]]) -> list[list[torch.Tensor]]:
        self.encoded += len(groups)
        rows = []
        for images in groups:
            small_images = [image.resize((1, image.height // 16)).resize((16, image.height // 16)) for image in images]
            pixels = torch.cat([torch.tensor(list(image.tobytes())).reshape(-1, 48) for image in small_images])
            rows.append([(pixels / 255 - 0.5) @ self.projector])
        return rows


class TinyPrefixBackend(PrefixBackend[PrefixOptions]):
    def __init__(self, tiny: TinyPrefixModel, **options: Any) -> None:
        super().__init__(PrefixOptions(**options))
        self.tiny = tiny

    def load_model(self) -> TinyPrefixModel:
        return self.tiny


def loaded(profile: Profile = PAPER, **options: Any) -> TinyPrefixBackend:
    backend = TinyPrefixBackend(TinyPrefixModel(profile), **options)
    backend.load()
    return backend


def prompt(tiny: TinyPrefixModel, query: Query) -> torch.Tensor:
    """Return the prompt's embeddings (1, length, hidden), each image encoded on its own."""
    from PIL import Image

    encoded = [tiny.encode_images([[Image.fromarray(image)]])[0][0] for image in query.images]
    table = tiny.language.get_input_embeddings().weight
    parts = [encoded[piece.images[0]] if isinstance(piece, ImageSlot) else table[piece] for piece in tiny.pieces(query)]
    return torch.cat(parts)[None]


def logits_after(tiny: TinyPrefixModel, embeds: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
    """Return the log-probabilities (len(tokens) + 1, vocabulary) after the prompt and each of ``tokens``."""
    table = tiny.language.get_input_embeddings().weight
    with torch.no_grad():
        inputs = torch.cat([embeds, table[list(tokens)][None]], dim=1)
        logits = tiny.language(inputs_embeds=inputs, use_cache=False).logits[0]
    return logits[-len(tokens) - 1 :].log_softmax(-1)


def greedy(tiny: TinyPrefixModel, query: Query, length: int) -> list[int]:
    """Return the most likely tokens, each from a complete forward pass."""
    embeds, tokens = prompt(tiny, query), list[int]()
    for _ in range(length):
        tokens.append(int(logits_after(tiny, embeds, tokens)[-1].argmax()))
    return tokens
