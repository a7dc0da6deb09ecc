"""Main module of vLLM's processes: each ends when the process that started it is gone.

An engine does not notice that its parent was killed: it would keep its memory. ``multiprocessing`` runs the main module
before anything else in every process that it spawns, and in those that these spawn in turn.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

PARENT = "ANYANOMALY_VLLM_PARENT"
"""Environment variable with the id of the process that starts a process: the parent may be gone before this runs."""
POLL_S = 0.5


@contextmanager
def ending_with_parent() -> Iterator[None]:
    """Let the processes that are spawned in this context end with this one.

    The user's main module is hidden from them: a spawned process would run the program's main file again, which breaks
    a script without ``if __name__ == "__main__"``. The engine does not need it.
    """
    main = sys.modules["__main__"]
    stand_in = ModuleType("__main__")
    stand_in.__spec__ = find_spec(__name__)
    sys.modules["__main__"] = stand_in
    os.environ[PARENT] = str(os.getpid())
    try:
        yield
    finally:
        del os.environ[PARENT]
        sys.modules["__main__"] = main


def _end_after(parent: int) -> None:
    """Wait until another process is the parent of this one, then end this one at once."""
    while os.getppid() == parent:
        time.sleep(POLL_S)
    os._exit(1)


def _read_weights_unmapped() -> None:
    """Let vLLM read each tensor of a file of weights into memory of its own, where the engine runs on the CPU.

    It maps each file. Pages of a mapped file count as memory of the process until the file is closed, so that loading
    takes up to the size of the largest file on top of the weights.
    """
    import safetensors.torch
    import torch

    if torch.version.cuda or torch.version.hip:  # weights go to a GPU, for which mapped files are the fastest source
        return
    open_mapped: Any = safetensors.safe_open

    def open_unmapped(*arguments: Any, **settings: Any) -> Any:
        try:
            return open_mapped(*arguments, **settings | {"backend": "pread"})
        except TypeError:  # a release that only maps files
            return open_mapped(*arguments, **settings)

    modules: tuple[Any, ...] = (safetensors, safetensors.torch)  # vLLM imports it from one of them, later
    for module in modules:
        module.safe_open = open_unmapped


if __name__ == "__mp_main__":  # in a spawned process
    _read_weights_unmapped()
    threading.Thread(target=_end_after, args=(int(os.environ[PARENT]),), daemon=True).start()
    os.environ[PARENT] = str(os.getpid())  # for the processes that this one spawns
