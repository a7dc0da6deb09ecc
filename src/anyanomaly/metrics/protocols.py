"""Protocols: what may be chosen on which labels.

``fixed``: nothing is chosen; the run's own weights and smoothing. ``cross-class``: for each class the mix that is best
on average for the other classes. ``cross-video``: for each fifth of the videos the mix that is best on the other four.
``paper``: the published arithmetic with the run's weights and 15 frames of smoothing. ``paper-oracle``: the published
search on the labels under test, which inflates the AUC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.core.smooth import gaussian_smooth
from anyanomaly.metrics.frame_metrics import roc_auc
from anyanomaly.metrics.published import PUBLISHED_SIGMA, PublishedMeasurement, measure_published, search_published
from anyanomaly.metrics.search import AucTable, frame_stride, iterate_mixes, scipy_gaussian, weights_in_tenths
from anyanomaly.metrics.values import BoolArray, ClassScores, DoubleArray, Mix, apply_mix, join_videos

PROTOCOLS = ("fixed", "cross-class", "cross-video", "paper", "paper-oracle")
SIGMAS = tuple(range(1, 30, 2))
"""In frames: every other sigma of the published search; neighbouring ones have nearly the same AUC."""
N_FOLDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """One class under one protocol."""

    name: str  # of the class
    auc: float  # micro AUC, 0 to 1
    series: tuple[npt.NDArray[Any], ...]  # the measured scores per video, (n_frames,) each
    mixes: tuple[Mix, ...]  # the chosen mix, or one per fold
    null: DoubleArray = field(default_factory=lambda: np.empty(0))  # AUCs of the protocol on shifted labels (n_shifts,)
    n_fallback_folds: int = 0  # folds whose other videos do not show the event: the run's own mix is used there
    first_context_alone: PublishedMeasurement | None = None  # published protocols only


def measure_fixed(classes: Sequence[ClassScores], mix: Mix) -> list[Measurement]:
    """Measure the run with its own mix."""
    return [_measure_mix(scores, mix) for scores in classes]


def measure_paper(classes: Sequence[ClassScores], mix: Mix) -> list[Measurement]:
    """Measure as published without the search: the run's weights, 15 frames, all videos joined."""
    measurements = []
    for scores in classes:
        alone = measure_published(scores, Mix(_first_alone(scores), PUBLISHED_SIGMA))
        measurements.append(
            _from_published(scores, measure_published(scores, Mix(mix.weights, PUBLISHED_SIGMA)), alone)
        )
    return measurements


def measure_paper_oracle(classes: Sequence[ClassScores]) -> list[Measurement]:
    """Search as published, on the labels under test."""
    return [
        _from_published(scores, search_published(scores), search_published(scores, [_first_alone(scores)]))
        for scores in classes
    ]


def measure_cross_class(classes: Sequence[ClassScores], tables: Sequence[MixTable]) -> list[Measurement]:
    """Choose for each class the mix with the highest mean AUC of the other classes; empty for a single class.

    :param tables: one per class.
    """
    if len(classes) == 1:
        return []
    measurements = []
    for index, (scores, own_table) in enumerate(zip(classes, tables, strict=True)):
        other_aucs = [table.aucs[:, 0] for table_index, table in enumerate(tables) if table_index != index]
        best = np.mean(other_aucs, axis=0).argmax(axis=0)  # per shift
        null = np.array([own_table.aucs[mix, 0, shift] for shift, mix in enumerate(best)])[1:]
        measurements.append(_measure_mix(scores, own_table.mixes[best[0]], null))
    return measurements


def measure_cross_video(classes: Sequence[ClassScores], tables: Sequence[MixTable], mix: Mix) -> list[Measurement]:
    """Choose for each fold of the videos the mix with the highest AUC on the other folds.

    Where the other folds have one label only, no mix can be chosen, and ``mix`` is used. A class of one video is
    skipped.

    :param tables: one per class.
    """
    return [
        _measure_folds(scores, table, mix)
        for scores, table in zip(classes, tables, strict=True)
        if len(scores.videos) > 1
    ]


