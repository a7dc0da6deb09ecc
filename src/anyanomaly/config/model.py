"""All settings of a run, as the tables of a config file. Every setting has a default and a description.

The descriptions are the help texts of the flags. Options of components are declared by the components themselves.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from anyanomaly.api.options import CheckedNumbers
from anyanomaly.config.explain import explain
from anyanomaly.config.times import parse_time
from anyanomaly.core.budget import parse_budget
from anyanomaly.core.expected import Scale
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.specs import DEVICE_PATTERN, SINGLE_ROLES

MAX_TEXT_LENGTH = 500
MAX_SEED = 2**63 - 1  # engines take signed 64 bits


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Time = Annotated[float, BeforeValidator(parse_time)]
ScoringName = Literal["auto", "words", "expected", "yes-no", "published"]


def _check_device(device: str) -> str:
    if not re.fullmatch(DEVICE_PATTERN, device):
        raise ValueError(f"'{device}' is not a device; use auto, cpu, mps, cuda or cuda:N")
    return device


Device = Annotated[str, AfterValidator(_check_device)]


def _check_budget(budget: str) -> str:
    parse_budget(budget)
    return budget


def check_texts(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the event texts without leading and trailing white space.

    :raises UsageError: when a text is empty, repeated, longer than 500 characters, or holds a control character.
    """
    checked: list[str] = []
    for text in texts:
        excerpt = text if len(text) <= 60 else f"{text[:57]}..."
        if not text.strip():
            raise UsageError("An event text is empty. Describe what to find in a few words, for example: -t 'bicycle'")
        if len(text) > MAX_TEXT_LENGTH:
            raise UsageError(f"The event text {excerpt!r} has {len(text):,} characters; use at most {MAX_TEXT_LENGTH}.")
        if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text):
            raise UsageError(f"The event text {excerpt!r} holds a line break or control character; use one line.")
        if text.strip() in checked:
            raise UsageError(f"The event text {excerpt!r} is repeated; give it once.")
        checked.append(text.strip())
    return tuple(checked)


class Table(CheckedNumbers):
    """An immutable table of settings. Unknown settings and values that are not allowed raise ``InvalidOption``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    table: ClassVar[str] = ""  # its name in a config file

    @model_validator(mode="wrap")
    @classmethod
    def _validate(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        try:
            return handler(data)
        except ValidationError as error:
            raise InvalidOption(explain(error, cls, cls.table)) from None


class ComponentChoice(BaseModel):
    """A component's name and its own options: in a config file one table, ``name`` beside the options.

    The options are validated later, when the run is resolved, by the options model of the component.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("auto", description="name of the component")
    options: Mapping[str, Any] = Field(default_factory=dict, description="the component's own options")

    @model_validator(mode="before")
    @classmethod
    def _separate_options(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"name": data}
        if not isinstance(data, Mapping) or isinstance(data.get("options"), Mapping):
            return data
        options = {key: value for key, value in data.items() if key != "name"}
        return {"options": options} | ({"name": data["name"]} if "name" in data else {})

    @model_serializer
    def _flatten(self) -> dict[str, Any]:
        return {"name": self.name, **self.options}


class PromptChoice(Table):
    """The question that the backend gets."""

    table = "prompt"

    name: str = Field("auto", description="template or file; auto: the one for the scoring")
    per_backend: Mapping[str, str] | None = Field(None, description="template or file per backend, instead of name")
    reason: str = Field(
        "reason-consideration", description="template or file that asks for a reason, with reason_above"
    )
    output_word: str | None = Field(None, description="word for the reply in the question, instead of the template's")
    system: str | None = Field(None, description="system message, instead of the template's")
    text_first: bool | None = Field(None, description="question before the images, instead of the template's order")


