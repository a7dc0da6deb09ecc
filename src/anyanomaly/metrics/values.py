"""The input of all metrics: per class and video the scores of the contexts and the labels, and their fusion."""

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
"""One array of scores per video, (n_frames,) each; NaN: no score."""


@dataclass(frozen=True, slots=True, eq=False)
class VideoScores:
    """One video and one class.

    :raises DatasetError: when labels and scores are not of the same number of frames.
    """

    video: str
    fps: float  # frames per second
    labels: BoolArray  # (n_frames,)
    contexts: DoubleArray  # scores (n_contexts, n_frames); NaN: no score could be read

    def __post_init__(self) -> None:
        if self.contexts.shape[1:] != self.labels.shape:
            raise DatasetError(
                f"Video '{self.video}' has {self.labels.size} labels and {self.contexts.shape[-1]} frames with scores; "
                f"both must be of the same frames."
            )


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """One class of a dataset over its videos, in the order of their names."""

    name: str
    contexts: tuple[str, ...]  # names of the rows of each video's scores
    videos: tuple[VideoScores, ...]

    @property
    def labels(self) -> list[BoolArray]:
        """Labels (n_frames,) of each video."""
        return [video.labels for video in self.videos]

    @property
    def problem(self) -> str:
        """Why the class has no AUC; empty: it has one."""
        labels = [video.labels[~np.isnan(video.contexts).all(axis=0)] for video in self.videos]
        n_positive, n_frames = sum(int(video_labels.sum()) for video_labels in labels), sum(map(len, labels))
        if 0 < n_positive < n_frames:
            return ""
        if not n_frames:
            return f"Class '{self.name}' has no AUC: no frame has a readable score."
        return f"Class '{self.name}' has no AUC: its {n_frames:,} labels are all {int(n_positive > 0)}."


@dataclass(frozen=True, slots=True)
class Mix:
    """How contexts become one series: weights of their fusion, and sigma of the Gaussian over time."""

    weights: tuple[float, ...]  # one per context, at least 0
    sigma: float  # at least 0
    unit: Literal["frames", "seconds"] = "frames"

    def sigma_frames(self, fps: float) -> float:
        """Return sigma in frames."""
        return self.sigma * fps if self.unit == "seconds" else self.sigma


def fuse_frames(contexts: DoubleArray, weights: Sequence[float]) -> DoubleArray:
    """Return the fused scores (n_frames,) of contexts (n_contexts, n_frames), as `core.fuse` does for one segment.

    It is the weighted mean over the contexts that have a score (paper, section 3.4); NaN where none has.
    """
    weights_per_frame = np.where(np.isnan(contexts), 0.0, np.asarray(weights, np.float64)[:, None])
    totals = weights_per_frame.sum(axis=0)
    sums = (weights_per_frame * np.nan_to_num(contexts)).sum(axis=0)
    return np.where(totals > 0, sums / np.where(totals > 0, totals, 1.0), np.nan)


def apply_mix(videos: Iterable[VideoScores], mix: Mix) -> list[FloatArray]:
    """Return the fused and smoothed scores (n_frames,) of each video, as a run computes them."""
    return [
        gaussian_smooth(fuse_frames(video.contexts, mix.weights).astype(np.float32), mix.sigma_frames(video.fps))
        for video in videos
    ]


def join_videos(series: Series, labels: Sequence[BoolArray]) -> tuple[npt.NDArray[Any], BoolArray]:
    """Return scores and labels (n_scored_frames,) of all videos joined; frames without a score are dropped."""
    joint_series, joint_labels = np.concatenate(series), np.concatenate(labels)
    has_score = ~np.isnan(joint_series)
    return joint_series[has_score], joint_labels[has_score]
