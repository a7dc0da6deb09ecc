"""Group the queries of one batch that an engine can answer together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from anyanomaly.types import Answer

T = TypeVar("T")


def answer_in_groups(
    items: Sequence[T], key: Callable[[T], Any], answer: Callable[[list[T]], Iterable[Answer]]
) -> list[Answer]:
    """Return one answer per item, in order; items with equal keys are answered in one call.

    :param items: queries, or an engine's inputs made from them.
    :param key: what items must share to be answered together, such as their sampling; keys are sorted.
    :param answer: from the items of a group to one answer each, in order; called by ascending key.
    """
    keys = [key(item) for item in items]
    order = sorted(range(len(items)), key=keys.__getitem__)
    answers: dict[int, Answer] = {}
    for _, positions in groupby(order, key=keys.__getitem__):
        group = list(positions)
        answers.update(zip(group, answer([items[position] for position in group]), strict=True))
    return [answers[position] for position in range(len(items))]