class RunOptions(Table):
    """Settings of a run that belong to no component. The unit of a length is in its name: frames or seconds."""

    table = "run"

    segment_frames: int = Field(24, ge=1, le=10_000, description="frames per segment; a segment has one score")
    segment_seconds: Positive | None = Field(
        None, le=3600, description="seconds per segment, instead of segment_frames"
    )
    every: int = Field(1, ge=1, le=1_000_000, description="read every n-th frame")
    frames_per_second: Positive | None = Field(
        None, le=1000, description="read about this many frames per second of video, instead of every n-th frame"
    )
    start: Time = Field(0.0, description="start of the part to search: seconds, m:ss or h:mm:ss")
    stop: Time | None = Field(None, description="end of the part to search: seconds, m:ss or h:mm:ss")
    keep_tail: bool = Field(True, description="score the short segment at the end of a video")
    scoring: ScoringName = Field(
        "auto",
        description="how an answer becomes a score: words: read it from the text; expected, yes-no: expectation over "
        "the probabilities of the allowed scores, or of yes and no; published: as the published code reads it; auto: "
        "expected where the backend gives log-probabilities, with reasons where the score reaches the threshold, else "
        "words",
    )
    scale: Scale = Field(
        "tenths",
        description="the answers that an expected score is the mean of: tenths: 0.0 to 1.0; digits: 0 to 9; letters: A "
        "to E; a digit or letter is one token, so a score takes one pass of the model",
    )
    reason_above: Fraction | None = Field(
        None, description="with expected or yes-no: ask for a reason when a segment's score is at least this"
    )
    gate_rule: Literal["and", "or", "max"] = Field(
        "or",
        description="how the priorities of several gates become one: and: their product; or: the chance that any of "
        "them is right; max: the highest",
    )
    gate_above: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0, description="with gates: ask about a segment only where its priority is above this"
    )
    budget: Annotated[str, AfterValidator(_check_budget)] | None = Field(
        None,
        description="with gates: how much to ask: a number of questions (200), questions per minute of video "
        "(20/min), or a share of the segments (5%)",
    )
    clear_below: Fraction | None = Field(
        None, description="ask about the first context alone where its score is at most this"
    )
    clear_above: Fraction | None = Field(
        None, description="ask about the first context alone where its score is at least this"
    )
    max_tokens: int = Field(64, ge=1, le=131_072, description="maximum number of tokens in an answer")
    temperature: NotNegative = Field(0.0, le=100, description="sampling temperature; 0: always the most likely token")
    top_p: float = Field(1.0, gt=0, le=1, description="sample from the most likely tokens with this total probability")
    repetition_penalty: Positive = Field(1.0, le=100, description="above 1: repeat tokens less often")
    threshold: Fraction = Field(0.5, description="an event lasts while the smoothed score is at least this")
    smooth_seconds: NotNegative = Field(0.5, description="width (sigma) of the smoothing over time, in seconds")
    smooth_frames: NotNegative | None = Field(None, description="width (sigma) in frames, instead of smooth_seconds")
    merge_seconds: NotNegative = Field(1.0, description="merge events that are at most this far apart, in seconds")
    min_event_seconds: NotNegative = Field(0.5, description="drop events shorter than this, in seconds")
    device: Device = Field("auto", description="device of all models: auto, cpu, mps, cuda or cuda:N")
    seed: int = Field(0, ge=0, le=MAX_SEED, description="seed of all random choices")
    store: bool = Field(True, description="store answers on disk and reuse stored ones")
    lookahead_mib: int = Field(
        512, ge=1, le=1_048_576, description="maximum memory for images that wait for the backend, in MiB"
    )
    max_unreadable: Fraction = Field(
        0.2, description="the run fails when a larger fraction of answers has no readable score"
    )
    allow_network: bool = Field(False, description="allow components that send images off this machine")

    @model_validator(mode="after")
    def _check_section(self) -> Self:
        if self.stop is not None and self.stop <= self.start:
            raise ValueError(f"stop ({self.stop:g} s) must be after start ({self.start:g} s)")
        return self

    @property
    def section(self) -> tuple[float, float]:
        """Start and stop of the part of each video to search, seconds."""
        return self.start, math.inf if self.stop is None else self.stop


class RunConfig(Table):
    """The configuration of a run: event texts, videos, components and settings."""

    preset: str = Field("default", description="settings to start from: default, fast, paper, paper-avenue")
    texts: tuple[str, ...] = Field((), description="event texts: what to find, in plain words")
    videos: tuple[str, ...] = Field((), description="files, folders of images, or URLs")
    reader: ComponentChoice = Field(ComponentChoice(), description="reads videos; auto: the first that takes the URI")
    encoder: ComponentChoice = Field(ComponentChoice(name="openclip"), description="image-text embedding model")
    gates: tuple[str, ...] = Field((), description="rate segments cheaply, so that the likely ones are asked first")
    gate: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, description="options per gate")
    selector: ComponentChoice = Field(ComponentChoice(name="top-then-group"), description="picks key frames")
    backend: ComponentChoice = Field(
        ComponentChoice(), description="answers questions about images; auto: the engine that this machine runs best"
    )
    contexts: tuple[str, ...] = Field(("key", "position", "temporal"), description="what the questions show, in order")
    context: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, description="options per context")
    sink: tuple[ComponentChoice, ...] = Field((), description="writes results; auto: by the suffix of the path")
    prompt: PromptChoice = Field(PromptChoice(), description="the question that the backend gets")
    run: RunOptions = Field(RunOptions(), description="settings of the run")

    @field_validator(*SINGLE_ROLES, mode="before")
    @classmethod
    def _name_default_component(cls, value: Any, info: ValidationInfo) -> Any:
        """Add the default component's name to a table without a name."""
        if isinstance(value, Mapping) and "name" not in value:
            return {"name": cls.model_fields[str(info.field_name)].default.name, **value}
        return value

    @field_validator("texts")
    @classmethod
    def _check_texts(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return check_texts(texts)

    @field_validator("gates")
    @classmethod
    def _check_gates(cls, gates: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(gates)) < len(gates):
            raise ValueError("a gate is repeated; name each once")
        return gates

    @field_validator("contexts")
    @classmethod
    def _check_contexts(cls, contexts: tuple[str, ...]) -> tuple[str, ...]:
        if not contexts:
            raise ValueError("at least one context is needed, for example: key")
        if len(set(contexts)) < len(contexts):
            raise ValueError("a context is repeated; name each once")
        return contexts
