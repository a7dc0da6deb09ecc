"""What a plugin says about a component without importing it. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """A component's name, where its code is, and what it needs. New fields always get a default."""

    role: ClassVar[str] = ""

    name: str  # kebab-case, unique within its role
    summary: str  # one line for `anyanomaly plugins`
    target: str  # "package.module:Class", imported on first use
    options: str = ""  # "package.module:Model", a pydantic model, imported for --help
    requires: tuple[str, ...] = ()  # PEP 508, " | " between alternatives; checked from metadata before import
    install: str = ""  # what to run when a requirement is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSpec(ComponentSpec):
    """A reader is chosen by the URI's scheme and suffix when the user names none."""

    role: ClassVar[str] = "reader"
    schemes: frozenset[str] = frozenset()  # "rtsp"; empty: paths
    suffixes: frozenset[str] = frozenset()  # ".mp4", lower case; empty: any
    live: bool = False  # its videos may never end


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderSpec(ComponentSpec):
    """An image-text encoder."""

    role: ClassVar[str] = "encoder"
    licence: str = ""  # of the weights, in a few words
    memory: str = ""  # what the weights take, in a few words
    devices: frozenset[str] = frozenset({"cpu"})


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
class BackendSpec(ComponentSpec):
    """Flags are upper bounds; the loaded backend may narrow them once a model is known."""

    role: ClassVar[str] = "backend"
    max_images: int | None = 1  # per query; None: no limit of its own
    batching: bool = False  # gains from seeing many queries at once
    words: bool = True  # answers in words; False: gives a value only
    logprobs: bool = False  # can give the log-probability of each allowed answer
    choices: bool = False  # can be held to a closed set of answers
    deterministic: bool = True  # same query, temperature 0, same answer, whatever the batch
    needs_encoder: bool = False  # the host sets `encoder`
    cacheable: bool = True  # answers are worth keeping in the answer store
    devices: frozenset[str] = frozenset({"cpu"})
    licence: str = ""  # of the weights, in a few words
    memory: str = ""  # what the weights take, in a few words: "about 7 GB"
    network: bool = False  # may send frames off this machine; `Backend.leaves_machine` says whether it does


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetSpec(ComponentSpec):
    """A labelled data set."""

    role: ClassVar[str] = "dataset"
    labels: str = "frame"  # "frame" or "video"


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkSpec(ComponentSpec):
    """A place where results go, chosen by the suffix of ``-o`` when the user names none."""

    role: ClassVar[str] = "sink"
    suffixes: frozenset[str] = frozenset()
    streams: bool = False  # complete lines are readable while the run goes on


ROLES: tuple[type[ComponentSpec], ...] = (
    ReaderSpec,
    EncoderSpec,
    SelectorSpec,
    ContextSpec,
    BackendSpec,
    DatasetSpec,
    SinkSpec,
)
