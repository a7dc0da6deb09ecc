"""Prompts of token and image embeddings, and padded batches of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from anyanomaly.errors import BackendError
from anyanomaly_transformers.prefix.model import ImageSlot, PrefixModel

if TYPE_CHECKING:
    from torch import Tensor


def encode_layout(tokenizer: Any, layout: Sequence[str | ImageSlot]) -> list[list[int] | ImageSlot]:
    """Return a layout with its texts as token ids; the begin-of-sequence token stands before the first text only.

    Each text is encoded separately, as the originals of the LLaVA family do: a SentencePiece tokenizer then puts a
    space before a text that follows an image.
    """
    pieces: list[list[int] | ImageSlot] = []
    for index, part in enumerate(layout):
        ids = tokenizer(part, add_special_tokens=index == 0)["input_ids"] if isinstance(part, str) else part
        pieces.append(ids)
    return pieces


def embed_prompt(
    model: PrefixModel, pieces: Sequence[Sequence[int] | ImageSlot], images: Mapping[ImageSlot, Tensor]
) -> Tensor:
    """Return the embeddings (n_tokens, hidden) of a prompt.

    :param images: the embeddings (n, hidden) of each slot in ``pieces``.
    :raises BackendError: when those of an image have another number of axes.
    """
    import torch

    table = model.language.get_input_embeddings()
    device, dtype = table.weight.device, model.language.dtype
    parts = [
        images[piece] if isinstance(piece, ImageSlot) else table(torch.tensor(piece, dtype=torch.long, device=device))
        for piece in pieces
    ]
    embeddings = torch.cat([part.to(device, dtype) for part in parts])
    if embeddings.ndim != 2:
        raise BackendError(f"The embeddings of an image have {embeddings.ndim} axes; one row per token is needed.")
    return embeddings


def pad_batch(rows: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return prompts as one batch, padded on the left.

    :param rows: the embeddings (n_tokens, hidden) of each prompt.
    :returns: ``inputs_embeds`` (n_rows, longest, hidden) and ``attention_mask`` (n_rows, longest), 0 at padding.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
    embeddings = pad_sequence(list(rows), batch_first=True, padding_side="left")
    positions = torch.arange(embeddings.shape[1], device=embeddings.device)
    mask = positions >= embeddings.shape[1] - lengths[:, None]
    return {"inputs_embeds": embeddings, "attention_mask": mask.long()}
