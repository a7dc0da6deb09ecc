"""The base of all component options."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Closed and frozen. Every field has a default and a description; both appear in ``--help``."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
