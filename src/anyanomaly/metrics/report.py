"""Everything that is measured of one run on one data set, ready for JSON and for a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anyanomaly.core.events import EventRule
from anyanomaly.errors import DatasetError
from anyanomaly.metrics import protocols
from anyanomaly.metrics.areas import average_precision, best_f1, equal_error_rate, per_video
from anyanomaly.metrics.detections import detections
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
from anyanomaly.metrics.values import ClassScores, DoubleArray, Mix, joined

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


def null_floor(judged: Sequence[Judged]) -> tuple[float, float]:
    """Return the mean of the protocol on shifted labels, and the 95 % quantile of its mean over these classes."""
    null = np.stack([each.measured.null for each in judged]).mean(axis=0)
    return float(np.nanmean(null)), float(np.nanquantile(null, 0.95))


def differences(ours: Report, theirs: Report) -> dict[str, Any]:
    """Compare two runs as they were (``fixed``), class by class and in the mean, on the videos that both have.

    :raises DatasetError: when they have no class of the same videos in common.
    """
    pairs: dict[str, tuple[PairCounts, PairCounts, Draws]] = {}
    others = {each.measured.name: each for each in theirs.protocols["fixed"]}
    own = {each.name: each for each in ours.classes}
    for each in ours.protocols.get("fixed", []):
        name = each.measured.name
        same = [video.video for video in own[name].videos]
        if name in others and same == [video.video for video in _named(theirs, name).videos]:
            pairs[name] = (each.pairs, others[name].pairs, ours.draws[name])
    if not pairs:
        raise DatasetError("The two runs have no class of the same videos in common; there is nothing to compare.")
    by_class = {name: _difference(compare([a], [b], [draws])) for name, (a, b, draws) in pairs.items()}
    mean = compare(*(list(each) for each in zip(*pairs.values(), strict=True)))
    return {"classes": by_class, "mean": _difference(mean)}


def _named(report: Report, name: str) -> ClassScores:
    return next(each for each in report.classes if each.name == name)


def _difference(found: Difference) -> dict[str, Any]:
    return {"difference": found.difference, "interval": _bounds(found.interval), "p": found.p}


def as_json(report: Report) -> dict[str, Any]:
    """Return the figures as JSON has them; what does not exist is null."""
    by_name = {each.name: each for each in report.classes}
    return {
        name: {
            **({"mean": _mean(judged)} if judged else {}),
            "classes": {each.measured.name: _class(each, by_name[each.measured.name], report) for each in judged},
        }
        for name, judged in report.protocols.items()
    }


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
        f"than chance alone makes it; hold the AUC against the floor."
    ]


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _mean(judged: Sequence[Judged]) -> dict[str, Any]:
    value, bounds = mean_area(judged)
    floor, high = null_floor(judged)
    return {"auc": number(value), "interval": _bounds(bounds), "floor": number(floor), "floor_95": number(high)}


def _class(judged: Judged, scores: ClassScores, report: Report) -> dict[str, Any]:
    measured = judged.measured
    joint, labels = joined(measured.series, scores.labels)
    floor, high = null_floor([judged])
    f1, threshold = best_f1(joint, labels)
    videos = per_video(measured.series, scores.labels)
    padded = per_video(measured.series, scores.labels, padded=True)
    alone = measured.key_alone
    return {
        "auc": number(measured.area),
        "interval": _bounds(judged.interval),
        "floor": number(floor),
        "floor_95": number(high),
        "p_floor": number(float((1 + (measured.null >= measured.area).sum()) / (1 + len(measured.null)))),
        "macro_auc": number(_nanmean(videos)),
        "macro_auc_padded": number(_nanmean(padded)),
        "ap": number(average_precision(joint, labels)),
        "eer": number(equal_error_rate(joint, labels)),
        "best_f1": number(f1),
        "best_f1_threshold": number(threshold),
        "frames": sum(map(len, scores.labels)),
        "positives": sum(int(each.sum()) for each in scores.labels),
        "without_score": sum(map(len, scores.labels)) - len(labels),
        "mixes": [
            {"weights": dict(zip(scores.contexts, mix.weights, strict=True)), "sigma": mix.sigma, "unit": mix.unit}
            for mix in measured.mixes
        ],
        **({scores.contexts[0] + "_alone": {"auc": number(alone.area), "sigma": alone.mix.sigma}} if alone else {}),
        # min-max over all videos leaves no score that a threshold of the run could be held against
        **({} if alone else {"events": _events(scores, measured, report.rule)}),
        "videos": {video.video: number(value) for video, value in zip(scores.videos, videos, strict=True)},
    }


def _events(scores: ClassScores, measured: Measured, rule: EventRule) -> dict[str, Any]:
    found = detections(scores.videos, measured.series, rule)
    return {
        "threshold": rule.threshold,
        "labelled": found.n_events,
        "found": found.n_found,
        "recall": number(found.recall),
        "mean_delay_s": number(found.mean_delay_s),
        "false_alarms": found.n_false,
        "false_alarms_per_hour": number(found.false_per_hour),
    }


def number(value: float) -> float | None:
    """Return a number as JSON can hold it."""
    return None if math.isnan(value) else value


def _bounds(bounds: Interval | None) -> list[float] | None:
    return None if bounds is None else list(bounds)


def _nanmean(values: Sequence[float]) -> float:
    known = [each for each in values if not math.isnan(each)]
    return float(np.mean(known)) if known else float("nan")
