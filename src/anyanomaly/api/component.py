"""The base class of all components: options, ``load``, ``close``, and a ``with`` block around both."""

from __future__ import annotations

from abc import ABC
from types import TracebackType
from typing import Generic, Self, TypeVar

from anyanomaly.api.options import Options

O_co = TypeVar("O_co", bound=Options, covariant=True)


class Component(ABC, Generic[O_co]):
    """Base class of all components.

    The constructor does no I/O. ``load`` may take minutes. ``close`` may be called twice, and without ``load``.
    """

    def __init__(self, options: O_co) -> None:
        self.options = options

    def load(self) -> None:
        """Open files, load weights, start engines.

        :raises MissingRequirement: when something to install or to download is missing.
        :raises BackendError: when an engine does not start. :raises OutputError: when a file cannot be written.
        """

    def close(self) -> None:
        """Free everything that ``load`` has allocated."""

    def __enter__(self) -> Self:
        self.load()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
