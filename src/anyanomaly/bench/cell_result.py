"""The result of one cell: its evaluation, its speed, and the load times of its models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anyanomaly.bench.speed import SpeedResult
from anyanomaly.errors import InputError
from anyanomaly.evaluation.result import EvaluationResult


@dataclass(frozen=True, slots=True)
class CellResult:
    """The result of one cell. Its JSON is that of the evaluation with the keys ``speed`` and ``load_s``."""

    evaluation: EvaluationResult
    speed: SpeedResult | None = None  # None: not measured
    load_s: Mapping[str, float] = field(default_factory=dict)  # seconds to load, by role and name of the component

    def to_json(self) -> dict[str, Any]:
        """Return the content of the cell's file."""
        speed = None if self.speed is None else self.speed.to_json()
        return {"groups": {}, **self.evaluation.to_json(), "speed": speed, "load_s": dict(self.load_s)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> CellResult:
        """Return the result that `to_json` wrote; unknown keys are ignored.

        :raises InputError: when it is not the result of a cell.
        """
        evaluation = EvaluationResult.from_json(content)
        try:
            speed = None if content["speed"] is None else SpeedResult.from_json(content["speed"])
            return cls(evaluation, speed, content["load_s"])
        except (KeyError, TypeError) as error:
            raise InputError(
                f"This is not the result of a cell of `anyanomaly bench`: {error}. Delete it to run the cell again."
            ) from error
