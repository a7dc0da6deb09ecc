"""Prompts: token ids and image embeddings to rows, and rows to a padded batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from anyanomaly.errors import BackendError
from anyanomaly_transformers.prefix.model import ImageSlot, PrefixModel

if TYPE_CHECKING:
    from torch import Tensor


def encode_layout(tokenizer: Any, layout: Sequence[str | ImageSlot]) -> list[list[int] | ImageSlot]:
    """Return a layout with its texts as token ids, each on its own; the beginning's mark stands before the first.

    So do the originals of the LLaVA family: with a SentencePiece tokenizer a text after an image starts with the
    space that stands before each text.
    """
    pieces: list[list[int] | ImageSlot] = []
    for place, part in enumerate(layout):
        ids = tokenizer(part, add_special_tokens=place == 0)["input_ids"] if isinstance(part, str) else part
        pieces.append(ids)
    return pieces


def embed_prompt(
    model: PrefixModel, pieces: Sequence[Sequence[int] | ImageSlot], images: Mapping[ImageSlot, Tensor]
) -> Tensor:
    """Return the embeddings (length, hidden) of a prompt, with those of ``images`` in their places."""
    import torch

    table = model.language.get_input_embeddings()
    device, dtype = table.weight.device, model.language.dtype
    parts = [
        images[piece] if isinstance(piece, ImageSlot) else table(torch.tensor(piece, dtype=torch.long, device=device))
        for piece in pieces
    ]
    whole = torch.cat([part.to(device, dtype) for part in parts])
    if whole.ndim != 2:
        raise BackendError(f"The embeddings of an image have {whole.ndim} axes; one row per token is needed.")
    return whole


def pad_batch(rows: Sequence[Tensor]) -> dict[str, Tensor]:
    """Return ``rows`` as one batch, padded on the left, with its attention mask."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    lengths = torch.tensor([len(row) for row in rows], device=rows[0].device)
    embeds = pad_sequence(list(rows), batch_first=True, padding_side="left")
    places = torch.arange(embeds.shape[1], device=embeds.device)
    return {"inputs_embeds": embeds, "attention_mask": (places >= embeds.shape[1] - lengths[:, None]).long()}
