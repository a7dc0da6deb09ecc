"""Specs: a component described by literals, so that nothing of it is imported before it is used. Standard library only.

To add a component, a plugin returns its spec from a hook of ``hookspecs``; ``target`` and ``options`` name its classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

DEVICE_PATTERN = r"^(auto|cpu|mps|cuda(:\d+)?)$"
"""What a user may write for a device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """Name, code and requirements of a component. New fields always get a default."""

    role: ClassVar[str] = ""

    name: str  # kebab-case, unique within its role
    summary: str  # one line for `anyanomaly plugins`
    target: str  # "package.module:Class", imported on first use
    options: str = ""  # "package.module:Model", a pydantic model, imported for --help
    requires: tuple[str, ...] = ()  # PEP 508, " | " between alternatives; checked from metadata before import
    install: str = ""  # what pip installs when a requirement is missing: "anyanomaly-vllm[gpu] num2words"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSpec(ComponentSpec):
    """A video reader. Unless the user names one, the URI's scheme and suffix decide which reader is used."""

    role: ClassVar[str] = "reader"
    schemes: frozenset[str] = frozenset()  # "rtsp"; empty: paths
    suffixes: frozenset[str] = frozenset()  # ".mp4", lower case; empty: any
    live: bool = False  # its videos may never end, so a run accepts none after it


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec(ComponentSpec):
    """An image-text encoder."""

    role: ClassVar[str] = "encoder"
    licence: str = ""  # of the weights, in a few words
    memory: str = ""  # memory that the weights need: "about 7 GB"
    devices: frozenset[str] = frozenset({"cpu"})  # allowed values of its option `device`: "cpu", "cuda", "mps"
    dense_windows: bool = False  # takes crops with the fit "dense"; once loaded, `Encoder.dense_windows` says whether


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec(ComponentSpec):
    """A gate: it rates segments before the backend is asked about them."""

    role: ClassVar[str] = "gate"
    needs_encoder: bool = False
    needs_backend: bool = False  # the host sets `Gate.ask`, which asks the backend that its options name


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectorSpec(ComponentSpec):
    """A key-frame selector."""

    role: ClassVar[str] = "selector"
    needs_encoder: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSpec(ComponentSpec):
    """A context generator."""

    role: ClassVar[str] = "context"
    needs_encoder: bool = False
    images: int = 1  # maximum number of images in one context


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoChoice:
    """Offers a backend for ``--backend auto`` on one kind of device.

    ``auto`` stands for the installed backend with the highest rank for the device of the run.
    """

    device: Literal["cuda", "mps", "cpu"]
    rank: int
    reason: str  # ends the sentence "backend NAME, because there is a GPU and ...": "vLLM is installed"
    requires: tuple[str, ...] = ()  # PEP 508, in addition to the spec's own
    cuda_build: str = ""  # a distribution that must be a CUDA build: "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSpec(ComponentSpec):
    """A scorer backend. Capabilities are upper bounds: a backend may narrow them once its model is loaded."""

    role: ClassVar[str] = "backend"
    max_images: int | None = 1  # per query; None: no limit
    words: bool = True  # answers in words; False: gives `Answer.value` only
    logprobs: bool = False  # can give the log-probability of each allowed answer
    deterministic: bool = True  # at temperature 0 equal queries have equal answers in any batch
    needs_encoder: bool = False  # the host sets `Backend.encoder`
    cacheable: bool = True  # answers go into the answer store
    devices: frozenset[str] = frozenset({"cpu"})  # allowed values of its option `device`: "cpu", "cuda", "mps"
    auto: tuple[AutoChoice, ...] = ()  # one per kind of device on which `--backend auto` may stand for it
    licence: str = ""  # of the weights, in a few words
    memory: str = ""  # memory that the weights need: "about 7 GB"
    network: bool = False  # may send images off this machine; `Backend.leaves_machine` says whether it does


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec(ComponentSpec):
    """A labelled dataset."""

    role: ClassVar[str] = "dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSpec(ComponentSpec):
    """Writes results. Unless the user names one, the suffix of the path after ``-o`` decides which sink is used."""

    role: ClassVar[str] = "sink"
    suffixes: frozenset[str] = frozenset()
    streams: bool = False  # lines are complete and readable while the run continues


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of component."""

    name: str
    spec: type[ComponentSpec]
    base: str  # class in anyanomaly.api that components subclass
    per_run: Literal["one", "several", "none"]  # components of it in a run; "one": a table [name] in the config file

    @property
    def hook(self) -> str:
        """Name of the hook that registers its components."""
        return f"anyanomaly_register_{self.name}s"


ROLES: tuple[Role, ...] = (
    Role("reader", ReaderSpec, "Reader", "one"),
    Role("encoder", EncoderSpec, "Encoder", "one"),
    Role("gate", GateSpec, "Gate", "several"),
    Role("selector", SelectorSpec, "Selector", "one"),
    Role("context", ContextSpec, "ContextGenerator", "several"),
    Role("backend", BackendSpec, "Backend", "one"),
    Role("dataset", DatasetSpec, "Dataset", "none"),
    Role("sink", SinkSpec, "Sink", "several"),
)
"""All roles, in the order of the data flow, which is also the order of lists."""

ROLE_NAMES: tuple[str, ...] = tuple(role.name for role in ROLES)
SINGLE_ROLES: tuple[str, ...] = tuple(role.name for role in ROLES if role.per_run == "one")
"""Roles with exactly one component in a run: set with ``--ROLE`` or in the table ``[ROLE]`` of a config file."""
