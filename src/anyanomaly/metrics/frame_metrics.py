"""AUC, AP, EER and F1 of scores against labels, frame by frame.

Frames without a score (NaN) are dropped. A figure that needs both labels is NaN where only one occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.metrics.search import exact_aucs
from anyanomaly.metrics.values import BoolArray, Series


def sklearn_metrics() -> ModuleType:
    """Return scikit-learn's module of metrics.

    :raises MissingRequirement: when scikit-learn is not installed.
    """
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingRequirement(f"Measuring needs scikit-learn. Run: {install_command('anyanomaly[eval]')}") from error
    module: ModuleType = metrics
    return module


def roc_auc(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """Return the area under the ROC curve, 0 to 1, of scores (n_frames,).

    It is the fraction of pairs of a positive and a negative frame in which the positive one has the higher score; equal
    scores count half (Hanley and McNeil 1982). scikit-learn's ``roc_auc_score`` computes it.

    :raises MissingRequirement: without scikit-learn.
    """
    scores, labels = _drop_missing(scores, labels)
    return float(sklearn_metrics().roc_auc_score(labels, scores)) if _has_both(labels) else float("nan")


def average_precision(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """Return the average precision, 0 to 1, of scores (n_frames,).

    It is the sum over thresholds n of (R_n - R_(n-1)) P_n, with precision P and recall R, without interpolation
    (definition of scikit-learn's ``average_precision_score``, which computes it).

    :raises MissingRequirement: without scikit-learn.
    """
    scores, labels = _drop_missing(scores, labels)
    return float(sklearn_metrics().average_precision_score(labels, scores)) if _has_both(labels) else float("nan")


def equal_error_rate(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """Return the equal error rate, 0 to 1, of scores (n_frames,): where false and missed alarms are equally frequent.

    It is the false positive rate at which the ROC curve crosses FPR = 1 - TPR (textbook definition), linearly
    interpolated between the two thresholds beside the crossing.

    :raises MissingRequirement: without scikit-learn.
    """
    scores, labels = _drop_missing(scores, labels)
    if not _has_both(labels):
        return float("nan")
    false_positive_rates, true_positive_rates, _ = sklearn_metrics().roc_curve(labels, scores)
    gaps = false_positive_rates - (1 - true_positive_rates)  # rise from -1 to 1
    after = int(np.argmax(gaps >= 0))
    step = false_positive_rates[after - 1] - false_positive_rates[after]
    return float(false_positive_rates[after] + gaps[after] / (gaps[after] - gaps[after - 1]) * step)


def best_f1(scores: npt.NDArray[Any], labels: BoolArray) -> tuple[float, float]:
    """Return the highest F1 over all thresholds, 0 to 1, of scores (n_frames,), and that threshold.

    F1 = 2 P R / (P + R), with precision P and recall R (van Rijsbergen 1979). The threshold is chosen on these labels,
    so the value is an upper bound.

    :raises MissingRequirement: without scikit-learn.
    """
    scores, labels = _drop_missing(scores, labels)
    if not _has_both(labels):
        return float("nan"), float("nan")
    precision, recall, thresholds = sklearn_metrics().precision_recall_curve(labels, scores)
    sums = precision + recall
    f1 = np.where(sums > 0, 2 * precision * recall / np.where(sums > 0, sums, 1), 0.0)[:-1]
    best = int(np.argmax(f1))
    return float(f1[best]), float(thresholds[best])


def video_aucs(series: Series, labels: Sequence[BoolArray], *, padded: bool = False) -> list[float]:
    """Return the AUC of each video, 0 to 1; their mean is the macro AUC.

    A video with one label only has none (NaN). ``padded``: each video gets two more frames, (score 0, label 0) and
    (score 1, label 1), so that every video has an AUC. This rule is common in code for macro AUC; it inflates the AUC.
    """
    if padded:
        series = [np.concatenate((video_series, [0.0, 1.0])) for video_series in series]
        labels = [np.concatenate((video_labels, [False, True])) for video_labels in labels]
    return [
        _count_auc(*_drop_missing(video_series, video_labels))
        for video_series, video_labels in zip(series, labels, strict=True)
    ]


def _count_auc(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """Return the same as ``roc_auc`` by counting pairs, which is much faster for hundreds of short videos."""
    return float(exact_aucs([scores], labels)[0]) if _has_both(labels) else float("nan")


def _drop_missing(scores: npt.NDArray[Any], labels: BoolArray) -> tuple[npt.NDArray[Any], BoolArray]:
    has_score = ~np.isnan(scores)
    return scores[has_score], labels[has_score]


def _has_both(labels: BoolArray) -> bool:
    return bool(labels.any() and not labels.all())
