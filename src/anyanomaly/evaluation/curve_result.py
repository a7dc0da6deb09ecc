"""The result of a budget curve: what a run costs in accuracy when it asks only a share of the questions.

Fractions are from 0 to 1. None (null in JSON) is a figure that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from anyanomaly.evaluation.result import DatasetSelection, Fraction
from anyanomaly.metrics.resampling import Interval

FORMAT = 1
"""Version of the JSON; it grows when a key is removed or changes its meaning, not when one is added."""

Kind = Literal["full", "gate", "combination", "random", "perfect"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure with its 95 % bootstrap interval over videos."""

    value: float | None
    interval: Interval | None  # None: there are too few videos, or the figure is a mean over random priorities


@dataclass(frozen=True, slots=True)
class FullRunEvent:
    """An event that the full run detects."""

    video: str
    text: str
    start_s: float
    stop_s: float


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A run with one gate and one budget."""

    budget: Fraction  # share of the pairs of segment and text that may be asked about
    asked: Fraction  # share of the pairs that were asked about
    questions: Fraction  # share of the questions of the full run: contexts that were asked
    n_questions: Annotated[int, Field(alias="questions_asked")]  # of random priorities the mean, rounded
    auc: Figure  # mean over classes
    auc_difference: Figure  # to the full run, from the same resamples for both
    class_auc: Mapping[str, Fraction | None]  # of random priorities empty
    event_recall: Figure  # labelled events that are detected, over all classes
    false_alarms_per_hour: Figure  # detected events that overlap no labelled one, per hour of video and class
    lost: tuple[FullRunEvent, ...]  # events of the full run that no detected event overlaps; of random ones empty
    n_lost: Annotated[float, Field(alias="lost_count")]  # their number; of random priorities the mean


@dataclass(frozen=True, slots=True)
class GateCurve:
    """One gate, or several together, at every budget; or a yardstick."""

    name: str
    kind: Kind
    points: tuple[CurvePoint, ...]  # the largest budget first


@dataclass(frozen=True, slots=True)
class BudgetCurve:
    """All gates of one stored run on one labelled dataset."""

    dataset: DatasetSelection
    config: Mapping[str, Any]  # settings of the stored run
    threshold: Fraction
    gate_rule: str  # how the priorities of several gates become one
    gate_above: float
    clear_below: Fraction | None  # None: no limit
    clear_above: Fraction | None
    n_videos: Annotated[int, Field(alias="videos")]
    n_pairs: Annotated[int, Field(alias="pairs")]  # segments times texts
    n_questions: Annotated[int, Field(alias="questions")]  # of the full run
    n_random: Annotated[int, Field(alias="random_draws")]  # random priorities that were averaged
    full: CurvePoint
    events: tuple[FullRunEvent, ...]  # of the full run
    curves: tuple[GateCurve, ...]
    notes: tuple[str, ...]
    problems: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file: dicts, lists, strings and finite numbers."""
        return {"format": FORMAT, **_ADAPTER.dump_python(self, mode="json", by_alias=True)}


_ADAPTER: TypeAdapter[Any] = TypeAdapter(BudgetCurve)
