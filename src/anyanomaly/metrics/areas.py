"""AUC, AP, EER and F1 of scores against labels, frame by frame, through scikit-learn. Frames without a score (NaN)
are left out; what needs both labels is NaN where only one occurs.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import MissingRequirement
from anyanomaly.install import install_command
from anyanomaly.metrics.search import sorted_areas
from anyanomaly.metrics.values import BoolArray, Series


def sklearn_metrics() -> ModuleType:
    """Import scikit-learn's metrics.

    :raises MissingRequirement: when it is not installed.
    """
    try:
        from sklearn import metrics
    except ImportError as error:
        raise MissingRequirement(f"Measuring needs scikit-learn. Run: {install_command('anyanomaly[eval]')}") from error
    found: ModuleType = metrics
    return found


def area(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """Return the area under the ROC curve of scores (n,); equal scores count half."""
    scores, labels = _known(scores, labels)
    return float(sklearn_metrics().roc_auc_score(labels, scores)) if _both(labels) else float("nan")


def average_precision(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """Return the average precision (area under precision over recall, by steps)."""
    scores, labels = _known(scores, labels)
    return float(sklearn_metrics().average_precision_score(labels, scores)) if _both(labels) else float("nan")


def equal_error_rate(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """Return the rate at which false alarms and misses are equally frequent, between two thresholds interpolated."""
    scores, labels = _known(scores, labels)
    if not _both(labels):
        return float("nan")
    false_alarms, hits, _ = sklearn_metrics().roc_curve(labels, scores)
    gap = false_alarms - (1 - hits)  # rises from -1 to 1
    after = int(np.argmax(gap >= 0))
    share = gap[after] / (gap[after] - gap[after - 1])
    return float(false_alarms[after] + share * (false_alarms[after - 1] - false_alarms[after]))


def best_f1(scores: npt.NDArray[Any], labels: BoolArray) -> tuple[float, float]:
    """Return the highest F1 over all thresholds, and that threshold: chosen on these labels, so an upper bound."""
    scores, labels = _known(scores, labels)
    if not _both(labels):
        return float("nan"), float("nan")
    precision, recall, thresholds = sklearn_metrics().precision_recall_curve(labels, scores)
    total = precision + recall
    f1 = np.where(total > 0, 2 * precision * recall / np.where(total > 0, total, 1), 0.0)[:-1]
    best = int(np.argmax(f1))
    return float(f1[best]), float(thresholds[best])


def per_video(series: Series, labels: Sequence[BoolArray], *, padded: bool = False) -> list[float]:
    """Return the AUC of each video, for macro AUC.

    A video with one label only has none (NaN). ``padded``: each gets two frames more, one without the event
    and score 0 and one with it and score 1, as a common rule has it, so that every video has an AUC; high ones.
    """
    if padded:
        series = [np.concatenate((each, [0.0, 1.0])) for each in series]
        labels = [np.concatenate((each, [False, True])) for each in labels]
    return [_counted(*_known(scores, truth)) for scores, truth in zip(series, labels, strict=True)]


def _counted(scores: npt.NDArray[Any], labels: BoolArray) -> float:
    """As `area`; hundreds of short videos are done before scikit-learn has checked its arguments."""
    return float(sorted_areas([scores], labels)[0]) if _both(labels) else float("nan")


def _known(scores: npt.NDArray[Any], labels: BoolArray) -> tuple[npt.NDArray[Any], BoolArray]:
    known = ~np.isnan(scores)
    return scores[known], labels[known]


def _both(labels: BoolArray) -> bool:
    return bool(labels.any() and not labels.all())
