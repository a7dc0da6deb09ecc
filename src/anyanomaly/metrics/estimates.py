"""The classes of a run under each protocol, with bootstrap intervals and null distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from anyanomaly.core.events import EventRule
from anyanomaly.errors import DatasetError
from anyanomaly.metrics import protocols
from anyanomaly.metrics.protocols import Measurement, MixTable
from anyanomaly.metrics.resampling import (
    Difference,
    Interval,
    PairCounts,
    Resamples,
    compare_paired,
    mean_over_classes,
    percentile_interval,
    resample_videos,
    widen_to_chance,
)
from anyanomaly.metrics.values import ClassScores, DoubleArray, Mix

FEW_VIDEOS = 5
"""With the event in fewer videos than this, an interval from resampled videos says little."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """One class under one protocol, with the resampled AUCs that its interval comes from."""

    measurement: Measurement
    pair_counts: PairCounts
    resampled_aucs: DoubleArray  # (n_resamples,); NaN: one video only

    @property
    def interval(self) -> Interval | None:
        """95 % bootstrap interval of the AUC over videos; None: one video only."""
        return percentile_interval(self.resampled_aucs)

    @property
    def p_null(self) -> float:
        """One-sided p of the AUC under the null distribution, above 0, at most 1.

        It is (1 + number of shifts that reach the AUC) / (1 + number of shifts), as for permutation tests (Davison and
        Hinkley 1997, section 4.3).
        """
        null = self.measurement.null
        return float((1 + (null >= self.measurement.auc).sum()) / (1 + len(null)))


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """The classes of a run under each protocol."""

    classes: tuple[ClassScores, ...]  # those that have an AUC
    protocols: dict[str, list[Estimate]]  # by protocol; a protocol may not be able to measure every class
    resamples: dict[str, Resamples]  # by class, of its videos
    rule: EventRule
    notes: tuple[str, ...] = field(default=())  # what limits the figures, a sentence each


def estimate_classes(
    classes: Sequence[ClassScores],
    mix: Mix,
    rule: EventRule,
    protocol_names: Sequence[str] = protocols.PROTOCOLS,
    seed: int = 0,
) -> Estimates:
    """Measure all classes that have an AUC under each protocol.

    :param mix: the run's own weights and smoothing. :param rule: the run's own rule for events.
    :param seed: of the resamples of videos.
    :raises MissingRequirement: without scikit-learn or SciPy.
    """
    measurable = [scores for scores in classes if not scores.problem]
    notes = [scores.problem for scores in classes if scores.problem]
    notes += _note_few_videos(measurable)
    resamples = resample_classes(measurable, seed)
    needs_tables = {"cross-class", "cross-video"} & set(protocol_names)
    tables = [MixTable(scores) for scores in measurable] if needs_tables else []
    measure: dict[str, Callable[[], list[Measurement]]] = {
        "fixed": lambda: protocols.measure_fixed(measurable, mix),
        "cross-class": lambda: protocols.measure_cross_class(measurable, tables),
        "cross-video": lambda: protocols.measure_cross_video(measurable, tables, mix),
        "paper": lambda: protocols.measure_paper(measurable, mix),
        "paper-oracle": lambda: protocols.measure_paper_oracle(measurable),
    }
    scores_by_name = {scores.name: scores for scores in measurable}
    estimates: dict[str, list[Estimate]] = {}
    for protocol in protocol_names:
        measurements = {measurement.name: measurement for measurement in measure[protocol]()}
        estimates[protocol] = [
            _estimate(measurement, scores_by_name[name], resamples[name], seed)
            for name, measurement in measurements.items()
        ]
        if unmeasured := [name for name in scores_by_name if name not in measurements]:
            notes.append(
                f"{protocol} needs two videos, or classes, to choose on one and measure another: {_quote(unmeasured)}."
            )
        if fallbacks := [name for name, measurement in measurements.items() if measurement.n_fallback_folds]:
            notes.append(
                f"{protocol}: folds whose other videos do not show it were measured with the run's own mix: "
                f"{_quote(fallbacks)}."
            )
    return Estimates(tuple(measurable), estimates, resamples, rule, tuple(notes))


def resample_classes(classes: Sequence[ClassScores], seed: int) -> dict[str, Resamples]:
    """Return resamples of each class's videos; a video of several classes occurs equally often for each of them."""
    names = sorted({video.video for scores in classes for video in scores.videos})
    resamples = resample_videos(len(names), seed) if names else np.empty((0, 0), np.int64)
    columns = {name: column for column, name in enumerate(names)}
    return {scores.name: resamples[:, [columns[video.video] for video in scores.videos]] for scores in classes}


