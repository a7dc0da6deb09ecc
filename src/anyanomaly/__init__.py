"""Find the events that a person describes in plain words, in video.

The public names of this module are imported when they are first used, so that ``import anyanomaly`` stays fast.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # for type checkers it is true; `typing` takes most of the time of this import
if TYPE_CHECKING:
    from typing import Any

    from anyanomaly.assemble import run
    from anyanomaly.config.model import RunConfig
    from anyanomaly.core.timeline import join_timelines
    from anyanomaly.errors import AnyAnomalyError
    from anyanomaly.evaluation.evaluate import evaluate
    from anyanomaly.evaluation.result import EvaluationResult
    from anyanomaly.hookspecs import hookimpl
    from anyanomaly.results import Results, read_results
    from anyanomaly.specs import (
        AutoChoice,
        BackendSpec,
        ContextSpec,
        DatasetSpec,
        EncoderSpec,
        GateSpec,
        ReaderSpec,
        SelectorSpec,
        SinkSpec,
    )
    from anyanomaly.types import Event, SegmentScore, Timeline

__version__ = "0.1.0"

_MODULES = {
    "AnyAnomalyError": "anyanomaly.errors",
    "AutoChoice": "anyanomaly.specs",
    "BackendSpec": "anyanomaly.specs",
    "ContextSpec": "anyanomaly.specs",
    "DatasetSpec": "anyanomaly.specs",
    "EncoderSpec": "anyanomaly.specs",
    "EvaluationResult": "anyanomaly.evaluation.result",
    "Event": "anyanomaly.types",
    "GateSpec": "anyanomaly.specs",
    "ReaderSpec": "anyanomaly.specs",
    "Results": "anyanomaly.results",
    "RunConfig": "anyanomaly.config.model",
    "SegmentScore": "anyanomaly.types",
    "SelectorSpec": "anyanomaly.specs",
    "SinkSpec": "anyanomaly.specs",
    "Timeline": "anyanomaly.types",
    "evaluate": "anyanomaly.evaluation.evaluate",
    "hookimpl": "anyanomaly.hookspecs",
    "join_timelines": "anyanomaly.core.timeline",
    "read_results": "anyanomaly.results",
    "run": "anyanomaly.assemble",
}

__all__ = [
    "AnyAnomalyError",
    "AutoChoice",
    "BackendSpec",
    "ContextSpec",
    "DatasetSpec",
    "EncoderSpec",
    "EvaluationResult",
    "Event",
    "GateSpec",
    "ReaderSpec",
    "Results",
    "RunConfig",
    "SegmentScore",
    "SelectorSpec",
    "SinkSpec",
    "Timeline",
    "__version__",
    "evaluate",
    "hookimpl",
    "join_timelines",
    "read_results",
    "run",
]


def __getattr__(name: str) -> Any:
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module 'anyanomaly' has no attribute {name!r}") from None
    return getattr(import_module(module), name)
