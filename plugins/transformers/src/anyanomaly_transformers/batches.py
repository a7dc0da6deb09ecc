"""Queries to batches: what shares a forward pass, sorted so that little of it is padding.

The batches depend on the queries alone, and not on what was answered before: a run that is killed and started again
forms the same ones, so its numbers are the same to the last bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from anyanomaly.types import Query
from anyanomaly_transformers.generation import sampling_key
from anyanomaly_transformers.shared_images.prompts import HeadKey, Prompt


class Item(NamedTuple):
    """A query of a window."""

    position: int  # in the window
    query: Query
    prompt: Prompt
    head: HeadKey | None  # None: the query shares nothing


class Batch(NamedTuple):
    """Queries that are answered together."""

    items: list[Item]
    shares_heads: bool  # each question continues from the evaluated head of its prompt


def form_batches(items: Sequence[Item], size: int, *, always_share: bool, can_join: bool) -> list[Batch]:
    """Return the batches of a window, at most ``size`` queries each.

    :param always_share: let also a question continue from its head that is the only one about its images.
    :param can_join: whether questions about different images may be rows of one batch that continues from heads.
    """
    n_questions = Counter(item.head for item in items)
    first_positions: dict[HeadKey | None, int] = {}
    for item in items:
        first_positions.setdefault(item.head, item.position)

    def shares(item: Item) -> bool:
        return item.head is not None and (always_share or n_questions[item.head] > 1)

    def group_key(item: Item) -> tuple[Any, ...]:
        """Return what all queries of a batch have in common."""
        sampling = () if item.query.sampling.choices else sampling_key(item.query)
        group = (shares(item), bool(item.query.sampling.choices), bool(item.query.images), *sampling)
        return group if can_join or not shares(item) else (*group, first_positions[item.head])

    def order(item: Item) -> tuple[Any, ...]:
        """Return the key of the order within a group: by size, with questions about the same images together."""
        n_pixels = sum(image.shape[0] * image.shape[1] for image in item.query.images)
        length = len(item.prompt.text)
        return (n_pixels, first_positions[item.head], length) if shares(item) else (n_pixels, length)

    ordered = sorted(items, key=lambda item: (group_key(item), order(item), item.position))
    return [
        Batch(part, shares_heads=shares(part[0]))
        for _, group in groupby(ordered, key=group_key)
        for part in _split(list(group), size)
    ]


def _split(items: list[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
