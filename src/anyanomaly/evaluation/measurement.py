"""Measure segment scores against the labels of a dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from anyanomaly.api.dataset import Survey
from anyanomaly.assemble.resolve import context_weights, resolve_contexts
from anyanomaly.assemble.run_settings import check_weights, event_rule
from anyanomaly.config.model import RunConfig
from anyanomaly.core.events import EventRule
from anyanomaly.errors import DatasetError
from anyanomaly.evaluation.alignment import Alignment, align, select_classes
from anyanomaly.evaluation.hardware import hardware_card
from anyanomaly.evaluation.result import (
    AucDifference,
    ClassResult,
    Comparison,
    ContextAlone,
    DatasetSelection,
    EvaluationResult,
    EventCounts,
    GroupResult,
    MeanResult,
    MixResult,
    ProtocolResult,
)
from anyanomaly.evaluation.scores import ScoredRun
from anyanomaly.evaluation.unasked import fill_unasked, note_unasked
from anyanomaly.metrics.detections import match_events
from anyanomaly.metrics.estimates import Estimate, Estimates, compare_estimates, estimate_classes, mean_auc, null_auc
from anyanomaly.metrics.frame_metrics import average_precision, best_f1, equal_error_rate, video_aucs
from anyanomaly.metrics.protocols import PROTOCOLS, Measurement
from anyanomaly.metrics.resampling import Difference
from anyanomaly.metrics.values import ClassScores, Mix, join_videos
from anyanomaly.registry import Registry


def measure(
    run: ScoredRun,
    survey: Survey,
    selection: DatasetSelection,
    registry: Registry,
    *,
    protocols: Sequence[str] = PROTOCOLS,
    groups: Mapping[str, Sequence[str]] | None = None,
    baseline: ScoredRun | None = None,
) -> EvaluationResult:
    """Measure the scores of a run against the labels of a dataset.

    :param survey: of the dataset that ``selection`` names.
    :param groups: classes to average, by the name of the group.
    :param baseline: another run over the same videos, for a paired comparison.
    :raises DatasetError: when no class can be measured, with the reasons, or the two runs have no class in common.
    :raises UsageError: when the dataset has no such class.
    :raises MissingRequirement: without scikit-learn or SciPy.
    """
    alignment, estimates = measure_protocols(run, survey, selection, registry, protocols)
    config = run.header["config"]
    return EvaluationResult(
        dataset=replace(selection, labels=survey.labels),
        config={key: value for key, value in config.items() if key != "videos"},
        versions=run.header.get("versions"),
        encoder=run.header.get("encoder"),
        backend=run.header.get("backend"),
        revisions=run.header.get("revisions"),
        readers=tuple(run.header.get("readers") or ()),
        prompt=run.header.get("prompt"),
        reason_prompt=run.header.get("reason_prompt"),
        hardware=hardware_card(),
        n_videos=len({video.video for scores in estimates.classes for video in scores.videos}),
        notes=(*run.notes, *note_unasked(run.table), *alignment.notes, *estimates.notes),
        problems=tuple(dict.fromkeys([*run.problems, *alignment.problems])),
        protocols=protocol_results(estimates),
        answers=run.answers,
        comparison=None if baseline is None else _compare(estimates, baseline, survey, selection, registry),
        groups=_group_results(estimates, groups or {}),
    )


def run_mix(config: RunConfig, registry: Registry) -> Mix:
    """Return the weights of the contexts and the smoothing of a configuration.

    :raises UsageError: when all weights are 0, or a context or one of its options does not exist or is invalid.
    """
    weights = context_weights(resolve_contexts(config, registry, installed=False))
    check_weights(weights)
    run = config.run
    if run.smooth_frames is not None:
        return Mix(tuple(weights.values()), run.smooth_frames, "frames")
    return Mix(tuple(weights.values()), run.smooth_seconds, "seconds")


def protocol_results(estimates: Estimates) -> dict[str, ProtocolResult]:
    """Return the figures of each protocol, by its name."""
    scores_by_class = {scores.name: scores for scores in estimates.classes}
    results = {}
    for name, class_estimates in estimates.protocols.items():
        classes = {
            estimate.measurement.name: _class_result(
                estimate, scores_by_class[estimate.measurement.name], estimates.rule
            )
            for estimate in class_estimates
        }
        results[name] = ProtocolResult(_mean_result(class_estimates) if class_estimates else None, classes)
    return results


def measure_protocols(
    run: ScoredRun, survey: Survey, selection: DatasetSelection, registry: Registry, protocols: Sequence[str]
) -> tuple[Alignment, Estimates]:
    """Return the scores aligned with the labels, and the classes under each protocol.

    :raises DatasetError: when no class can be measured, with the reasons.
    """
    alignment = align_with_labels(run, survey, selection)
    alignment.notes[:0] = [finding.message for finding in survey.findings if finding.kind == "note"]
    if survey.labels:
        alignment.notes.insert(0, f"Labels: {survey.labels}.")
    alignment.problems[:0] = [finding.message for finding in survey.findings if finding.kind == "error"]
    config = _config(run)
    rule = event_rule(config.run)
    estimates = estimate_classes(alignment.classes, run_mix(config, registry), rule, protocols)
    if not estimates.classes:
        reasons = [*alignment.problems, *alignment.notes, *estimates.notes]
        raise DatasetError(f"Nothing can be measured. {' '.join(reasons[:5])}")
    return alignment, estimates


def align_with_labels(run: ScoredRun, survey: Survey, selection: DatasetSelection) -> Alignment:
    """Return the scores of a run per frame with the labels; what was not asked has a score too.

    :raises UsageError: when the dataset has no such class.
    """
    config = _config(run)
    classes = select_classes(survey.videos, selection.classes)
    table = fill_unasked(run.table, config.run)
    return align(table, survey.videos, classes, config.contexts, config.run.keep_tail)


def _config(run: ScoredRun) -> RunConfig:
    return RunConfig.model_validate({**run.header["config"], "videos": (), "sink": ()})


def _compare(
    estimates: Estimates, baseline: ScoredRun, survey: Survey, selection: DatasetSelection, registry: Registry
) -> Comparison:
    _, baseline_estimates = measure_protocols(baseline, survey, selection, registry, ["fixed"])
    class_differences, mean = compare_estimates(estimates, baseline_estimates)
    return Comparison(
        {name: _difference(difference) for name, difference in class_differences.items()}, _difference(mean)
    )


def _difference(difference: Difference) -> AucDifference:
    return AucDifference(difference.difference, difference.interval, difference.p)


def _group_results(estimates: Estimates, groups: Mapping[str, Sequence[str]]) -> dict[str, dict[str, GroupResult]]:
    """Return the mean over the classes of each group, by group and protocol; a group without a class has none."""
    results: dict[str, dict[str, GroupResult]] = {}
    for group, names in groups.items():
        for protocol, class_estimates in estimates.protocols.items():
            members = [estimate for estimate in class_estimates if estimate.measurement.name in names]
            if members:
                auc, interval = mean_auc(members)
                results.setdefault(group, {})[protocol] = GroupResult(_or_none(auc), interval)
    return results


def _mean_result(class_estimates: Sequence[Estimate]) -> MeanResult:
    auc, interval = mean_auc(class_estimates)
    null_mean, null_quantile = null_auc(class_estimates)
    return MeanResult(_or_none(auc), interval, _or_none(null_mean), _or_none(null_quantile))


def _class_result(estimate: Estimate, scores: ClassScores, rule: EventRule) -> ClassResult:
    measurement = estimate.measurement
    joint, labels = join_videos(measurement.series, scores.labels)
    null_mean, null_quantile = null_auc([estimate])
    f1, threshold = best_f1(joint, labels)
    aucs_per_video = video_aucs(measurement.series, scores.labels)
    padded_aucs = video_aucs(measurement.series, scores.labels, padded=True)
    n_frames = sum(map(len, scores.labels))
    alone = measurement.first_context_alone
    return ClassResult(
        auc=_or_none(measurement.auc),
        interval=estimate.interval,
        null_auc=_or_none(null_mean),
        null_auc_95=_or_none(null_quantile),
        p_null=_or_none(estimate.p_null),
        macro_auc=_or_none(_mean_of_numbers(aucs_per_video)),
        macro_auc_padded=_or_none(_mean_of_numbers(padded_aucs)),
        ap=_or_none(average_precision(joint, labels)),
        eer=_or_none(equal_error_rate(joint, labels)),
        best_f1=_or_none(f1),
        best_f1_threshold=_or_none(threshold),
        n_frames=n_frames,
        n_positive=sum(int(video_labels.sum()) for video_labels in scores.labels),
        n_without_score=n_frames - len(labels),
        mixes=tuple(
            MixResult(dict(zip(scores.contexts, mix.weights, strict=True)), mix.sigma, mix.unit)
            for mix in measurement.mixes
        ),
        first_context_alone=ContextAlone(scores.contexts[0], _or_none(alone.auc), alone.mix.sigma) if alone else None,
        # the published protocols scale scores over all videos: the run's threshold does not apply to them
        events=None if alone else _count_events(scores, measurement, rule),
        video_auc={video.video: _or_none(auc) for video, auc in zip(scores.videos, aucs_per_video, strict=True)},
    )


def _count_events(scores: ClassScores, measurement: Measurement, rule: EventRule) -> EventCounts:
    counts = match_events(scores.videos, measurement.series, rule)
    return EventCounts(
        threshold=rule.threshold,
        n_labelled=counts.n_labelled,
        n_detected=counts.n_detected,
        recall=_or_none(counts.recall),
        mean_delay_s=_or_none(counts.mean_delay_s),
        n_false_alarms=counts.n_false_alarms,
        false_alarms_per_hour=_or_none(counts.false_alarms_per_hour),
    )


def _or_none(value: float) -> float | None:
    """Return None for NaN, which JSON cannot hold."""
    return None if math.isnan(value) else value


def _mean_of_numbers(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN when all are."""
    numbers = [value for value in values if not math.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
