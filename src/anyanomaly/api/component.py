"""What every component has: options, ``load``, ``close``, a ``with`` block."""

from __future__ import annotations

from abc import ABC
from types import TracebackType
from typing import Generic, Self, TypeVar

from anyanomaly.api.options import Options

O_co = TypeVar("O_co", bound=Options, covariant=True)


class Component(ABC, Generic[O_co]):
    """Constructing is free of I/O; ``load`` may take minutes; ``close`` may be called twice, or without ``load``."""

    def __init__(self, options: O_co) -> None:
        self.options = options

    def load(self) -> None:
        """Open files, load weights, start engines."""

    def close(self) -> None:
        """Free what ``load`` took."""

    def __enter__(self) -> Self:
        self.load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