class MixTable:
    """The AUCs of all mixes for one class, over all videos and without each fold, on true and on shifted labels.

    ``aucs``: (n_mixes, 1 + n_folds, 1 + n_shifts).
    """

    def __init__(self, scores: ClassScores) -> None:
        self.weights = weights_in_tenths(len(scores.contexts))
        self.mixes = [Mix(weights, sigma) for sigma in SIGMAS for weights in self.weights]
        self.folds = assign_folds(scores.labels)
        labels = np.concatenate(scores.labels)
        self._stride = frame_stride(labels)
        self.labels = labels[:: self._stride]
        n_frames = [len(video_labels) for video_labels in scores.labels]
        self.fold_of_frame = np.repeat(self.folds, n_frames)[:: self._stride]
        self.smoothed = [self._smooth_contexts(scores, sigma) for sigma in SIGMAS]
        subsets = [self.fold_of_frame != fold for fold in range(self.folds.max() + 1)] if self.folds.any() else []
        table = AucTable(self.labels, subsets=subsets)
        self.aucs = np.stack([table.aucs(series) for series in iterate_mixes(self.smoothed, self.weights)])

    def series(self, mix_index: int) -> npt.NDArray[np.float32]:
        """Return the scores (n_strided_frames,) of a mix, over all videos joined."""
        sigma_index, weights_index = divmod(mix_index, len(self.weights))
        weights = np.asarray(self.weights[weights_index], np.float32)
        series: npt.NDArray[np.float32] = weights @ self.smoothed[sigma_index]
        return series

    def _smooth_contexts(self, scores: ClassScores, sigma: float) -> npt.NDArray[np.float32]:
        """Return each context smoothed by itself, video by video: (n_contexts, n_strided_frames)."""
        series = np.concatenate([_smooth_video(video.contexts, sigma) for video in scores.videos], axis=1)
        return series[:, :: self._stride].astype(np.float32)


def assign_folds(labels: Sequence[BoolArray]) -> npt.NDArray[np.int64]:
    """Return the fold of each video (n_videos,), 0 to 4.

    Videos with the event are assigned to the folds in turn, then those without it, so that each fold gets both kinds.
    """
    order = sorted(range(len(labels)), key=lambda video: (not labels[video].any(), video))
    folds = np.empty(len(labels), np.int64)
    folds[order] = np.arange(len(labels)) % N_FOLDS
    return folds


def _smooth_video(contexts: DoubleArray, sigma: float) -> DoubleArray:
    """Return smoothed contexts (n_contexts, n_frames); missing scores are skipped, a context without any is 0."""
    if not np.isnan(contexts).any():
        return scipy_gaussian(contexts, sigma)
    return np.nan_to_num(np.stack([gaussian_smooth(context.astype(np.float32), sigma) for context in contexts]))


def _measure_folds(scores: ClassScores, table: MixTable, mix: Mix) -> Measurement:
    aucs = table.aucs[:, 1:]  # without each fold: (n_mixes, n_folds, 1 + n_shifts)
    is_fallback: BoolArray = np.asarray(np.isnan(aucs).all(axis=0))
    best = np.where(np.isnan(aucs), -1.0, aucs).argmax(axis=0)  # (n_folds, 1 + n_shifts)
    fold_mixes = [mix if is_fallback[fold, 0] else table.mixes[best[fold, 0]] for fold in range(len(best))]
    series = [apply_mix([video], fold_mixes[fold])[0] for video, fold in zip(scores.videos, table.folds, strict=True)]
    null_table, n_columns = AucTable(table.labels), best.shape[1]
    null = [null_table.aucs(_compose_folds(table, best[:, shift]))[0, shift] for shift in range(1, n_columns)]
    auc = roc_auc(*join_videos(series, scores.labels))
    n_fallback_folds = int(is_fallback[:, 0].sum())
    return Measurement(scores.name, auc, tuple(series), tuple(fold_mixes), np.array(null), n_fallback_folds)


def _compose_folds(table: MixTable, mix_of_fold: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Return the scores (n_strided_frames,) in which each fold has its own mix.

    :param mix_of_fold: index of the mix of each fold (n_folds,).
    """
    series = np.empty(len(table.labels), np.float32)
    for mix_index in set(mix_of_fold.tolist()):
        is_in_folds = np.isin(table.fold_of_frame, np.flatnonzero(mix_of_fold == mix_index))
        series[is_in_folds] = table.series(mix_index)[is_in_folds]
    return series


def _measure_mix(scores: ClassScores, mix: Mix, null: DoubleArray | None = None) -> Measurement:
    """Measure one mix. ``null``: (n_shifts,); None: of this mix on shifted labels."""
    series = apply_mix(scores.videos, mix)
    joint_series, labels = join_videos(series, scores.labels)
    if null is None:
        null = AucTable(labels).aucs(joint_series)[0, 1:]
    return Measurement(scores.name, roc_auc(joint_series, labels), tuple(series), (mix,), null)


def _from_published(scores: ClassScores, published: PublishedMeasurement, alone: PublishedMeasurement) -> Measurement:
    mixes = (published.mix,)
    return Measurement(scores.name, published.auc, published.scores, mixes, published.null, first_context_alone=alone)


def _first_alone(scores: ClassScores) -> tuple[float, ...]:
    return tuple(float(context == 0) for context in range(len(scores.contexts)))
