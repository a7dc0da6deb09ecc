"""``anyanomaly.evaluate``: the evaluation for Python users."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyanomaly.config.load import config_from_tables
from anyanomaly.config.model import ComponentChoice
from anyanomaly.errors import UsageError
from anyanomaly.evaluation.dataset_run import DatasetRun, load_survey
from anyanomaly.evaluation.measurement import measure
from anyanomaly.evaluation.result import DatasetSelection, EvaluationResult
from anyanomaly.evaluation.score_settings import override_settings
from anyanomaly.evaluation.scores import read_scores
from anyanomaly.metrics.frame_metrics import sklearn_metrics
from anyanomaly.metrics.protocols import PROTOCOLS
from anyanomaly.registry import load


def evaluate(
    dataset: str | Mapping[str, Any],
    *,
    root: str | Path | None = None,
    classes: str | Sequence[str] = (),
    protocols: str | Sequence[str] = PROTOCOLS,
    scores: str | Path | Sequence[str | Path] = (),
    against: str | Path | Sequence[str | Path] = (),
    plugins: Sequence[str] = (),
    **tables: Any,
) -> EvaluationResult:
    """Run a labelled dataset and measure it, as ``anyanomaly eval`` does.

    ``tables`` are those of the configuration file, by the same names, as for ``anyanomaly.run``: ``backend="qwen-hf"``,
    ``run={"threshold": 0.4}``, ``sink=[{"path": "scores.jsonl"}]``. Videos that cannot be measured are named in the
    result's ``problems``.

    :param dataset: name of a dataset (``anyanomaly plugins dataset`` lists them), or a table of its name and options:
        ``{"name": "c-avenue", "labels": "c-vad"}``.
    :param root: folder of the dataset; None: its default.
    :param classes: to measure; empty: all.
    :param protocols: of ``anyanomaly.metrics.protocols.PROTOCOLS``.
    :param scores: .jsonl files of an earlier run, which are measured instead of a new run. ``tables`` may only hold
        settings that apply after the answers: threshold, smoothing, weights, and contexts out of those of the run.
    :param against: .jsonl files of another run, the baseline of a paired comparison.
    :param plugins: files or modules to load.
    :raises UsageError: for an unknown dataset, class or protocol, or settings that conflict.
    :raises MissingRequirement: without scikit-learn or SciPy, or something else that a component requires.
    :raises DatasetNotFound: when the dataset is missing, with where to get it.
    :raises DatasetError: when nothing can be measured, with the reasons.
    :raises InputError: when a file of scores cannot be read.
    :raises BackendError: when the backend fails at several videos in a row, or too many answers are unreadable.
    """
    protocols = check_protocols(_as_tuple(protocols))
    if misplaced := sorted({"texts", "videos"} & set(tables)):
        raise UsageError(
            f"evaluate() takes no '{misplaced[0]}': videos and event texts come from the dataset. Remove it."
        )
    sklearn_metrics()  # fail now, not after hours of inference
    selection = _select(dataset, root, _as_tuple(classes))
    baseline = read_scores(_as_paths(against)) if against else None
    registry = load(plugins)
    survey = load_survey(selection, registry)
    if scores:
        scored_run = override_settings(read_scores(_as_paths(scores)), tables)
        return measure(scored_run, survey, selection, registry, protocols=protocols, baseline=baseline)
    start = time.perf_counter()
    dataset_run = DatasetRun(config_from_tables(tables), registry, survey.videos, selection.classes)
    with contextlib.closing(dataset_run.run()) as outcomes:  # an interruption ends the results in order
        for _ in outcomes:
            pass
    dataset_run.check_readable()
    result = measure(dataset_run.scored_run, survey, selection, registry, protocols=protocols, baseline=baseline)
    return replace(result, seconds=round(time.perf_counter() - start, 1))


def _select(dataset: str | Mapping[str, Any], root: str | Path | None, classes: tuple[str, ...]) -> DatasetSelection:
    choice = ComponentChoice.model_validate(dataset)
    return DatasetSelection(choice.name, {**choice.options, **({} if root is None else {"root": str(root)})}, classes)


def check_protocols(names: Sequence[str]) -> Sequence[str]:
    """Return the names of protocols; all protocols when ``names`` is empty.

    :raises UsageError: for an unknown protocol.
    """
    for name in names:
        if name not in PROTOCOLS:
            raise UsageError(f"There is no protocol '{name}'. Use one of {', '.join(PROTOCOLS)}.")
    return names or PROTOCOLS


def _as_tuple(names: str | Sequence[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)


def _as_paths(paths: str | Path | Sequence[str | Path]) -> tuple[str, ...]:
    return (str(paths),) if isinstance(paths, str | Path) else tuple(map(str, paths))
