"""The backend of all models of an image encoder and a causal language model."""

from __future__ import annotations

import hashlib
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from anyanomaly.api import Backend
from anyanomaly.kit import ChoiceEncoder, answer_in_groups, require_loaded, weights_digest
from anyanomaly.types import Answer, ImageArray, Query
from anyanomaly_transformers.errors import translate_run_errors
from anyanomaly_transformers.fingerprints import files_fingerprint
from anyanomaly_transformers.generation import end_token_ids
from anyanomaly_transformers.loading import (
    check_packages,
    choice_encoder,
    free_gpu_memory,
    quiet_logs,
    reset_generation_config,
)
from anyanomaly_transformers.prefix.generation import decode_answer, generate
from anyanomaly_transformers.prefix.model import ImageSlot, PrefixModel
from anyanomaly_transformers.prefix.options import PrefixOptions
from anyanomaly_transformers.prefix.prompts import embed_prompt, pad_batch
from anyanomaly_transformers.prompts import refuse_special_tokens
from anyanomaly_transformers.scoring import choice_logprobs

if TYPE_CHECKING:
    from torch import Tensor

P = TypeVar("P", bound=PrefixOptions, covariant=True)
Pieces = Sequence[Sequence[int] | ImageSlot]


class Prompt(NamedTuple):
    """A query as the model reads it."""

    query: Query
    pieces: Pieces
    embeddings: Tensor  # (n_tokens, hidden)


class PrefixBackend(Backend[P]):
    """Answers in words, or with the exact log-probability of each allowed answer; a plugin writes `load_model`."""

    def __init__(self, options: P) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._model: PrefixModel | None = None
        self._fingerprint = ""
        self._encode_choices: ChoiceEncoder | None = None

    @abstractmethod
    def load_model(self) -> PrefixModel:
        """Return the model that ``options`` name, on its device, with the conversation of ``options.profile``.

        :raises AnyAnomalyError: when files are missing, incomplete, or of another model.
        """

    def load(self) -> None:
        """Load tokenizer and weights; download what is missing.

        :raises AnyAnomalyError: when the model cannot be loaded; the message says why and what to do.
        """
        check_packages(self.options)
        with quiet_logs():
            model = self.load_model()
        reset_generation_config(model.language, model.tokenizer)
        _add_stop_tokens(model)
        self._model = model
        self._encode_choices = choice_encoder(model.tokenizer)
        self.revision = weights_digest(model.files)
        self._fingerprint = files_fingerprint(
            self.revision,
            dtype=str(model.language.dtype).removeprefix("torch."),
            quantization=self.options.quantization,
            profile=repr(model.profile),
        )

    def close(self) -> None:
        """Free the weights and their GPU memory."""
        if self._model is not None:
            self._model = self._encode_choices = None
            free_gpu_memory()

    @property
    def model(self) -> PrefixModel:
        """The loaded model.

        :raises BackendError: before `load`.
        """
        return require_loaded(self._model)

    @property
    def fingerprint(self) -> str:
        """Weights, precision, conversation and release; known after `load`.

        :raises BackendError: before `load`.
        """
        require_loaded(self._model)
        return self._fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; queries with equal decoding share forward passes, and equal images are encoded once.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        :raises UsageError: when a question holds a special token of the model.
        """
        model = self.model
        for query in queries:
            refuse_special_tokens(model.tokenizer, query)
        import torch

        with translate_run_errors(self.options.model), quiet_logs(), torch.inference_mode():
            pieces = [model.pieces(query) for query in queries]
            rows = _embed_prompts(model, queries, pieces)
            prompts = [Prompt(*parts) for parts in zip(queries, pieces, rows, strict=True)]
            return answer_in_groups(
                prompts,
                lambda prompt: _batch_key(model, prompt.query),
                lambda group: self._answer_group(model, group),
            )

    def _answer_group(self, model: PrefixModel, prompts: Sequence[Prompt]) -> Iterator[Answer]:
        batch = pad_batch([prompt.embeddings for prompt in prompts])
        queries = [prompt.query for prompt in prompts]
        if queries[0].sampling.choices:
            encode_choices = require_loaded(self._encode_choices)
            answers = [
                encode_choices(_last_text(model, pieces), query.sampling.choices) for query, pieces, _ in prompts
            ]
            values = choice_logprobs(model.language, batch, answers)
            for (query, _, embeddings), logprobs in zip(prompts, values, strict=True):
                by_choice = dict(zip(query.sampling.choices, logprobs, strict=True))
                yield Answer(query.id, logprobs=by_choice, prompt_tokens=len(embeddings), output_tokens=0)
            return
        for (query, _, embeddings), tokens in zip(prompts, generate(model, batch, queries), strict=True):
            text = decode_answer(model.tokenizer, tokens, model.profile)
            yield Answer(query.id, text=text, prompt_tokens=len(embeddings), output_tokens=len(tokens))


def _embed_prompts(model: PrefixModel, queries: Sequence[Query], prompts: Sequence[Pieces]) -> Iterator[Tensor]:
    """Yield the embeddings (n_tokens, hidden) of each prompt; a group of images in several prompts is encoded once."""
    from PIL import Image

    groups: dict[tuple[bytes, ...], list[Any]] = {}
    keys: list[dict[tuple[int, ...], tuple[bytes, ...]]] = []  # per prompt: images of a slot to their group
    for query, pieces in zip(queries, prompts, strict=True):
        digests = [_digest(image) for image in query.images]
        slots = dict.fromkeys(piece.images for piece in pieces if isinstance(piece, ImageSlot))
        keys.append({images: tuple(digests[index] for index in images) for images in slots})
        for images, key in keys[-1].items():
            if key not in groups:
                groups[key] = [Image.fromarray(query.images[index]) for index in images]
    encoded = dict(zip(groups, model.encode_images(list(groups.values())) if groups else [], strict=True))
    for pieces, key_of in zip(prompts, keys, strict=True):
        slot_embeddings = {
            piece: encoded[key_of[piece.images]][piece.part] for piece in pieces if isinstance(piece, ImageSlot)
        }
        yield embed_prompt(model, pieces, slot_embeddings)


def _digest(image: ImageArray) -> bytes:
    return hashlib.blake2b(image.data, person=repr(image.shape[:2]).encode()[:16]).digest()


def _last_text(model: PrefixModel, pieces: Pieces) -> str:
    """Return the prompt's text after its last image: it decides which tokens an allowed answer adds."""
    last = pieces[-1]
    return "" if isinstance(last, ImageSlot) else str(model.tokenizer.decode(last, skip_special_tokens=False))


def _batch_key(model: PrefixModel, query: Query) -> tuple[Any, ...]:
    """Return what queries of one forward pass share; sortable."""
    if query.sampling.choices:
        return (True,)
    decoding = model.profile.decode_as(query)
    return (
        False,
        query.sampling.max_tokens,
        decoding.num_beams,
        decoding.temperature,
        decoding.top_p,
        decoding.repetition_penalty,
    )


def _add_stop_tokens(model: PrefixModel) -> None:
    """End answers at the profile's stop tokens too, as far as the tokenizer has them."""
    config = model.language.generation_config
    vocabulary = model.tokenizer.get_vocab()
    stop_tokens = {vocabulary[token] for token in model.profile.stop_tokens if token in vocabulary}
    config.eos_token_id = sorted(end_token_ids(model.language) | stop_tokens)
    if config.pad_token_id is None:
        config.pad_token_id = config.eos_token_id[0]
