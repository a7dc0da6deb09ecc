"""Exceptions of vLLM, and errors in the log of its processes, as errors of anyanomaly that say what to do."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO

from anyanomaly.errors import AnyAnomalyError, BackendError, UsageError
from anyanomaly.kit import download_error, first_line, own_code_error, translate_exceptions

_RAISED = re.compile(r"\b([A-Z]\w*(?:Error|Exception)): (.+)")
_WITHOUT_REASON = (
    "Engine core initialization failed",
    "EngineCore encountered an issue",
    "WorkerProc initialization failed",
)
_LOG_TAIL_BYTES = 200_000


def translate_errors(model: str, log: IO[bytes], *, running: bool) -> AbstractContextManager[None]:
    """Return a context manager that turns what vLLM raises into errors of anyanomaly.

    :param model: hub id or folder, for the message.
    :param log: output of the engine's processes, which holds the reason when one of them died.
    :param running: whether the engine answers; False while it starts.
    :raises AnyAnomalyError: in place of any other exception.
    """
    return translate_exceptions(lambda error: _translate(model, error, _tail(log), running))


def _translate(model: str, error: Exception, log: str, running: bool) -> AnyAnomalyError:
    messages = _chained_messages(error)
    text = f"{messages}\n{log}"
    # A dying engine logs its settings, `trust_remote_code` among them: only what was raised counts.
    if "trust_remote_code" in "\n".join([messages, *_raised(log)]):
        return own_code_error(model)
    if "KV cache is needed" in text or "cache blocks" in text or "No available memory" in text:
        return BackendError(
            f"The key-value cache does not hold one query of model {model!r}. Raise --backend.memory-share (on a GPU) "
            "or --backend.kv-cache-gib, or lower --backend.max-pixels or --reader.max-side."
        )
    if "out of memory" in text.lower() or "Free memory on device" in text or isinstance(error, MemoryError):
        return BackendError(
            f"Memory ran out with model {model!r}. Lower --backend.memory-share if other programs use the GPU, spread "
            "the weights with --backend.tensor-parallel, shrink them with --backend.quantization, or use a smaller "
            "model."
        )
    if "Model architectures" in text or "does not recognize this architecture" in text:
        return UsageError(f"The installed vLLM does not serve the architecture of model {model!r}. Use another model.")
    if "maximum model length" in text or "longer than the max" in text:
        return BackendError(
            f"A query is longer than the engine of model {model!r} takes. Raise --backend.max-model-len, or lower "
            "--backend.max-pixels or --reader.max-side."
        )
    if not running and _is_missing_file(error) and not Path(model).expanduser().is_dir():
        return download_error(f"Model {model!r}", error)
    reason = _reason(error, log)
    if not running:
        return BackendError(f"Model {model!r} cannot be loaded: {reason or type(error).__name__}")
    if isinstance(error, ChildProcessError) or type(error).__name__ == "EngineDeadError":
        why = f" ({reason})" if reason else ""
        return BackendError(
            f"The vLLM engine of model {model!r} died while it answered{why}. "
            "Finished segments are kept: run the same command again to continue."
        )
    return BackendError(f"Model {model!r} failed: {reason}")


def _is_missing_file(error: BaseException | None) -> bool:
    """Return whether an OSError is in the chain: what the hub's client raises, and others wrap."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None


def _reason(error: Exception, log: str) -> str:
    """Return the first cause, from the log where the error only says that a process ended; empty when unknown."""
    causes = [line for line in _raised(log) if not any(phrase in line for phrase in _WITHOUT_REASON)]
    if causes:
        return causes[0].strip()
    if isinstance(error, ChildProcessError) or any(phrase in str(error) for phrase in _WITHOUT_REASON):
        return ""
    return f"{type(error).__name__}: {first_line(error)}"


def _raised(log: str) -> list[str]:
    """Return the lines of a log that name an exception and its message."""
    return [match.group(0) for match in _RAISED.finditer(log)]


def _chained_messages(error: BaseException | None) -> str:
    messages = []
    while error is not None:
        messages.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(messages)


def _tail(log: IO[bytes]) -> str:
    log.seek(0, 2)
    log.seek(max(0, log.tell() - _LOG_TAIL_BYTES))
    return log.read().decode(errors="replace")
