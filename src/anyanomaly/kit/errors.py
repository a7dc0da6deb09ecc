"""Errors that every backend can raise, with the same messages everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from anyanomaly.errors import AnyAnomalyError, BackendError, MissingRequirement, UsageError, first_line

T = TypeVar("T")


def require_loaded(loaded: T | None) -> T:
    """Return a model that ``load`` has set.

    :raises BackendError: when it is None: before ``load`` or after ``close``.
    """
    if loaded is None:
        raise BackendError("The model is not loaded. Call load() first, or use the backend in a with block.")
    return loaded


@contextmanager
def translate_exceptions(translate: Callable[[Exception], AnyAnomalyError]) -> Iterator[None]:
    """Return a context manager that raises an error of anyanomaly in place of an engine's exception.

    :param translate: returns the error for an exception; errors of anyanomaly pass unchanged.
    :raises AnyAnomalyError: in place of any other exception.
    """
    try:
        yield
    except AnyAnomalyError:
        raise
    except Exception as error:
        raise translate(error) from error


def download_error(model: str, error: BaseException, local: str = "folder") -> MissingRequirement:
    """Return the error for weights that are not on this machine and cannot be downloaded.

    :param model: name of the weights in the message, for example ``repr`` of a hub id.
    :param local: alternative that the user can name: "folder" or "file".
    """
    return MissingRequirement(
        f"{model} cannot be downloaded from the Hugging Face hub: {first_line(error)} "
        f"Check the name and the network, run 'hf auth login' for a gated model, or give a local {local}."
    )


def own_code_error(model: str) -> UsageError:
    """Return the error for a model that comes with Python code which the user has not allowed to run."""
    return UsageError(
        f"Model {model!r} comes with its own Python code, which would run on this machine with your rights. "
        "If you trust its authors, pass --backend.trust-remote-code; else use another model."
    )
