"""Everything that is measured of one run on one data set, as arrays and numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from anyanomaly.core.events import EventRule
from anyanomaly.errors import DatasetError
from anyanomaly.metrics import protocols
from anyanomaly.metrics.protocols import Measured, Tables
from anyanomaly.metrics.resampling import (
    Difference,
    Draws,
    Interval,
    PairCounts,
    compare,
    draw_videos,
    interval,
    mean_areas,
    widened,
)
from anyanomaly.metrics.values import ClassScores, DoubleArray, Mix

FEW = 5
"""With the event in fewer videos than this, drawing videos anew says little."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One class under one protocol, with how sure that is."""

    measured: Measured
    pairs: PairCounts
    areas: DoubleArray  # per draw of videos

    @property
    def interval(self) -> Interval | None:
        """Where the AUC lies if other such videos had been filmed: 95 %."""
        return interval(self.areas)

    @property
    def p_null(self) -> float:
        """One-sided p of the AUC under the null distribution, in (0, 1]."""
        null = self.measured.null
        return float((1 + (null >= self.measured.area).sum()) / (1 + len(null)))


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A run's classes under each protocol, and what could not be measured."""

    classes: tuple[ClassScores, ...]
    protocols: dict[str, list[Judged]]
    draws: dict[str, Draws]  # per class, of its videos
    rule: EventRule
    notes: tuple[str, ...] = field(default=())


def evaluate(
    classes: Sequence[ClassScores],
    mix: Mix,
    rule: EventRule,
    wanted: Sequence[str] = protocols.PROTOCOLS,
    seed: int = 0,
) -> Report:
    """Measure all classes that have an AUC under each protocol.

    :param mix: the run's own weights and smoothing. :param seed: of the draws of videos.
    """
    usable = [each for each in classes if not each.problem]
    notes = [each.problem for each in classes if each.problem]
    notes += _few(usable)
    draws = class_draws(usable, seed)
    tables = [Tables(each) for each in usable] if {"cross-class", "cross-video"} & set(wanted) else []
    measure: dict[str, Callable[[], list[Measured]]] = {
        "fixed": lambda: protocols.fixed(usable, mix),
        "cross-class": lambda: protocols.cross_class(usable, tables),
        "cross-video": lambda: protocols.cross_video(usable, tables, mix),
        "paper": lambda: protocols.paper(usable, mix),
        "paper-oracle": lambda: protocols.paper_oracle(usable),
    }
    by_name = {each.name: each for each in usable}
    found: dict[str, list[Judged]] = {}
    for name in wanted:
        results = measure[name]()
        found[name] = [_judged(each, by_name[each.name], draws[each.name], seed) for each in results]
        if left := [each for each in by_name if each not in {result.name for result in results}]:
            notes.append(f"{name} needs two videos, or classes, to choose on one and measure another: {_list(left)}.")
        if blind := [each.name for each in results if each.n_blind]:
            notes.append(f"{name}: folds whose other videos do not show it took the run's own mix: {_list(blind)}.")
    return Report(tuple(usable), found, draws, rule, tuple(notes))


def class_draws(classes: Sequence[ClassScores], seed: int) -> dict[str, Draws]:
    """Return draws of each class's videos; a video of several classes is drawn as often for each."""
    names = sorted({video.video for each in classes for video in each.videos})
    draws = draw_videos(len(names), seed) if names else np.empty((0, 0), np.int64)
    at = {name: place for place, name in enumerate(names)}
    return {each.name: draws[:, [at[video.video] for video in each.videos]] for each in classes}


def mean_area(judged: Sequence[Judged]) -> tuple[float, Interval | None]:
    """Return the mean AUC over classes, and its interval.

    Classes rise and fall together where they are mixed alike, as under ``cross-class``: more than their draws do.
    """
    centres = np.array([each.measured.area for each in judged])
    areas = mean_areas([each.areas for each in judged], centres).clip(0, 1)
    null = np.stack([each.measured.null for each in judged]).mean(axis=0)
    return float(centres.mean()), interval(widened(areas, float(centres.mean()), null, np.random.default_rng(0)))


def null_auc(judged: Sequence[Judged]) -> tuple[float, float]:
    """Return the mean of the protocol on shifted labels, and the 95 % quantile of its mean over these classes."""
    null = np.stack([each.measured.null for each in judged]).mean(axis=0)
    return float(np.nanmean(null)), float(np.nanquantile(null, 0.95))


def compare_reports(report: Report, baseline: Report) -> tuple[dict[str, Difference], Difference]:
    """Compare two runs under ``fixed`` on the videos that both have: per class, and the mean over these classes.

    :raises DatasetError: when they have no class of the same videos in common.
    """
    baseline_judged = {judged.measured.name: judged for judged in baseline.protocols["fixed"]}
    pairs: dict[str, tuple[PairCounts, PairCounts, Draws]] = {}
    for judged in report.protocols.get("fixed", []):
        name = judged.measured.name
        if name in baseline_judged and _video_names(report, name) == _video_names(baseline, name):
            pairs[name] = (judged.pairs, baseline_judged[name].pairs, report.draws[name])
    if not pairs:
        raise DatasetError("The two runs have no class of the same videos in common; there is nothing to compare.")
    class_differences = {
        name: compare([pair_counts], [baseline_counts], [draws])
        for name, (pair_counts, baseline_counts, draws) in pairs.items()
    }
    return class_differences, compare(*(list(column) for column in zip(*pairs.values(), strict=True)))


def _video_names(report: Report, class_name: str) -> list[str]:
    return next([video.video for video in scores.videos] for scores in report.classes if scores.name == class_name)


def _judged(measured: Measured, scores: ClassScores, draws: Draws, seed: int) -> Judged:
    pairs = PairCounts(measured.series, scores.labels)
    if len(scores.videos) == 1:
        return Judged(measured, pairs, np.full(len(draws), np.nan))
    rng = np.random.default_rng([seed, *scores.name.encode()])  # each class has its own luck
    return Judged(measured, pairs, widened(pairs.areas(draws), measured.area, measured.null, rng))


def _few(classes: Sequence[ClassScores]) -> list[str]:
    few = [each.name for each in classes if sum(bool(labels.any()) for labels in each.labels) < FEW]
    if not few:
        return []
    return [
        f"Fewer than {FEW} videos show {_list(few)}: an interval over videos says little there, and is no narrower "
        f"than chance alone makes it; compare the AUC with the null AUC."
    ]


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
