"""A made image prefix before a tiny random language model, and what it says, by whole passes."""

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


class Made:
    """A tiny LLaMA, and images of as many tokens as their height has sixteenths."""

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
        places = range(len(query.images))
        slots = [ImageSlot((place,)) for place in places] if self.slots_alone else [ImageSlot(tuple(places))]
        return encode_layout(self.tokenizer, self.profile.layout(query, slots))

    def encode_images(self, groups: Sequence[Sequence[Any]]) -> list[list[torch.Tensor]]:
        self.encoded += len(groups)
        rows = []
        for images in groups:
            sixteenths = [image.resize((1, image.height // 16)).resize((16, image.height // 16)) for image in images]
            pixels = torch.cat([torch.tensor(list(each.tobytes())).reshape(-1, 48) for each in sixteenths])
            rows.append([(pixels / 255 - 0.5) @ self.projector])
        return rows


class MadeBackend(PrefixBackend[PrefixOptions]):
    def __init__(self, made: Made, **options: Any) -> None:
        super().__init__(PrefixOptions(**options))
        self.made = made

    def load_model(self) -> Made:
        return self.made


def loaded(profile: Profile = PAPER, **options: Any) -> MadeBackend:
    backend = MadeBackend(Made(profile), **options)
    backend.load()
    return backend


def prompt(made: Made, query: Query) -> torch.Tensor:
    """Return the prompt's embeddings (1, length, hidden) as by hand, one image after the other."""
    from PIL import Image

    encoded = [made.encode_images([[Image.fromarray(image)]])[0][0] for image in query.images]
    table = made.language.get_input_embeddings().weight
    parts = [encoded[piece.images[0]] if isinstance(piece, ImageSlot) else table[piece] for piece in made.pieces(query)]
    return torch.cat(parts)[None]


def logits_after(made: Made, embeds: torch.Tensor, tokens: Sequence[int]) -> torch.Tensor:
    """Return the log-probabilities (len(tokens) + 1, vocabulary) after the prompt and each of ``tokens``."""
    table = made.language.get_input_embeddings().weight
    with torch.no_grad():
        whole = torch.cat([embeds, table[list(tokens)][None]], dim=1)
        logits = made.language(inputs_embeds=whole, use_cache=False).logits[0]
    return logits[-len(tokens) - 1 :].log_softmax(-1)


def greedy(made: Made, query: Query, length: int) -> list[int]:
    """Return the likeliest tokens, each from a whole pass."""
    embeds, tokens = prompt(made, query), list[int]()
    for _ in range(length):
        tokens.append(int(logits_after(made, embeds, tokens)[-1].argmax()))
    return tokens
