"""Measure segment scores against the labels of a dataset."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from anyanomaly.api.dataset import Survey
from anyanomaly.assemble.resolve import context_weights, resolve_contexts
from anyanomaly.config.model import RunConfig
from anyanomaly.core.events import EventRule
from anyanomaly.errors import DatasetError, UsageError
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
from anyanomaly.metrics.areas import average_precision, best_f1, equal_error_rate, per_video
from anyanomaly.metrics.detections import detections
from anyanomaly.metrics.protocols import PROTOCOLS, Measured
from anyanomaly.metrics.report import Judged, Report, compare_reports, evaluate, mean_area, null_auc
from anyanomaly.metrics.resampling import Difference
from anyanomaly.metrics.values import ClassScores, Mix, joined
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
    :param groups: classes whose mean is wanted, by the name of the group.
    :param baseline: another run over the same videos, to compare with.
    :raises DatasetError: when no class can be measured, with the reasons, or the two runs have no class in common.
    :raises UsageError: when the dataset has no such class.
    :raises MissingRequirement: without scikit-learn or SciPy.
    """
    alignment, report = _measure_protocols(run, survey, selection, registry, protocols)
    config = run.header["config"]
    return EvaluationResult(
        dataset=selection,
        config={key: value for key, value in config.items() if key != "videos"},
        versions=run.header.get("versions"),
        encoder=run.header.get("encoder"),
        backend=run.header.get("backend"),
        revisions=run.header.get("revisions"),
        readers=tuple(run.header.get("readers") or ()),
        prompt=run.header.get("prompt"),
        reason_prompt=run.header.get("reason_prompt"),
        hardware=hardware_card(),
        n_videos=len({video.video for scores in report.classes for video in scores.videos}),
        notes=(*run.notes, *alignment.notes, *report.notes),
        problems=tuple(dict.fromkeys([*run.problems, *alignment.problems])),
        protocols=protocol_results(report),
        answers=run.answers,
        comparison=None if baseline is None else _compare(report, baseline, survey, selection, registry),
        groups=_group_results(report, groups or {}),
    )


def run_mix(config: RunConfig, registry: Registry) -> Mix:
    """Return the weights of the contexts and the smoothing of a configuration.

    :raises UsageError: when all weights are 0, or a context or an option of it does not exist or fit.
    """
    weights = tuple(context_weights(resolve_contexts(config, registry)).values())
    if not any(weights):
        raise UsageError("All contexts have weight 0; give one a weight above 0.")
    run = config.run
    if run.smooth_frames is not None:
        return Mix(weights, run.smooth_frames, "frames")
    return Mix(weights, run.smooth_seconds, "seconds")


def protocol_results(report: Report) -> dict[str, ProtocolResult]:
    """Return the figures of each protocol, by its name."""
    scores_by_class = {scores.name: scores for scores in report.classes}
    results = {}
    for name, judged_classes in report.protocols.items():
        classes = {
            judged.measured.name: _class_result(judged, scores_by_class[judged.measured.name], report.rule)
            for judged in judged_classes
        }
        results[name] = ProtocolResult(_mean_result(judged_classes) if judged_classes else None, classes)
    return results


def _measure_protocols(
    run: ScoredRun, survey: Survey, selection: DatasetSelection, registry: Registry, protocols: Sequence[str]
) -> tuple[Alignment, Report]:
    """:raises DatasetError: when no class can be measured, with the reasons."""
    config = RunConfig.model_validate({**run.header["config"], "videos": (), "sink": ()})
    classes = select_classes(survey.videos, selection.classes)
    alignment = align(run.table, survey.videos, classes, config.contexts, config.run.keep_tail)
    alignment.notes[:0] = [finding.message for finding in survey.findings if finding.kind == "note"]
    alignment.problems[:0] = [finding.message for finding in survey.findings if finding.kind == "error"]
    rule = EventRule(config.run.threshold, config.run.merge_seconds, config.run.min_event_seconds)
    report = evaluate(alignment.classes, run_mix(config, registry), rule, protocols)
    if not report.classes:
        reasons = [*alignment.problems, *alignment.notes, *report.notes]
        raise DatasetError(f"Nothing can be measured. {' '.join(reasons[:5])}")
    return alignment, report


