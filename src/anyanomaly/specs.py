"""What a plugin says about a component without importing it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """A component's name, where its code is, and what it needs. New fields always get a default."""

    role: ClassVar[str] = ""

    name: str  # kebab-case, unique within its role
    summary: str  # one line for `anyanomaly plugins`
    target: str  # "package.module:Class", imported on first use
    options: str = ""  # "package.module:Model", a pydantic model, imported for --help
    requires: tuple[str, ...] = ()  # PEP 508, " | " between alternatives; checked from metadata before import
    install: str = ""  # what pip installs when a requirement is missing: "anyanomaly-vllm[gpu] num2words"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSpec(ComponentSpec):
    """A reader is chosen by the URI's scheme and suffix when the user names none."""

    role: ClassVar[str] = "reader"
    schemes: frozenset[str] = frozenset()  # "rtsp"; empty: paths
    suffixes: frozenset[str] = frozenset()  # ".mp4", lower case; empty: any
    live: bool = False  # its videos may never end, so no other video can come after one


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec(ComponentSpec):
    """An image-text encoder."""

    role: ClassVar[str] = "encoder"
    licence: str = ""  # of the weights, in a few words
    memory: str = ""  # what the weights take, in a few words
    devices: frozenset[str] = frozenset({"cpu"})  # what its option `device` may name: "cpu", "cuda", "mps"


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
    images: int = 1  # most images in one context


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoChoice:
    """How well a backend suits ``--backend auto`` on one kind of device.

    Of the backends that are installed, the one with the highest rank on this machine's device is taken.
    """

    device: Literal["cuda", "mps", "cpu"]
    rank: int
    reason: str  # ends the sentence "backend NAME, because ...": "a GPU is present and vLLM is installed"
    requires: tuple[str, ...] = ()  # PEP 508, beyond the spec's own
    cuda_build: str = ""  # distribution that must be a CUDA build: "torch"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSpec(ComponentSpec):
    """Flags are upper bounds; the loaded backend may narrow them once a model is known."""

    role: ClassVar[str] = "backend"
    max_images: int | None = 1  # per query; None: no limit of its own
    words: bool = True  # answers in words; False: gives a value only
    logprobs: bool = False  # can give the log-probability of each allowed answer
    deterministic: bool = True  # same query, temperature 0, same answer, whatever the batch
    needs_encoder: bool = False  # the host sets `encoder`
    cacheable: bool = True  # answers are worth keeping in the answer store
    devices: frozenset[str] = frozenset({"cpu"})  # what its option `device` may name: "cpu", "cuda", "mps"
    auto: tuple[AutoChoice, ...] = ()  # one per kind of device on which `--backend auto` may take it
    licence: str = ""  # of the weights, in a few words
    memory: str = ""  # what the weights take, in a few words: "about 7 GB"
    network: bool = False  # may send frames off this machine; `Backend.leaves_machine` says whether it does


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec(ComponentSpec):
    """A labelled dataset."""

    role: ClassVar[str] = "dataset"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSpec(ComponentSpec):
    """A place where results go, chosen by the suffix of ``-o`` when the user names none."""

    role: ClassVar[str] = "sink"
    suffixes: frozenset[str] = frozenset()
    streams: bool = False  # complete lines are readable while the run goes on


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of component: everything that the host decides per role."""

    name: str
    spec: type[ComponentSpec]
    base: str  # class in anyanomaly.api that components subclass
    chosen: Literal["one", "several", "by dataset"]  # how a run names its component; "one": a table [name] of the file

    @property
    def hook(self) -> str:
        """Name of the hook that registers its components."""
        return f"anyanomaly_register_{self.name}s"


ROLES: tuple[Role, ...] = (
    Role("reader", ReaderSpec, "Reader", "one"),
    Role("encoder", EncoderSpec, "Encoder", "one"),
    Role("selector", SelectorSpec, "Selector", "one"),
    Role("context", ContextSpec, "ContextGenerator", "several"),
    Role("backend", BackendSpec, "Backend", "one"),
    Role("dataset", DatasetSpec, "Dataset", "by dataset"),
    Role("sink", SinkSpec, "Sink", "several"),
)
"""All roles, in the order in which data flows and lists show them."""

ROLE_NAMES: tuple[str, ...] = tuple(role.name for role in ROLES)
SINGLE_ROLES: tuple[str, ...] = tuple(role.name for role in ROLES if role.chosen == "one")
"""Roles of which a run has exactly one component, named by ``--ROLE`` or a table ``[ROLE]``."""