def mean_auc(estimates: Sequence[Estimate]) -> tuple[float, Interval | None]:
    """Return the mean AUC over classes, 0 to 1, and its 95 % bootstrap interval.

    Where mixes are chosen on several classes, as under ``cross-class``, the AUCs of these classes are more strongly
    correlated than their resamples are. The null distribution of the mean includes this correlation.
    """
    centres = np.array([estimate.measurement.auc for estimate in estimates])
    aucs = mean_over_classes([estimate.resampled_aucs for estimate in estimates], centres).clip(0, 1)
    mean = float(centres.mean())
    return mean, percentile_interval(widen_to_chance(aucs, mean, _mean_null(estimates), np.random.default_rng(0)))


def null_auc(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """Return mean and 95 % quantile, over shifts of the labels, of the mean AUC over classes."""
    null = _mean_null(estimates)
    return float(np.nanmean(null)), float(np.nanquantile(null, 0.95))


def compare_estimates(ours: Estimates, baseline: Estimates) -> tuple[dict[str, Difference], Difference]:
    """Compare two runs under ``fixed`` on the videos that both have: per class, and the mean over these classes.

    :raises DatasetError: when they have no class of the same videos in common.
    """
    baseline_estimates = {estimate.measurement.name: estimate for estimate in baseline.protocols["fixed"]}
    pairs: dict[str, tuple[PairCounts, PairCounts, Resamples]] = {}
    for estimate in ours.protocols.get("fixed", []):
        name = estimate.measurement.name
        if name in baseline_estimates and _video_names(ours, name) == _video_names(baseline, name):
            pairs[name] = (estimate.pair_counts, baseline_estimates[name].pair_counts, ours.resamples[name])
    if not pairs:
        raise DatasetError("The two runs have no class of the same videos in common; there is nothing to compare.")
    class_differences = {
        name: compare_paired([pair_counts], [baseline_counts], [resamples])
        for name, (pair_counts, baseline_counts, resamples) in pairs.items()
    }
    return class_differences, compare_paired(*(list(column) for column in zip(*pairs.values(), strict=True)))


def _estimate(measurement: Measurement, scores: ClassScores, resamples: Resamples, seed: int) -> Estimate:
    pair_counts = PairCounts(measurement.series, scores.labels)
    if len(scores.videos) == 1:
        return Estimate(measurement, pair_counts, np.full(len(resamples), np.nan))
    rng = np.random.default_rng([seed, *scores.name.encode()])  # an independent random stream per class
    aucs = widen_to_chance(pair_counts.aucs(resamples), measurement.auc, measurement.null, rng)
    return Estimate(measurement, pair_counts, aucs)


def _mean_null(estimates: Sequence[Estimate]) -> DoubleArray:
    """Return the null distribution (n_shifts,) of the mean AUC over classes."""
    mean: DoubleArray = np.stack([estimate.measurement.null for estimate in estimates]).mean(axis=0)
    return mean


def _video_names(estimates: Estimates, class_name: str) -> list[str]:
    return next([video.video for video in scores.videos] for scores in estimates.classes if scores.name == class_name)


def _note_few_videos(classes: Sequence[ClassScores]) -> list[str]:
    names = [scores.name for scores in classes if sum(bool(labels.any()) for labels in scores.labels) < FEW_VIDEOS]
    if not names:
        return []
    return [
        f"Fewer than {FEW_VIDEOS} videos show {_quote(names)}: an interval over videos says little there, and is at "
        f"least as wide as chance makes it; compare the AUC with the null AUC."
    ]


def _quote(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
