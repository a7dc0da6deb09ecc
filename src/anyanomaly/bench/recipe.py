"""What a recipe says: a TOML file with three lists of choices, whose combinations are run, and how the table looks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from anyanomaly.config.load import read_toml
from anyanomaly.config.model import Table
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.metrics.protocols import PROTOCOLS

Axis = Literal["backend", "dataset", "ablation", "class"]


class Choice(Table):
    """One entry of a list: a line or a column of the table."""

    label: str = Field(description="as the table shows it")
    config: Mapping[str, Any] = Field(default_factory=dict, description="settings, as in a config file")
    published: str = Field("", description="takes the place of {backend} or {ablation} in paths of published figures")
    published_speed: bool = Field(True, description="whether a published speed is of this choice")
    cited: bool = Field(False, description="not run: only its published figures are shown")


class BackendChoice(Choice):
    """A backend, or a model in it."""

    table: ClassVar[str] = "backend"


class AblationChoice(Choice):
    """What is varied beside backend and data set."""

    table: ClassVar[str] = "ablation"

    speed_texts: int | None = Field(None, ge=1, description="event texts searched for at once where speed is measured")


class DatasetChoice(Choice):
    """A data set with its options and classes."""

    table: ClassVar[str] = "dataset"

    name: str = Field(description="name of the data set")
    options: Mapping[str, Any] = Field(default_factory=dict, description="its options; --root and --labels add folders")
    classes: tuple[str, ...] = Field((), description="which of its classes; none: all")
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict, description="classes averaged under a name")


class SpeedPlan(Table):
    """How much is run to measure speed, in segments."""

    table: ClassVar[str] = "speed"

    segments: int = Field(32, ge=1, description="run in one stream, for throughput")
    warmup: int = Field(4, ge=1, description="run beforehand, not counted")
    latency: int = Field(8, ge=1, description="run one by one, for the latency")
    texts: int = Field(1, ge=1, description="event texts searched for at once; the paper searches for one")
    published: str = Field("", description="path of the published frames per second")


class Recipe(Table):
    """A matrix of configurations, and its table."""

    title: str = Field(description="over the table")
    note: str = Field("", description="under the table")
    rows: tuple[Axis, ...] = Field(("backend",), description="what the lines are")
    columns: tuple[Axis, ...] = Field(("dataset", "ablation"), description="what the columns are")
    classes: Literal["mean", "groups", "all"] = Field("mean", description="what of the classes is shown")
    overall: str = Field("overall", description="takes the place of {group} for the mean over all classes")
    facts: str = Field("", description="file of published figures, relative to the recipe")
    published: str = Field("", description="path of a published AUC in it, with {backend}, {dataset} and the like")
    protocols: tuple[str, ...] = Field(PROTOCOLS, description="protocols to measure under")
    config: Mapping[str, Any] = Field(default_factory=dict, description="settings of all")
    speed: SpeedPlan | None = Field(None, description="measure speed too")
    backend: tuple[BackendChoice, ...] = Field((BackendChoice(label=""),), description="backends")
    dataset: tuple[DatasetChoice, ...] = Field(description="data sets")
    ablation: tuple[AblationChoice, ...] = Field((AblationChoice(label=""),), description="what is varied")

    @field_validator("protocols")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in PROTOCOLS:
                raise ValueError(f"there is no protocol '{name}'; use one of {', '.join(PROTOCOLS)}")
        return names

    @model_validator(mode="after")
    def _laid_out(self) -> Recipe:
        shown = [*self.rows, *self.columns]
        if len(set(shown)) < len(shown):
            raise InvalidOption("An axis stands twice in rows and columns.")
        for axis in ("backend", "dataset", "ablation"):
            choices: tuple[Choice, ...] = getattr(self, axis)
            labels = [each.label for each in choices]
            if len(choices) > 1 and axis not in shown:
                raise InvalidOption(f"There are several {axis}s, so {axis} must be among rows or columns.")
            if len(set(labels)) < len(labels):
                raise InvalidOption(f"Two {axis}s have the same label.")
            if not choices or (axis == "dataset" and all(each.cited for each in choices)):
                raise InvalidOption(f"There is no {axis} to run.")
        if self.classes != "mean" and "class" not in shown:
            raise InvalidOption(f"With classes = '{self.classes}', class must be among rows or columns.")
        return self


def read_recipe(path: Path) -> Recipe:
    """Read a recipe.

    :raises UsageError: when there is none, or it says what makes no sense, with where.
    """
    tables = read_toml(path, "recipe")
    try:
        return Recipe.model_validate(tables)
    except UsageError as error:
        raise type(error)(f"In the recipe {path}: {error}") from error
