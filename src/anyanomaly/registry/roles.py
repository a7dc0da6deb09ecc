"""Role names to the classes that components subclass."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anyanomaly.api.component import Component

_BASES = {
    "reader": "Reader",
    "encoder": "Encoder",
    "selector": "Selector",
    "context": "ContextGenerator",
    "backend": "Backend",
    "dataset": "Dataset",
    "sink": "Sink",
}


def base_of(role: str) -> type[Component[Any]]:
    """Import and return a role's base class."""
    base: type[Component[Any]] = getattr(importlib.import_module("anyanomaly.api"), _BASES[role])
    return base
