"""Exceptions of transformers and torch as errors of anyanomaly that say what to do."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from anyanomaly.errors import AnyAnomalyError, BackendError, MissingRequirement, UsageError
from anyanomaly.install import install_command
from anyanomaly.kit import download_error, first_line, own_code_error, translate_exceptions


def translate_errors(model: str) -> AbstractContextManager[None]:
    """Return a context manager that turns what transformers raises while it loads ``model`` into errors of anyanomaly.

    :param model: hub id or folder, for the message.
    :raises AnyAnomalyError: in place of any other exception.
    """
    return translate_exceptions(lambda error: _load_error(model, error))


def _load_error(model: str, error: Exception) -> AnyAnomalyError:
    import torch

    text = str(error)
    if isinstance(error, ImportError):
        return MissingRequirement(f"Model {model!r} needs a package that is not installed: {first_line(error)}")
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return _out_of_memory(model)
    if "trust_remote_code" in text:
        return own_code_error(model)
    if "does not recognize this architecture" in text or "Unrecognized model" in text:
        return UsageError(
            f"The installed transformers does not support the architecture of model {model!r}. "
            f"Run: {install_command('-U', 'transformers')}, or use another model."
        )
    if isinstance(error, OSError) and not Path(model).expanduser().is_dir():
        return download_error(f"Model {model!r}", error)
    return BackendError(f"Model {model!r} cannot be loaded: {type(error).__name__}: {first_line(error)}")


def translate_run_errors(model: str) -> AbstractContextManager[None]:
    """Return a context manager that turns what a model raises while it answers into errors of anyanomaly.

    :param model: hub id or folder, for the message.
    :raises AnyAnomalyError: in place of any other exception.
    """
    return translate_exceptions(lambda error: _run_error(model, error))


def _run_error(model: str, error: Exception) -> BackendError:
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return _out_of_memory(model)
    return BackendError(f"Model {model!r} failed: {type(error).__name__}: {first_line(error)}")


def _out_of_memory(model: str) -> BackendError:
    return BackendError(
        f"Memory ran out with model {model!r}. Use a smaller --backend.batch-size, --backend.dtype bfloat16, "
        "--backend.quantization 4bit, a lower --backend.max-pixels, or a smaller model."
    )
