"""Priorities that no gate has, between which those of real gates lie: random ones, and those of the labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from anyanomaly.core.labels import class_texts
from anyanomaly.core.schedule import Pair
from anyanomaly.evaluation.scores import SegmentRow
from anyanomaly.metrics.values import BoolArray, ClassScores
from anyanomaly.types import LabelledVideo

RANDOM, PERFECT = "random", "perfect"


def random_priorities(pairs: Iterable[Pair], seed: int) -> dict[Pair, dict[str, float]]:
    """Return a priority above 0 for each pair, uniformly distributed up to 1."""
    rng = np.random.default_rng(seed)
    return {pair: {RANDOM: 1 - float(rng.random())} for pair in pairs}


def perfect_priorities(
    rows: Mapping[Pair, SegmentRow], classes: Sequence[ClassScores], videos: Sequence[LabelledVideo]
) -> dict[Pair, dict[str, float]]:
    """Return the priorities of a gate that knows the labels: the positive fraction of the segment's frames.

    A segment without the event has a priority just above 0, so that it is asked about last.

    :param classes: whose labels count; a text that none of them has is not there.
    """
    masks: dict[tuple[str, str], list[BoolArray]] = {}  # by video and text: labels of each class of the text
    texts = {(video.id, name): texts for video in videos for name, texts in class_texts(video).items()}
    for scores in classes:
        for video in scores.videos:
            for text in texts[video.video, scores.name]:
                masks.setdefault((video.video, text), []).append(video.labels)
    return {
        pair: {PERFECT: max([_LEAST, *(_fraction(mask, row) for mask in masks.get((pair.video, pair.text), []))])}
        for pair, row in rows.items()
    }


_LEAST = 1e-6


def _fraction(labels: BoolArray, row: SegmentRow) -> float:
    part = labels[row.start : row.stop]
    return float(part.mean()) if len(part) else 0.0
