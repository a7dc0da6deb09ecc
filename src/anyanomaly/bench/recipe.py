"""Recipes: TOML files of backends, datasets and ablations, whose combinations are run, and of their table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from anyanomaly.config.files import read_toml
from anyanomaly.config.model import Table
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.metrics.protocols import PROTOCOLS

Axis = Literal["backend", "dataset", "ablation", "class"]


class RecipeEntry(Table):
    """One backend, dataset or ablation of a recipe: a row or a column of the table."""

    label: str = Field(description="name in the table")
    config: Mapping[str, Any] = Field(default_factory=dict, description="settings, as in a config file")
    published: str = Field("", description="replaces {backend}, {dataset} or {ablation} in paths of published figures")
    published_speed: bool = Field(True, description="whether the published speed was measured for this entry")
    same_model: bool | None = Field(
        None, description="whether it runs the model of the published figures; if not, no difference to them is shown"
    )
    cited: bool = Field(False, description="not run: only its published figures are shown")


class BackendEntry(RecipeEntry):
    """A backend, or one model of a backend."""

    table: ClassVar[str] = "backend"


class AblationEntry(RecipeEntry):
    """Settings that are compared on the same backend and dataset."""

    table: ClassVar[str] = "ablation"

    speed_texts: int | None = Field(None, ge=1, description="event texts per run where speed is measured")


class DatasetEntry(RecipeEntry):
    """A dataset with its options and classes."""

    table: ClassVar[str] = "dataset"

    name: str = Field(description="name of the dataset")
    options: Mapping[str, Any] = Field(default_factory=dict, description="its options; --root and --labels add folders")
    classes: tuple[str, ...] = Field((), description="which of its classes; none: all")
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="classes averaged under a name")


class SpeedPlan(Table):
    """How many segments are run to measure speed."""

    table: ClassVar[str] = "speed"

    segments: int = Field(32, ge=1, description="run in one stream, for throughput")
    warmup: int = Field(4, ge=1, description="run beforehand, not counted")
    latency: int = Field(8, ge=1, description="run one by one, for the latency")
    texts: int = Field(1, ge=1, description="event texts per run; the paper has one")
    published: str = Field("", description="path of the published frames per second")


class Improvement(Table):
    """A column: by how many percent the AUC of one ablation is above that of another."""

    table: ClassVar[str] = "improvement"

    label: str = Field("improvement %", description="name of the column")
    base: str = Field(description="label of the ablation that is compared with")
    of: str = Field("", description="label of the compared ablation, where ablations are columns; else each row's own")
    published: str = Field("", description="path of the published improvement; none: computed from published AUCs")


class FactColumn(Table):
    """A column of words about each row, from the file of published figures."""

    table: ClassVar[str] = "fact"

    label: str = Field(description="name of the column")
    meaning: str = Field("", description="what the column says, under the table")
    path: str = Field(description="where in the file, with {backend}, {ablation} and the like")
    values: Mapping[str, str] = Field(default_factory=dict, description="what the table shows for a value of the file")


class Mark(Table):
    """A sign behind published figures that need a remark."""

    table: ClassVar[str] = "mark"

    sign: str = Field(description="for example †")
    meaning: str = Field(description="what the sign means, under the table")
    path: str = Field(description="where in the file of published figures, with {dataset} and the like")
    value: str = Field(description="figures are marked where the path holds this, with {dataset} and the like")


class Recipe(Table):
    """A matrix of configurations, and its table."""

    title: str = Field(description="over the table")
    note: str = Field("", description="under the table")
    rows: tuple[Axis, ...] = Field(("backend",), description="what the rows are")
    columns: tuple[Axis, ...] = Field(("dataset", "ablation"), description="what the columns are")
    classes: Literal["mean", "groups", "all"] = Field("mean", description="which classes or averages are shown")
    overall: str = Field("overall", description="replaces {group} in paths for the mean over all classes")
    digits: int = Field(1, ge=0, le=4, description="digits after the point of each AUC")
    facts: str = Field("", description="file of published figures, relative to the recipe")
    published: str = Field("", description="path of a published AUC in that file, with {backend}, {dataset}, ...")
    improvement: Improvement | None = Field(None, description="a column that compares two ablations")
    fact: tuple[FactColumn, ...] = Field((), description="columns of words from the file of published figures")
    mark: tuple[Mark, ...] = Field((), description="signs behind published figures")
    protocols: tuple[str, ...] = Field(PROTOCOLS, description="protocols to measure under")
    config: Mapping[str, Any] = Field(default_factory=dict, description="settings of all cells")
    speed: SpeedPlan | None = Field(None, description="measure speed too")
    backend: tuple[BackendEntry, ...] = Field((BackendEntry(label=""),), description="backends")
    dataset: tuple[DatasetEntry, ...] = Field(description="datasets")
    ablation: tuple[AblationEntry, ...] = Field((AblationEntry(label=""),), description="ablations")

    @field_validator("protocols")
    @classmethod
    def _check_protocols(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PROTOCOLS:
                raise ValueError(f"there is no protocol '{name}'; use one of {', '.join(PROTOCOLS)}")
        return names

    @model_validator(mode="after")
    def _check_axes(self) -> Recipe:
        table_axes = [*self.rows, *self.columns]
        if len(set(table_axes)) < len(table_axes):
            raise InvalidOption("rows and columns name the same axis twice. Name each axis once.")
        for axis in ("backend", "dataset", "ablation"):
            entries: tuple[RecipeEntry, ...] = getattr(self, axis)
            if len(entries) > 1 and axis not in table_axes:
                raise InvalidOption(f"There are several {axis}s: add '{axis}' to rows or columns.")
            if len({entry.label for entry in entries}) < len(entries):
                raise InvalidOption(f"Two {axis}s have the same label. Give each its own.")
            if not entries or (axis == "dataset" and all(entry.cited for entry in entries)):
                raise InvalidOption(f"There is no {axis} to run. Add one that is not cited.")
        if self.classes != "mean" and "class" not in table_axes:
            raise InvalidOption(f"With classes = '{self.classes}', add 'class' to rows or columns.")
        return self

    @model_validator(mode="after")
    def _check_improvement(self) -> Recipe:
        if self.improvement is None:
            return self
        if ("ablation" in self.columns) != bool(self.improvement.of):
            raise InvalidOption(
                "improvement.of names an ablation when ablations are columns, and must be absent otherwise."
            )
        labels = [entry.label for entry in self.ablation]
        for label in filter(None, (self.improvement.base, self.improvement.of)):
            if label not in labels:
                raise InvalidOption(f"The improvement names the ablation '{label}'; there are {', '.join(labels)}.")
        return self


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    :raises UsageError: when the file is missing or has an unknown or invalid setting.
    """
    tables = read_toml(path, "recipe")
    try:
        return Recipe.model_validate(tables)
    except UsageError as error:
        raise type(error)(f"In the recipe {path}: {error}") from error