def _compare(
    report: Report, baseline: ScoredRun, survey: Survey, selection: DatasetSelection, registry: Registry
) -> Comparison:
    _, baseline_report = _measure_protocols(baseline, survey, selection, registry, ["fixed"])
    class_differences, mean = compare_reports(report, baseline_report)
    return Comparison(
        {name: _difference(difference) for name, difference in class_differences.items()}, _difference(mean)
    )


def _difference(difference: Difference) -> AucDifference:
    return AucDifference(difference.difference, difference.interval, difference.p)


def _group_results(report: Report, groups: Mapping[str, Sequence[str]]) -> dict[str, dict[str, GroupResult]]:
    """Return the mean over the classes of each group, by group and protocol; a group without a class has none."""
    results: dict[str, dict[str, GroupResult]] = {}
    for group, names in groups.items():
        for protocol, judged_classes in report.protocols.items():
            members = [judged for judged in judged_classes if judged.measured.name in names]
            if members:
                auc, interval = mean_area(members)
                results.setdefault(group, {})[protocol] = GroupResult(_or_none(auc), interval)
    return results


def _mean_result(judged_classes: Sequence[Judged]) -> MeanResult:
    auc, interval = mean_area(judged_classes)
    null_mean, null_quantile = null_auc(judged_classes)
    return MeanResult(_or_none(auc), interval, _or_none(null_mean), _or_none(null_quantile))


def _class_result(judged: Judged, scores: ClassScores, rule: EventRule) -> ClassResult:
    measured = judged.measured
    joint, labels = joined(measured.series, scores.labels)
    null_mean, null_quantile = null_auc([judged])
    f1, threshold = best_f1(joint, labels)
    video_aucs = per_video(measured.series, scores.labels)
    padded_aucs = per_video(measured.series, scores.labels, padded=True)
    n_frames = sum(map(len, scores.labels))
    alone = measured.key_alone
    return ClassResult(
        auc=_or_none(measured.area),
        interval=judged.interval,
        null_auc=_or_none(null_mean),
        null_auc_95=_or_none(null_quantile),
        p_null=_or_none(judged.p_null),
        macro_auc=_or_none(_mean_of_numbers(video_aucs)),
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
            for mix in measured.mixes
        ),
        first_context_alone=ContextAlone(scores.contexts[0], _or_none(alone.area), alone.mix.sigma) if alone else None,
        # the published protocols scale scores over all videos: the run's threshold does not apply to them
        events=None if alone else _count_events(scores, measured, rule),
        video_auc={video.video: _or_none(auc) for video, auc in zip(scores.videos, video_aucs, strict=True)},
    )


def _count_events(scores: ClassScores, measured: Measured, rule: EventRule) -> EventCounts:
    counts = detections(scores.videos, measured.series, rule)
    return EventCounts(
        threshold=rule.threshold,
        n_labelled=counts.n_events,
        n_detected=counts.n_found,
        recall=_or_none(counts.recall),
        mean_delay_s=_or_none(counts.mean_delay_s),
        n_false_alarms=counts.n_false,
        false_alarms_per_hour=_or_none(counts.false_per_hour),
    )


def _or_none(value: float) -> float | None:
    """Return None for NaN, which JSON cannot hold."""
    return None if math.isnan(value) else value


def _mean_of_numbers(values: Sequence[float]) -> float:
    """Return the mean of the values that are not NaN; NaN without any."""
    numbers = [value for value in values if not math.isnan(value)]
    return float(np.mean(numbers)) if numbers else float("nan")
