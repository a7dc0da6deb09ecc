"""What vLLM raises, and what its processes leave in their log, as errors of ours that say what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from anyanomaly.errors import AnyAnomalyError, BackendError, UsageError
from anyanomaly.kit import download_error, first_line, own_code_error

_RAISED = re.compile(r"\b([A-Z]\w*(?:Error|Exception)): (.+)")
_EMPTY = ("Engine core initialization failed", "EngineCore encountered an issue", "WorkerProc initialization failed")


@contextmanager
def translate_errors(model: str, log: IO[bytes], *, running: bool) -> Iterator[None]:
    """Turn what vLLM raises into errors of ours; ``running``: while it answers, else while it starts."""
    try:
        yield
    except AnyAnomalyError:
        raise
    except Exception as error:
        raise _error(model, error, _tail(log), running) from error


def _error(model: str, error: Exception, log: str, running: bool) -> AnyAnomalyError:
    told = f"{_all(error)}\n{log}"
    if "trust_remote_code" in told:
        return own_code_error(model)
    if "KV cache is needed" in told or "cache blocks" in told or "No available memory" in told:
        return BackendError(
            f"The memory for keys and values does not hold one query of model {model!r}. Raise "
            "--backend.memory-share (on a GPU) or --backend.kv-cache-gib, or lower --backend.max-pixels or "
            "--reader.max-side."
        )
    if "out of memory" in told.lower() or "Free memory on device" in told or isinstance(error, MemoryError):
        return BackendError(
            f"Memory ran out with model {model!r}. Lower --backend.memory-share if others use the GPU, spread it with "
            "--backend.tensor-parallel, shrink it with --backend.quantization, or use a smaller model."
        )
    if "Model architectures" in told or "does not recognize this architecture" in told:
        return UsageError(f"The installed vLLM does not serve the architecture of model {model!r}. Use another model.")
    if "maximum model length" in told or "longer than the max" in told:
        return BackendError(
            f"A query is longer than the engine of model {model!r} takes. Raise --backend.max-model-len, or lower "
            "--backend.max-pixels or --reader.max-side."
        )
    if not running and _not_there(error) and not Path(model).expanduser().is_dir():
        return download_error(f"Model {model!r}", error)
    reason = _reason(error, log)
    if not running:
        return BackendError(f"Model {model!r} cannot be loaded: {reason or type(error).__name__}")
    if isinstance(error, ChildProcessError) or type(error).__name__ == "EngineDeadError":
        why = f" ({reason})" if reason else ""
        return BackendError(
            f"The vLLM engine of model {model!r} died while it answered{why}. "
            "What is finished is kept: run the same command again to go on."
        )
    return BackendError(f"Model {model!r} failed: {reason}")


def _not_there(error: BaseException | None) -> bool:
    """Return whether a file could not be had: the hub's client raises such errors, others wrap them."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error is not None


def _reason(error: Exception, log: str) -> str:
    """Return what went wrong first: the log knows it where the error only says that a process ended."""
    found = [match.group(0) for match in _RAISED.finditer(log) if not any(empty in match.group(0) for empty in _EMPTY)]
    if found:
        return found[0].strip()
    if isinstance(error, ChildProcessError) or any(empty in str(error) for empty in _EMPTY):
        return ""
    return f"{type(error).__name__}: {first_line(error)}"


def _all(error: BaseException | None) -> str:
    told = []
    while error is not None:
        told.append(str(error))
        error = error.__cause__ or error.__context__
    return "\n".join(told)


def _tail(log: IO[bytes]) -> str:
    log.seek(0, 2)
    log.seek(max(0, log.tell() - 200_000))
    return log.read().decode(errors="replace")
