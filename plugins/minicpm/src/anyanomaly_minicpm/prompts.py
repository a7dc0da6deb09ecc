"""Questions to token ids, with the views of their images in their places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyanomaly_transformers.api import ImageSlot, translate_errors

from anyanomaly.errors import BackendError
from anyanomaly.types import Query
from anyanomaly_minicpm.checkpoint import Checkpoint
from anyanomaly_minicpm.images import Size, grid_of


def read_tokenizer(checkpoint: Checkpoint) -> Any:
    """Return the checkpoint's tokenizer.

    :raises BackendError: when it is broken, or another model's.
    """
    from transformers import PreTrainedTokenizerFast

    folder = str(checkpoint.folder)
    with translate_errors(folder):
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    known = tokenizer.get_vocab()
    images = [checkpoint.marks[name] for name in ("im_start", "im_end", "slice_start", "slice_end", "unk")]
    wanted = [*images, *filter(None, checkpoint.version.ends)]
    if lacking := [mark for mark in wanted if mark not in known]:
        raise BackendError(f"The tokenizer in {folder!r} lacks {', '.join(lacking)}. It is another model's.")
    if not tokenizer.chat_template:
        raise BackendError(f"The tokenizer in {folder!r} has no chat template. Get the complete checkpoint.")
    return tokenizer


def prompt_of(tokenizer: Any, checkpoint: Checkpoint, query: Query) -> list[list[int] | ImageSlot]:
    """Return the token ids of a prompt, and a place for each view of its images."""
    images = [image_text(checkpoint, shown.shape[1::-1], place) for place, shown in enumerate(query.images)]
    parts = [query.prompt, *images] if query.text_first else [*images, query.prompt]
    turns = [{"role": "user", "content": "\n".join(parts)}]
    if query.system:
        turns.insert(0, {"role": "system", "content": query.system})
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text)["input_ids"]
    if checkpoint.version.hides_zero:  # what a mask hides and no position counts need not be there
        ids = [token for token in ids if token != 0]
    return _with_slots(ids, _openings(tokenizer, checkpoint), checkpoint.n_queries, query)


def image_text(checkpoint: Checkpoint, size: Size, number: int) -> str:
    """Return what stands for an image of ``size`` in a prompt: a mark per embedding of each of its views."""
    marks, version = checkpoint.marks, checkpoint.version

    def view(opening: str, closing: str) -> str:
        return marks[opening] + marks["unk"] * checkpoint.n_queries + marks[closing]

    text = f"{marks['im_id_start']}{number}{marks['im_id_end']}" if checkpoint.numbered else ""
    text += view("im_start", "im_end")
    if grid := grid_of(size, checkpoint.slicing):
        columns, rows = grid
        slices = "\n".join(view(*version.slice_marks) * columns for _ in range(rows))
        opening, closing = (marks[name] for name in version.group_marks) if version.group_marks else ("", "")
        text += opening + slices + closing
    return text


def _openings(tokenizer: Any, checkpoint: Checkpoint) -> set[int]:
    """Return the ids of the marks that embeddings of a view follow."""
    names = {"im_start", checkpoint.version.slice_marks[0]}
    return {tokenizer.convert_tokens_to_ids(checkpoint.marks[name]) for name in names}


def _with_slots(ids: Sequence[int], openings: set[int], n_queries: int, query: Query) -> list[list[int] | ImageSlot]:
    """Return ``ids`` with one place for the marks of each view; all images of a question are read together."""
    images = tuple(range(len(query.images)))
    pieces: list[list[int] | ImageSlot] = []
    start = 0
    for part, place in enumerate(place for place, token in enumerate(ids) if token in openings):
        pieces += [list(ids[start : place + 1]), ImageSlot(images, part)]
        start = place + 1 + n_queries
    return [*pieces, list(ids[start:])]
