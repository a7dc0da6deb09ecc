"""What is measured: per class and video the scores of the contexts and the labels; how they become one series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.core.smooth import gaussian_smooth
from anyanomaly.errors import DatasetError
from anyanomaly.types import FloatArray

BoolArray: TypeAlias = npt.NDArray[np.bool_]
DoubleArray: TypeAlias = npt.NDArray[np.float64]
Series: TypeAlias = Sequence[npt.NDArray[Any]]
"""One array of scores per video, (n_frames,) each; NaN where there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoScores:
    """One video and one class: a label per frame, and a score per context and frame."""

    video: str
    fps: float
    labels: BoolArray  # (n,)
    contexts: DoubleArray  # (n_contexts, n); NaN: no score could be read

    def __post_init__(self) -> None:
        if self.contexts.shape[1:] != self.labels.shape:
            raise DatasetError(
                f"Video '{self.video}' has {self.labels.size} labels and {self.contexts.shape[-1]} frames with scores; "
                f"both must be of the same frames."
            )


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """One class of a data set: its videos, in the order of their names."""

    name: str
    contexts: tuple[str, ...]
    videos: tuple[VideoScores, ...]

    @property
    def labels(self) -> list[BoolArray]:
        """The labels of each video."""
        return [video.labels for video in self.videos]

    @property
    def problem(self) -> str:
        """Why the class has no AUC; empty: it has one."""
        scored = [each.labels[~np.isnan(each.contexts).all(axis=0)] for each in self.videos]
        n_positive, n_frames = sum(int(each.sum()) for each in scored), sum(map(len, scored))
        if 0 < n_positive < n_frames:
            return ""
        if not n_frames:
            return f"Class '{self.name}' has no AUC: no frame has a score that could be read."
        return f"Class '{self.name}' has no AUC: its {n_frames:,} labels are all {int(n_positive > 0)}."


@dataclass(frozen=True, slots=True)
class Mix:
    """How contexts become one series: their weights, and the width of the Gaussian over time."""

    weights: tuple[float, ...]  # one per context, at least 0
    sigma: float
    unit: Literal["frames", "seconds"] = "frames"

    def sigma_frames(self, fps: float) -> float:
        """Return sigma in frames."""
        return self.sigma * fps if self.unit == "seconds" else self.sigma


def fused(contexts: DoubleArray, weights: Sequence[float]) -> DoubleArray:
    """Return the weighted mean (n,) over the contexts (n_contexts, n) that have a number, as `core.fuse` does."""
    weighed = np.where(np.isnan(contexts), 0.0, np.asarray(weights, np.float64)[:, None])
    total = weighed.sum(axis=0)
    value = (weighed * np.nan_to_num(contexts)).sum(axis=0)
    return np.where(total > 0, value / np.where(total > 0, total, 1.0), np.nan)


def mixed(videos: Iterable[VideoScores], mix: Mix) -> list[FloatArray]:
    """Fuse and smooth, video by video, as a run does."""
    return [
        gaussian_smooth(fused(each.contexts, mix.weights).astype(np.float32), mix.sigma_frames(each.fps))
        for each in videos
    ]


def joined(series: Series, labels: Sequence[BoolArray]) -> tuple[npt.NDArray[Any], BoolArray]:
    """Join the videos; frames without a score are left out."""
    scores, truth = np.concatenate(series), np.concatenate(labels)
    known = ~np.isnan(scores)
    return scores[known], truth[known]
