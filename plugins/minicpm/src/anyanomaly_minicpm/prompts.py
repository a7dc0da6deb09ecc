"""Prompts: token ids, with a slot for each view of an image."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly_transformers.api import ImageSlot, translate_errors

from anyanomaly.errors import BackendError
from anyanomaly.kit import check_chat
from anyanomaly.types import Query
from anyanomaly_minicpm.checkpoint import Checkpoint
from anyanomaly_minicpm.images import Size, slice_grid


def read_tokenizer(checkpoint: Checkpoint) -> Any:
    """Return the checkpoint's tokenizer.

    :raises BackendError: when it is broken, or belongs to another model.
    """
    from transformers import PreTrainedTokenizerFast

    folder = str(checkpoint.folder)
    with translate_errors(folder):
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    vocabulary = tokenizer.get_vocab()
    keys = ("im_start", "im_end", "slice_start", "slice_end", "unk")
    required = [*(checkpoint.special_tokens[key] for key in keys), *filter(None, checkpoint.version.stop_tokens)]
    if missing := [token for token in required if token not in vocabulary]:
        raise BackendError(
            f"The tokenizer in {folder!r} lacks {', '.join(missing)}, so it belongs to another model. "
            "Download the checkpoint again."
        )
    if not tokenizer.chat_template:
        raise BackendError(f"The tokenizer in {folder!r} has no chat template. Download the checkpoint again.")
    return tokenizer


def build_prompt(tokenizer: Any, checkpoint: Checkpoint, query: Query) -> list[list[int] | ImageSlot]:
    """Return the prompt of a query: token ids, and a slot for each view of its images."""
    images = [image_text(checkpoint, image.shape[1::-1], number) for number, image in enumerate(query.images)]
    parts = [query.prompt, *images] if query.text_first else [*images, query.prompt]
    turns = [{"role": "user", "content": "\n".join(parts)}]
    if query.system:
        turns.insert(0, {"role": "system", "content": query.system})
    check_chat(tokenizer.chat_template, turns, {})
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text)["input_ids"]
    if checkpoint.version.drops_token_zero:  # the original masks it, and gives it no position
        ids = [token for token in ids if token != 0]
    return _insert_slots(ids, _opening_ids(tokenizer, checkpoint), checkpoint.n_queries, query)


def image_text(checkpoint: Checkpoint, size: Size, number: int) -> str:
    """Return the text of an image in a prompt: special tokens, and ``<unk>`` per embedding of each of its views.

    :param size: width and height in pixels. :param number: index of the image in its query.
    """
    special_tokens, version = checkpoint.special_tokens, checkpoint.version

    def view_text(opening: str, closing: str) -> str:
        return special_tokens[opening] + special_tokens["unk"] * checkpoint.n_queries + special_tokens[closing]

    text = ""
    if checkpoint.numbers_images:
        text += f"{special_tokens['im_id_start']}{number}{special_tokens['im_id_end']}"
    text += view_text("im_start", "im_end")
    if grid := slice_grid(size, checkpoint.slicing):
        columns, rows = grid
        slices = "\n".join(view_text(*version.slice_tokens) * columns for _ in range(rows))
        if version.group_tokens:
            opening, closing = (special_tokens[key] for key in version.group_tokens)
            slices = opening + slices + closing
        text += slices
    return text


def _opening_ids(tokenizer: Any, checkpoint: Checkpoint) -> set[int]:
    """Return the ids of the special tokens after which the embeddings of a view stand."""
    keys = {"im_start", checkpoint.version.slice_tokens[0]}
    return {tokenizer.convert_tokens_to_ids(checkpoint.special_tokens[key]) for key in keys}


def _insert_slots(
    ids: Sequence[int], opening_ids: set[int], n_queries: int, query: Query
) -> list[list[int] | ImageSlot]:
    """Return ``ids`` with a slot in place of the ``<unk>`` tokens of each view.

    The images of a query are one group of `PrefixModel.encode_images`, and its views are the parts.
    """
    images = tuple(range(len(query.images)))
    pieces: list[list[int] | ImageSlot] = []
    start = 0
    openings = [position for position, token in enumerate(ids) if token in opening_ids]
    for part, opening in enumerate(openings):
        pieces += [list(ids[start : opening + 1]), ImageSlot(images, part)]
        start = opening + 1 + n_queries
    return [*pieces, list(ids[start:])]
