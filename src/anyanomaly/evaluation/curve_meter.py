"""Measures what is left of a full run when only a part of the questions is asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from anyanomaly.api.dataset import Survey
from anyanomaly.assemble.run_settings import event_rule
from anyanomaly.config.model import RunConfig
from anyanomaly.core.gate import GateMode
from anyanomaly.evaluation.alignment import estimate_fps, frame_scores
from anyanomaly.evaluation.curve_result import CurvePoint, Figure, FullRunEvent
from anyanomaly.evaluation.measurement import align_with_labels, measure_protocols, run_mix
from anyanomaly.evaluation.replay_budget import Replay
from anyanomaly.evaluation.result import DatasetSelection
from anyanomaly.evaluation.scores import ScoredRun, ScoreTable
from anyanomaly.evaluation.unasked import fill_unasked
from anyanomaly.metrics.detections import detected_spans
from anyanomaly.metrics.estimates import compare_estimates, mean_auc
from anyanomaly.metrics.event_counts import EventTable, RatioEstimate, event_recall, false_alarms_per_hour
from anyanomaly.metrics.resampling import PairCounts
from anyanomaly.metrics.values import BoolArray, VideoScores, apply_mix
from anyanomaly.registry import Registry
from anyanomaly.types import Span


class CurveMeter:
    """Measures replays of one full run against the labels, and against the full run.

    :raises DatasetError: when no class can be measured, with the reasons.
    """

    def __init__(
        self, run: ScoredRun, survey: Survey, selection: DatasetSelection, registry: Registry, mode: GateMode
    ) -> None:
        """:param mode: how the priorities of several gates become one."""
        config = run.header["config"]
        settings = {**config, "run": {**config.get("run", {}), "gate_rule": mode}}
        self._run = replace(run, header={**run.header, "config": settings})
        self._dataset = survey, selection, registry
        self.config = RunConfig.model_validate({**settings, "videos": (), "sink": ()})
        self._rule = event_rule(self.config.run)
        self._mix = run_mix(self.config, registry)
        alignment, self.estimates = measure_protocols(self._run, *self._dataset, ["fixed"])
        self.notes = (*run.notes, *alignment.notes, *self.estimates.notes)
        self.problems = tuple(dict.fromkeys([*run.problems, *alignment.problems]))
        self._full_spans = self._detect(run.table)
        self.events = [
            FullRunEvent(video, text, *span) for (video, text), spans in self._full_spans.items() for span in spans
        ]

    def measure(self, replay: Replay, budget: float, n_full_questions: int) -> CurvePoint:
        """Return the figures of a replay, with intervals.

        :param budget: share of the pairs that it may ask about. :param n_full_questions: of the full run.
        """
        _, estimates = measure_protocols(replace(self._run, table=replay.table), *self._dataset, ["fixed"])
        fixed = estimates.protocols["fixed"]
        names = [estimate.measurement.name for estimate in fixed]
        auc, interval = mean_auc(fixed)
        _, difference = compare_estimates(estimates, self.estimates)
        scores = {class_scores.name: class_scores for class_scores in estimates.classes}
        tables = [
            EventTable.of(scores[name].videos, estimate.measurement.series, self._rule)
            for name, estimate in zip(names, fixed, strict=True)
        ]
        resamples = [estimates.resamples[name] for name in names]
        return replace(
            self._point(replay, budget, n_full_questions),
            auc=Figure(_or_none(auc), interval),
            auc_difference=Figure(_or_none(difference.difference), difference.interval),
            class_auc={name: _or_none(estimate.measurement.auc) for name, estimate in zip(names, fixed, strict=True)},
            event_recall=_figure(event_recall(tables, resamples)),
            false_alarms_per_hour=_figure(false_alarms_per_hour(tables, resamples)),
        )

    def measure_quickly(self, replay: Replay, budget: float, n_full_questions: int) -> CurvePoint:
        """Return the same figures without intervals."""
        alignment = align_with_labels(replace(self._run, table=replay.table), *self._dataset[:2])
        classes = [scores for scores in alignment.classes if not scores.problem]
        series = {scores.name: apply_mix(scores.videos, self._mix) for scores in classes}
        aucs = {scores.name: PairCounts(series[scores.name], scores.labels).auc for scores in classes}
        tables = [EventTable.of(scores.videos, series[scores.name], self._rule) for scores in classes]
        auc = float(np.mean(list(aucs.values())))
        return replace(
            self._point(replay, budget, n_full_questions),
            auc=Figure(_or_none(auc), None),
            auc_difference=Figure(_or_none(auc - mean_auc(self.estimates.protocols["fixed"])[0]), None),
            class_auc={name: _or_none(value) for name, value in aucs.items()},
            event_recall=Figure(_or_none(event_recall(tables, []).value), None),
            false_alarms_per_hour=Figure(_or_none(false_alarms_per_hour(tables, []).value), None),
        )

    def _point(self, replay: Replay, budget: float, n_full_questions: int) -> CurvePoint:
        """Return what was asked and which events are lost; all other figures are missing."""
        missing, lost = Figure(None, None), self._find_lost(replay.table)
        return CurvePoint(
            budget=budget,
            asked=replay.n_asked / replay.n_pairs,
            questions=replay.n_questions / n_full_questions,
            n_questions=replay.n_questions,
            auc=missing,
            auc_difference=missing,
            class_auc={},
            event_recall=missing,
            false_alarms_per_hour=missing,
            lost=tuple(lost),
            n_lost=len(lost),
        )

    def _find_lost(self, table: ScoreTable) -> list[FullRunEvent]:
        """Return the events of the full run that no event in these scores overlaps."""
        spans = self._detect(table)
        return [
            event
            for event in self.events
            if not any(
                start_s < event.stop_s and event.start_s < stop_s for start_s, stop_s in spans[event.video, event.text]
            )
        ]

    def _detect(self, table: ScoreTable) -> dict[tuple[str, str], list[Span]]:
        """Return the events of each video and text, as half-open spans in seconds."""
        filled = fill_unasked(table, self.config.run)
        spans: dict[tuple[str, str], list[Span]] = {}
        for video, text in filled.pairs():
            rows = filled.rows(video, text)
            contexts = frame_scores([rows], self.config.contexts)
            scores = VideoScores(video, estimate_fps(rows), _no_labels(contexts.shape[1]), contexts)
            (series,) = apply_mix([scores], self._mix)
            spans[video, text] = detected_spans(scores, series, self._rule)
        return spans


def average(points: Sequence[CurvePoint]) -> CurvePoint:
    """Return the mean of the figures of points of the same budget, without intervals and lost events."""

    def mean(values: Sequence[float | None]) -> float | None:
        numbers = [value for value in values if value is not None]
        return sum(numbers) / len(numbers) if numbers else None

    def mean_figure(name: str) -> Figure:
        return Figure(mean([getattr(point, name).value for point in points]), None)

    n_points = len(points)
    return replace(
        points[0],
        asked=sum(point.asked for point in points) / n_points,
        questions=sum(point.questions for point in points) / n_points,
        n_questions=round(sum(point.n_questions for point in points) / n_points),
        auc=mean_figure("auc"),
        auc_difference=mean_figure("auc_difference"),
        class_auc={},
        event_recall=mean_figure("event_recall"),
        false_alarms_per_hour=mean_figure("false_alarms_per_hour"),
        lost=(),
        n_lost=sum(point.n_lost for point in points) / n_points,
    )


def _figure(estimate: RatioEstimate) -> Figure:
    return Figure(_or_none(estimate.value), estimate.interval)


def _no_labels(n_frames: int) -> BoolArray:
    return np.zeros(n_frames, np.bool_)


def _or_none(value: float) -> float | None:
    """Return None for NaN, which JSON cannot hold."""
    return None if math.isnan(value) else value
