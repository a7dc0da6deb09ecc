"""What a run is told: its tables, as in a config file. Every value has a default and a description."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from anyanomaly.config.explain import explain
from anyanomaly.errors import InvalidOption, UsageError
from anyanomaly.specs import SINGLE_ROLES

MAX_TEXT_LENGTH = 500


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


def _known_device(device: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", device):
        raise ValueError(f"'{device}' is not a device; use auto, cpu, mps, cuda or cuda:N")
    return device


Device = Annotated[str, AfterValidator(_known_device)]


def check_texts(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the event texts without the blanks around them.

    :raises UsageError: when one is blank, longer than 500 characters, holds a control character, or comes twice.
    """
    checked: list[str] = []
    for text in texts:
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        if not text.strip():
            raise UsageError("An event text is empty. Say what to find in a few words, for example: -t 'bicycle'")
        if len(text) > MAX_TEXT_LENGTH:
            raise UsageError(
                f"The event text {shown!r} has {len(text):,} characters; at most {MAX_TEXT_LENGTH} make sense."
            )
        if any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text):
            raise UsageError(f"The event text {shown!r} holds a line break or another control character; use one line.")
        if text.strip() in checked:
            raise UsageError(f"The event text {shown!r} is given twice; each text is searched for once.")
        checked.append(text.strip())
    return tuple(checked)


class Table(BaseModel):
    """A closed, frozen table of settings. Values that do not fit raise ``InvalidOption``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    table: ClassVar[str] = ""  # its name in a file

    @model_validator(mode="wrap")
    @classmethod
    def _explained(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        try:
            return handler(data)
        except ValidationError as error:
            raise InvalidOption(explain(error, cls, cls.table)) from None


class ComponentChoice(BaseModel):
    """A component and its own options: in a file one table, ``name`` beside the options.

    The options are checked against the component's own model when it is created.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field("auto", description="name of the component")
    options: Mapping[str, Any] = Field(default_factory=dict, description="the component's own options")

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, data: Any) -> Any:
        if isinstance(data, str):
            return {"name": data}
        if not isinstance(data, Mapping) or isinstance(data.get("options"), Mapping):
            return data
        given = {"options": {key: value for key, value in data.items() if key != "name"}}
        return given | ({"name": data["name"]} if "name" in data else {})

    @model_serializer
    def _flat(self) -> dict[str, Any]:
        return {"name": self.name, **self.options}


class PromptChoice(Table):
    """The question put to the backend."""

    table = "prompt"

    name: str = Field("auto", description="template or file; auto: the one that goes with the scoring")
    per_backend: Mapping[str, str] | None = Field(None, description="template or file by backend, in place of name")
    reason: str = Field("reason-consideration", description="template or file that asks for a reason (reason_above)")
    output_word: str | None = Field(None, description="how the question names the reply, in place of the template's")
    system: str | None = Field(None, description="system message, in place of the template's")
    text_first: bool | None = Field(None, description="question before the images, in place of the template's")


class RunOptions(Table):
    """How a run goes, apart from its components. Lengths are in frames or seconds as named."""

    table = "run"

    segment_frames: int = Field(24, ge=1, description="frames that share a score")
    segment_seconds: Positive | None = Field(None, description="length of a segment in seconds, not frames")
    every: int = Field(1, ge=1, description="read every n-th frame")
    keep_tail: bool = Field(True, description="score the short segment at the end of a video")
    scoring: Literal["words", "expected", "yes-no", "published"] = Field(
        "words",
        description="read the score from words, as the expectation over the allowed scores or over yes and no, "
        "or as published code does",
    )
    reason_above: Share | None = Field(
        None, description="with expected or yes-no: ask for a reason where a segment's score is at least this"
    )
    max_tokens: int = Field(64, ge=1, description="most tokens in an answer")
    temperature: NotNegative = Field(0.0, description="randomness of answers; 0: always the likeliest")
    top_p: float = Field(1.0, gt=0, le=1, description="share of the likeliest tokens to draw from")
    repetition_penalty: Positive = Field(1.0, description="above 1: say the same words less often")
    threshold: Share = Field(0.5, description="an event is where the smoothed score stays above this")
    smooth_seconds: NotNegative = Field(0.5, description="width (sigma) of the smoothing over time")
    smooth_frames: NotNegative | None = Field(None, description="width of the smoothing in frames, not seconds")
    merge_seconds: NotNegative = Field(1.0, description="events closer than this become one")
    min_event_seconds: NotNegative = Field(0.5, description="leave out events shorter than this")
    device: Device = Field("auto", description="where all models run: auto, cpu, mps, cuda or cuda:N")
    seed: int = Field(0, ge=0, description="seed of all that is random")
    store: bool = Field(True, description="keep answers on disk, and use those kept")
    lookahead_mib: int = Field(512, ge=1, description="most memory for images that wait for the backend, in MiB")
    max_unreadable: Share = Field(0.2, description="share of answers without a readable score above which a run fails")
    allow_network: bool = Field(False, description="allow components that send images off this machine")


class RunConfig(Table):
    """A whole run: what to look for, where, with which components."""

    preset: str = Field("default", description="settings to start from: default, paper, paper-avenue")
    texts: tuple[str, ...] = Field((), description="event texts: what to find, in plain words")
    videos: tuple[str, ...] = Field((), description="files, folders of images, or addresses")
    reader: ComponentChoice = Field(
        ComponentChoice(), description="what reads videos; auto: the first that fits the address"
    )
    encoder: ComponentChoice = Field(ComponentChoice(name="openclip"), description="image-text embedding model")
    selector: ComponentChoice = Field(ComponentChoice(name="top-then-group"), description="picks key frames")
    backend: ComponentChoice = Field(
        ComponentChoice(), description="answers questions about images; auto: the engine that this machine runs best"
    )
    contexts: tuple[str, ...] = Field(("key", "position", "temporal"), description="what each question shows, in order")
    context: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, description="options per context")
    sink: tuple[ComponentChoice, ...] = Field((), description="where results go; auto: by the suffix of its path")
    prompt: PromptChoice = Field(PromptChoice(), description="the question put to the backend")
    run: RunOptions = Field(RunOptions(), description="how the run goes")

    @field_validator(*SINGLE_ROLES, mode="before")
    @classmethod
    def _options_of_the_default(cls, given: Any, info: ValidationInfo) -> Any:
        """A table without a name holds options of the default component."""
        if isinstance(given, Mapping) and "name" not in given:
            return {"name": cls.model_fields[str(info.field_name)].default.name, **given}
        return given

    @field_validator("texts")
    @classmethod
    def _texts(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        return check_texts(texts)

    @field_validator("contexts")
    @classmethod
    def _contexts(cls, contexts: tuple[str, ...]) -> tuple[str, ...]:
        if not contexts:
            raise ValueError("at least one context is needed, for example: key")
        if len(set(contexts)) < len(contexts):
            raise ValueError("a context is named twice")
        return contexts
