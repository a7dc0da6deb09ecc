"""The engine's life: its processes start without the user's script, without noise, and all of them end."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import IO, Any, TypeAlias

Prompt: TypeAlias = Mapping[str, Any]
"""A question as the engine reads it: token ids, and the images with their places among them."""


def wanted_noise() -> bool:
    """Return whether the user asked to be told more (``-v``)."""
    return logging.getLogger().isEnabledFor(logging.INFO)


@contextmanager
def quiet(log: IO[bytes] | None = None) -> Iterator[None]:
    """Silence vLLM for a while unless ``-v`` is on; what is written then, child processes' lines too, goes to ``log``.

    A child keeps the outputs that it was started with, so one that is started in here stays silent for good, and
    ``log`` holds the reason when it dies.
    """
    # Read when vllm is imported. Standard output is for data.
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # nothing leaves this machine unasked
    if wanted_noise():
        yield
        return
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    with ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        if log is not None:
            stack.enter_context(_redirected(log))
        yield
        logging.getLogger("vllm").setLevel(logging.CRITICAL)  # of this process: what it reports, we say


@contextmanager
def _redirected(log: IO[bytes]) -> Iterator[None]:
    """Send standard output and standard error, as the system knows them, to ``log``."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    kept = {number: os.dup(number) for number in (1, 2)}
    try:
        for number in kept:
            os.dup2(log.fileno(), number)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for number, own in kept.items():
            os.dup2(own, number)
            os.close(own)


@contextmanager
def _without_main() -> Iterator[None]:
    """Hide the program from child processes while they are started.

    A spawned process runs the program's main file anew, which a script without ``if __name__ == "__main__"`` does
    not outlive. The engine needs nothing of it.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


class Engine:
    """A running engine of vLLM. ``log`` holds what its processes wrote, unless ``-v`` showed it."""

    def __init__(self, arguments: Mapping[str, Any], log: IO[bytes]) -> None:
        self.log = log
        self._numbers = 0
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"  # a fork would take over threads and a used GPU
        others = set(multiprocessing.active_children())
        try:
            with quiet(log), _without_main():
                from vllm import LLM

                self._llm = LLM(**arguments)
        except BaseException:  # an interrupt too
            _end(set(multiprocessing.active_children()) - others)
            raise
        self._processes = set(multiprocessing.active_children()) - others
        if self._processes:
            outputs = self._llm.llm_engine.engine_core.outputs_queue
            threading.Thread(target=_tell_of_death, args=(self._processes, outputs), daemon=True).start()

    def read(self, messages: list[dict[str, Any]]) -> Prompt:
        """Return a conversation as the engine reads it: chat template, tokens, prepared images."""
        from vllm.renderers import ChatParams

        renderer = self._llm.renderer
        how = ChatParams(chat_template_kwargs={"add_generation_prompt": True, "tokenize": False})
        tokens = renderer.default_chat_tok_params.with_kwargs(add_special_tokens=False)  # the template has them
        _, (prompt,) = renderer.render_chat([messages], how, tokens)
        return dict(prompt)

    def ask(self, requests: Iterable[tuple[Prompt, Any]]) -> list[Any]:
        """Return vLLM's output for each prompt and its sampling parameters, in order.

        The engine works on the first while the later ones are still read. Whatever was read must be asked: vLLM sends
        the data of an image once and counts on the engine to keep it.
        """
        engine, asked, done = self._llm.llm_engine, [], {}
        for prompt, params in requests:
            self._numbers += 1
            asked.append(str(self._numbers))
            engine.add_request(asked[-1], prompt, params)
        while engine.has_unfinished_requests():
            done.update({output.request_id: output for output in engine.step() if output.finished})
        if any(output.outputs[0].finish_reason == "error" for output in done.values()):
            raise RuntimeError("vLLM gave a query up")
        return [done[number] for number in asked]

    def close(self) -> None:
        """End the engine's processes."""
        with quiet(self.log):
            with suppress(Exception):  # of an engine that is dead already
                self._llm.llm_engine.engine_core.shutdown()
            with suppress(Exception):
                self._llm.renderer.shutdown()
            del self._llm
        _end(self._processes)


def _tell_of_death(processes: Iterable[BaseProcess], outputs: Any) -> None:
    """Wait until one of ``processes`` ends, and put the error where the next output is waited for.

    vLLM notices a process that was killed, but its offline engine goes on waiting for what that would have said.
    """
    wait([process.sentinel for process in processes])
    outputs.put(ChildProcessError("a process of the engine ended"))


def _end(processes: Iterable[BaseProcess]) -> None:
    """End processes; their own children end with them."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


def new_log() -> IO[bytes]:
    """Return a file without a name: it goes when nobody holds it any more."""
    return tempfile.TemporaryFile()
