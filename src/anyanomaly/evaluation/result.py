"""The result of an evaluation: one typed, frozen value for ``eval``, ``bench`` and Python.

``EvaluationResult.to_json`` returns what the JSON file holds, ``EvaluationResult.from_json`` reads it back. A field has
its JSON key as its name, except counts: ``n_frames`` is the key ``frames``. AUCs, rates and the bounds of intervals are
fractions from 0 to 1. None (null in JSON) is a figure that does not exist: a video without the event has no AUC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, TypeAdapter, ValidationError

from anyanomaly.errors import InputError
from anyanomaly.metrics.resampling import Interval

FORMAT = 1
"""Version of the JSON; it grows when a key is removed or changes its meaning, not when one is added."""

Fraction: TypeAlias = float
"""0 to 1."""


@dataclass(frozen=True, slots=True)
class DatasetSelection:
    """A dataset by name, with its options, which of its classes are measured, and against which labels."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()  # empty: all
    labels: str = ""  # as the dataset describes them; empty: there is one kind


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as its driver reports it."""

    name: str
    memory: str = ""  # with its unit: "143771 MiB"
    driver: str = ""  # version


@dataclass(frozen=True, slots=True)
class HardwareCard:
    """The machine that computed the figures."""

    cpu: str  # model name
    cores: int | None  # that this process may use; None: unknown
    memory_gib: float | None  # main memory in GiB; None: unknown
    gpus: tuple[Gpu, ...]
    system: str
    python: str  # version


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """Queries to the backend over all videos, at least 0 each."""

    n_asked: Annotated[int, Field(alias="asked")]  # answered by the backend
    n_reused: Annotated[int, Field(alias="reused")]  # answered from the answer store
    n_unreadable: Annotated[int, Field(alias="unreadable")]  # answers of both kinds without a readable score
    mean_mass: Fraction | None = None  # mean probability of the allowed answers; None: scores were read from words


@dataclass(frozen=True, slots=True)
class MixResult:
    """How contexts were fused and smoothed."""

    weights: Mapping[str, float]  # per context, at least 0
    sigma: int | float  # standard deviation of the Gaussian over time, at least 0
    unit: Literal["frames", "seconds"]  # of sigma


@dataclass(frozen=True, slots=True)
class ContextAlone:
    """The first context measured alone, under the published protocols. The JSON key is ``key_alone`` for ``key``."""

    context: str
    auc: Fraction | None
    sigma: int | float  # in frames


@dataclass(frozen=True, slots=True)
class EventCounts:
    """Detected events against labelled events, at the run's threshold."""

    threshold: Fraction
    n_labelled: Annotated[int, Field(alias="labelled")]
    n_detected: Annotated[int, Field(alias="found")]  # labelled events that at least one detected event overlaps
    recall: Fraction | None  # n_detected / n_labelled
    mean_delay_s: float | None  # seconds from the start of a labelled event to its detection, at least 0
    n_false_alarms: Annotated[int, Field(alias="false_alarms")]  # detected events that overlap no labelled event
    false_alarms_per_hour: float | None  # per hour of video, at least 0


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One class under one protocol. Figures are over the frames of all videos, unless noted."""

    auc: Fraction | None  # micro AUC
    interval: Interval | None  # of the AUC; None: one video, or the event in too few resamples
    null_auc: Fraction | None  # mean AUC of the same protocol on circularly shifted labels
    null_auc_95: Fraction | None  # 95 % quantile of these AUCs
    p_null: Fraction | None  # one-sided p: how often shifted labels reach this AUC, above 0
    macro_auc: Fraction | None  # mean AUC of the videos that have both labels
    macro_auc_padded: Fraction | None  # mean AUC of all videos, each with a frame (score 0, label 0) and (1, 1) added
    ap: Fraction | None  # average precision
    eer: Fraction | None  # equal error rate
    best_f1: Fraction | None  # highest F1 of all thresholds, chosen on the labels: an upper bound
    best_f1_threshold: float | None
    n_frames: Annotated[int, Field(alias="frames")]  # with a label
    n_positive: Annotated[int, Field(alias="positives")]  # frames with label 1
    n_without_score: Annotated[int, Field(alias="without_score")]  # frames without any readable score
    mixes: tuple[MixResult, ...]  # one per fold of the videos, or one for all
    first_context_alone: ContextAlone | None  # published protocols only
    events: EventCounts | None  # all protocols but the published ones, whose scaled scores fit no threshold
    video_auc: Annotated[Mapping[str, Fraction | None], Field(alias="videos")]  # AUC per video


@dataclass(frozen=True, slots=True)
class MeanResult:
    """The mean over classes under one protocol."""

    auc: Fraction | None
    interval: Interval | None
    null_auc: Fraction | None  # mean over classes and shifts of the labels
    null_auc_95: Fraction | None  # 95 % quantile, over shifts, of the mean over classes


@dataclass(frozen=True, slots=True)
class GroupResult:
    """The mean over a group of classes under one protocol."""

    auc: Fraction | None
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class ProtocolResult:
    """The classes that one protocol can measure."""

    mean: MeanResult | None  # None, and absent in JSON: no class can be measured
    classes: Mapping[str, ClassResult]


@dataclass(frozen=True, slots=True)
class AucDifference:
    """The AUC of this run minus that of another, on the same videos, under the protocol ``fixed``."""

    difference: float  # -1 to 1
    interval: Interval | None  # of the difference, from the same resamples for both runs
    p: Fraction  # two-sided


@dataclass(frozen=True, slots=True)
class Comparison:
    """A paired comparison with another run."""

    classes: Mapping[str, AucDifference]
    mean: AucDifference


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """One configuration measured on one labelled dataset.

    ``answers``, ``seconds``, ``comparison`` and ``groups`` are absent in JSON where they do not apply.
    """

    dataset: DatasetSelection
    config: Mapping[str, Any]  # settings as in a config file, without the videos
    versions: Mapping[str, str] | None  # per distribution; None: not in the score files
    encoder: str | None  # fingerprint of its weights; None: no component needs an encoder
    backend: str | None  # fingerprint of its weights
    revisions: Mapping[str, Any] | None  # versions of the weights of encoder and backend; None: not in the score files
    readers: tuple[Mapping[str, Any], ...]  # name and options of each; empty: not in the score files
    prompt: Mapping[str, Any] | None  # template of the question, with its hash; None: not in the score files
    reason_prompt: Mapping[str, Any] | None  # the same of the question for a reason; None: the run asks for none
    hardware: HardwareCard  # that computed the figures and, unless scores were read from files, ran the model
    n_videos: Annotated[int, Field(alias="videos")]  # that were measured
    notes: tuple[str, ...]  # what limits the figures, a sentence each
    problems: tuple[str, ...]  # what could not be measured, a sentence each
    protocols: Mapping[str, ProtocolResult]  # by name, in the order in which they were named
    answers: AnswerCounts | None = None  # None: scores were read from files
    seconds: float | None = None  # wall time of running and measuring; None: scores were read from files
    comparison: Annotated[Comparison | None, Field(alias="against")] = None
    groups: Mapping[str, Mapping[str, GroupResult]] = field(default_factory=dict)  # by group, then protocol

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file: dicts, lists, strings and finite numbers."""
        content: dict[str, Any] = {"format": FORMAT, **_ADAPTER.dump_python(self, mode="json", by_alias=True)}
        for key in ("answers", "seconds", "against"):
            if content[key] is None:
                del content[key]
        if not content["groups"]:
            del content["groups"]
        for protocol in content["protocols"].values():
            if protocol["mean"] is None:
                del protocol["mean"]
            protocol["classes"] = {name: _class_to_json(entry) for name, entry in protocol["classes"].items()}
        return content

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """Return the result that ``to_json`` wrote; unknown keys are ignored.

        :raises InputError: when it is not the result of an evaluation, with the key that is wrong.
        """
        try:
            if (version := content.get("format", FORMAT)) != FORMAT:
                raise InputError(f"This evaluation has format {version}, not {FORMAT}. Install a newer anyanomaly.")
            protocols = {
                name: {
                    "mean": protocol.get("mean"),
                    "classes": {name: _class_from_json(entry) for name, entry in protocol["classes"].items()},
                }
                for name, protocol in content["protocols"].items()
            }
            result: Self = _ADAPTER.validate_python({**content, "protocols": protocols})
        except (KeyError, AttributeError, TypeError) as error:
            raise InputError(
                f"This is not the JSON of `anyanomaly eval` (no usable {error}). Use a file that it wrote with -o."
            ) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise InputError(
                f"This is not the JSON of `anyanomaly eval` ('{place}': {first['msg']}). Use a file that it wrote "
                f"with -o."
            ) from error
        return result


_ADAPTER: TypeAdapter[Any] = TypeAdapter(EvaluationResult)
_ALONE = "_alone"


def _class_to_json(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Name the first context in its key, and drop parts that the protocol does not have."""
    content: dict[str, Any] = {}
    for key, value in entry.items():
        if key == "first_context_alone":
            if value is not None:
                content[value["context"] + _ALONE] = {"auc": value["auc"], "sigma": value["sigma"]}
        elif key != "events" or value is not None:
            content[key] = value
    return content


def _class_from_json(entry: Mapping[str, Any]) -> dict[str, Any]:
    content = {"first_context_alone": None, "events": None, **entry}
    for key in entry:
        if key.endswith(_ALONE):
            content["first_context_alone"] = {"context": key.removesuffix(_ALONE), **content.pop(key)}
    return content
