"""What may be chosen on which labels.

``fixed``: nothing is chosen; the weights and the smoothing of the run. ``cross-class``: for each class what is best on
average for the other classes. ``cross-video``: for each fifth of the videos what is best on the others. ``paper``: the
published arithmetic with the published fixed values' place taken by the run's weights and 15 frames.
``paper-oracle``: the published search on the labels under test, which inflates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.core.smooth import gaussian_smooth
from anyanomaly.metrics.areas import area
from anyanomaly.metrics.published import SIGMA, Published, measure_published, search_published
from anyanomaly.metrics.search import AreaTable, gaussian, mixes, stride, tenths
from anyanomaly.metrics.values import BoolArray, ClassScores, DoubleArray, Mix, joined, mixed

PROTOCOLS = ("fixed", "cross-class", "cross-video", "paper", "paper-oracle")
SIGMAS = tuple(range(1, 30, 2))
"""In frames: every other one of the published search, since a Gaussian of 14 frames is one of 15."""
N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One class under one protocol."""

    name: str
    area: float  # micro AUC
    series: tuple[npt.NDArray[Any], ...]  # the scores that it is of, per video
    mixes: tuple[Mix, ...]  # what was chosen; several: per fold
    null: DoubleArray = field(default_factory=lambda: np.empty(0))  # the same protocol on shifted labels
    n_blind: int = 0  # folds whose other videos do not show the event: the run's own mix was taken
    key_alone: Published | None = None  # the published protocols measure the first context alone too


def fixed(classes: Sequence[ClassScores], mix: Mix) -> list[Measured]:
    """Measure the run as it was."""
    return [_measured(each, mix) for each in classes]


def paper(classes: Sequence[ClassScores], mix: Mix) -> list[Measured]:
    """Measure as published without the search: the run's weights, 15 frames, all videos joined."""
    found = []
    for each in classes:
        alone = measure_published(each, Mix(_first_alone(each), SIGMA))
        found.append(_published(each, measure_published(each, Mix(mix.weights, SIGMA)), alone))
    return found


def paper_oracle(classes: Sequence[ClassScores]) -> list[Measured]:
    """Search as published, on the labels under test."""
    return [_published(each, search_published(each), search_published(each, [_first_alone(each)])) for each in classes]


def cross_class(classes: Sequence[ClassScores], tables: Sequence[Tables]) -> list[Measured]:
    """Choose for each class the mix with the highest mean AUC of the other classes; nothing for one class alone."""
    found: list[Measured] = []
    if len(classes) == 1:
        return found
    for at, (each, own) in enumerate(zip(classes, tables, strict=True)):
        others = np.mean([table.areas[:, 0] for other, table in enumerate(tables) if other != at], axis=0)
        chosen = others.argmax(axis=0)  # per shift
        null = np.array([own.areas[mix, 0, shift] for shift, mix in enumerate(chosen)])[1:]
        found.append(_measured(each, own.options[chosen[0]], null))
    return found


def cross_video(classes: Sequence[ClassScores], tables: Sequence[Tables], mix: Mix) -> list[Measured]:
    """Choose for each fold of the videos the mix with the highest AUC on the other folds.

    Where the others have one label only there is nothing to choose by, and ``mix`` is taken. A class of one video
    is left out.
    """
    return [_over_folds(each, table, mix) for each, table in zip(classes, tables, strict=True) if len(each.videos) > 1]


class Tables:
    """The AUCs of all mixes for one class, over all videos and without each fold, on labels as they are and shifted.

    ``areas``: (n_mixes, 1 + n_folds, 1 + n_shifts).
    """

    def __init__(self, scores: ClassScores) -> None:
        self.weights = tenths(len(scores.contexts))
        self.options = [Mix(each, sigma) for sigma in SIGMAS for each in self.weights]
        self.folds = fold_numbers(scores.labels)
        labels = np.concatenate(scores.labels)
        self._every = stride(labels)
        self.labels = labels[:: self._every]
        self.fold_of_frame = np.repeat(self.folds, [len(each) for each in scores.labels])[:: self._every]
        self.smoothed = [self._context_series(scores, sigma) for sigma in SIGMAS]
        kept = [self.fold_of_frame != fold for fold in range(self.folds.max() + 1)] if self.folds.any() else []
        table = AreaTable(self.labels, kept=kept)
        self.areas = np.stack([table.areas(series) for series in mixes(self.smoothed, self.weights)])

    def series(self, option: int) -> npt.NDArray[np.float32]:
        """Return the series of a mix, joined and thinned."""
        sigma, weights = divmod(option, len(self.weights))
        found: npt.NDArray[np.float32] = np.asarray(self.weights[weights], np.float32) @ self.smoothed[sigma]
        return found

    def _context_series(self, scores: ClassScores, sigma: float) -> npt.NDArray[np.float32]:
        """Smooth each context by itself, video by video; what is missing takes no part, or is 0 all along."""
        series = np.concatenate([_each_smoothed(video.contexts, sigma) for video in scores.videos], axis=1)
        return series[:, :: self._every].astype(np.float32)


def fold_numbers(labels: Sequence[BoolArray]) -> npt.NDArray[np.int64]:
    """Deal the videos out into folds: first those with the event, then the others, so that each fold gets of both."""
    order = sorted(range(len(labels)), key=lambda at: (not labels[at].any(), at))
    folds = np.empty(len(labels), np.int64)
    folds[order] = np.arange(len(labels)) % N_FOLDS
    return folds


def _each_smoothed(contexts: DoubleArray, sigma: float) -> DoubleArray:
    if not np.isnan(contexts).any():
        return gaussian(contexts, sigma)
    return np.nan_to_num(np.stack([gaussian_smooth(each.astype(np.float32), sigma) for each in contexts]))


def _over_folds(scores: ClassScores, table: Tables, mix: Mix) -> Measured:
    without = table.areas[:, 1:]  # (n_mixes, n_folds, 1 + n_shifts)
    blind: BoolArray = np.asarray(np.isnan(without).all(axis=0))
    chosen = np.where(np.isnan(without), -1.0, without).argmax(axis=0)
    options = [mix if blind[fold, 0] else table.options[chosen[fold, 0]] for fold in range(len(chosen))]
    series = [mixed([video], options[fold])[0] for video, fold in zip(scores.videos, table.folds, strict=True)]
    null = [
        AreaTable(table.labels).areas(_composed(table, chosen[:, shift]))[0, shift]
        for shift in range(1, chosen.shape[1])
    ]
    return Measured(
        scores.name,
        area(*joined(series, scores.labels)),
        tuple(series),
        tuple(options),
        np.array(null),
        int(blind[:, 0].sum()),
    )


def _composed(table: Tables, chosen: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the joined series in which each fold has its own mix."""
    found = np.empty(len(table.labels), np.float32)
    for option in set(chosen.tolist()):
        where = np.isin(table.fold_of_frame, np.flatnonzero(chosen == option))
        found[where] = table.series(option)[where]
    return found


def _measured(scores: ClassScores, mix: Mix, null: DoubleArray | None = None) -> Measured:
    series = mixed(scores.videos, mix)
    joint, labels = joined(series, scores.labels)
    if null is None:
        null = AreaTable(labels).areas(joint)[0, 1:]
    return Measured(scores.name, area(joint, labels), tuple(series), (mix,), null)


def _published(scores: ClassScores, found: Published, alone: Published) -> Measured:
    return Measured(scores.name, found.area, found.scores, (found.mix,), found.null, key_alone=alone)


def _first_alone(scores: ClassScores) -> tuple[float, ...]:
    return tuple(float(at == 0) for at in range(len(scores.contexts)))
