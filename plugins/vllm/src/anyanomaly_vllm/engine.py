"""vLLM's engine: starts its processes without log lines, and ends all of them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from queue import Queue
from typing import IO, Any, TypeAlias

from anyanomaly_transformers.api import quiet_logs

from anyanomaly.isolation import isolate_children
from anyanomaly_vllm.spawned import ending_with_parent

Prompt: TypeAlias = Mapping[str, Any]
"""A query as the engine reads it: token ids, and the images with their positions among them."""


def is_verbose() -> bool:
    """Return whether the user asked for log lines (``-v``)."""
    return logging.getLogger().isEnabledFor(logging.INFO)


@contextmanager
def quiet(log: IO[bytes] | None = None) -> Iterator[None]:
    """Silence vLLM, and transformers in it, unless ``-v`` is on.

    A child process keeps the outputs that it was started with: one started in this context stays silent, and ``log``
    holds the reason when it dies.

    :param log: takes all output, that of child processes too.
    """
    # vllm reads these on import. Standard output is for data.
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")  # no data leaves this machine without consent
    if is_verbose():
        yield
        return
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    with _SILENCE, _redirect_output(log) if log is not None else nullcontext():
        yield
        logging.getLogger("vllm").setLevel(logging.CRITICAL)  # its errors become exceptions of ours


class _Silence:
    """No warnings, and no logs of transformers, while at least one thread is in the ``with`` block.

    Both settings belong to the process: two threads that set and restore them on their own would leave them changed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._settings = ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if not self._n_inside:
                self._settings.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
                self._settings.enter_context(quiet_logs())
            self._n_inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if not self._n_inside:
                self._settings.close()


_SILENCE = _Silence()


@contextmanager
def _redirect_output(log: IO[bytes]) -> Iterator[None]:
    """Send file descriptors 1 and 2, standard output and standard error, to ``log``."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    copies = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    try:
        for descriptor in copies:
            os.dup2(log.fileno(), descriptor)
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        for descriptor, copy in copies.items():
            os.dup2(copy, descriptor)
            os.close(copy)


class Engine:
    """A running engine of vLLM.

    :param arguments: of ``vllm.LLM``.
    :param log: takes the output of its processes, unless ``-v`` shows it.
    """

    def __init__(self, arguments: Mapping[str, Any], log: IO[bytes]) -> None:
        self.log = log
        self._n_requests = 0
        os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"  # a fork would inherit threads and the state of the GPU
        isolate_children()  # a spawned process would run a module or library that lies in the current folder
        before = set(multiprocessing.active_children())
        try:
            with quiet(log), ending_with_parent():
                from vllm import LLM

                self._llm = LLM(**arguments)
        except BaseException:  # an interrupt too
            _end(set(multiprocessing.active_children()) - before)
            raise
        self._processes = set(multiprocessing.active_children()) - before
        self._outputs: Queue[Any] | None = None  # of the engine's processes; None: it runs in this one
        if self._processes:
            self._outputs = self._llm.llm_engine.engine_core.outputs_queue
            threading.Thread(target=_report_death, args=(self._processes, self._outputs), daemon=True).start()

    def write(self, messages: list[dict[str, Any]], switches: Mapping[str, Any]) -> Prompt:
        """Return a conversation as text in the chat template, with its images beside it.

        :param switches: variables of the chat template.
        :raises ValueError: when the chat template does not take it.
        """
        from vllm.renderers import ChatParams

        arguments = {**switches, "add_generation_prompt": True, "tokenize": False}
        _, prompt = self._llm.renderer.render_messages(messages, ChatParams(chat_template_kwargs=arguments))
        return dict(prompt)

    def tokenise(self, prompt: Prompt) -> Prompt:
        """Return a prompt from `write` as the engine reads it: as tokens, with preprocessed images."""
        renderer = self._llm.renderer
        settings = renderer.default_chat_tok_params.with_kwargs(add_special_tokens=False)  # the template has them
        (tokens,) = renderer.render_cmpl([prompt], settings)
        return dict(tokens)

    def submit(self, prompt: Prompt, params: Any) -> str:
        """Give the engine a request and return its id.

        Each rendered prompt must be submitted, and in the order of rendering: vLLM sends the data of an image once, and
        expects the engine to have it afterwards.

        :param prompt: from `tokenise`. :param params: vLLM's SamplingParams.
        """
        self._n_requests += 1
        request_id = str(self._n_requests)
        self._llm.llm_engine.add_request(request_id, prompt, params)
        return request_id

    @property
    def is_busy(self) -> bool:
        """Whether requests are in the engine."""
        return bool(self._llm.llm_engine.has_unfinished_requests())

    @property
    def has_outputs(self) -> bool:
        """Whether `step` returns at once. An engine in this process works in `step` alone."""
        return self._outputs is None or not self._outputs.empty()

    def step(self) -> list[tuple[str, Any]]:
        """Wait for the engine's next outputs, or for `wake`; return those of finished requests, each with its id.

        :raises RuntimeError: when vLLM fails on a request.
        """
        outputs = [output for output in self._llm.llm_engine.step() if output.finished]
        if any(output.outputs[0].finish_reason == "error" for output in outputs):
            raise RuntimeError("vLLM failed on a query")
        return [(output.request_id, output) for output in outputs]

    def wake(self) -> None:
        """Let `step` on another thread return, without outputs."""
        if self._outputs is not None:
            from vllm.v1.engine import EngineCoreOutputs

            self._outputs.put(EngineCoreOutputs())

    def abort(self, request_ids: Iterable[str]) -> None:
        """Remove requests from the engine."""
        self._llm.llm_engine.abort_request(list(request_ids))

    def close(self) -> None:
        """End the engine's processes."""
        with quiet(self.log):
            with suppress(Exception):  # of an engine that died before
                self._llm.llm_engine.engine_core.shutdown()
            with suppress(Exception):
                self._llm.renderer.shutdown()
            del self._llm
        _end(self._processes)


def _report_death(processes: Iterable[BaseProcess], outputs: Any) -> None:
    """Wait until one of ``processes`` ends, then put an error into the engine's queue of outputs.

    vLLM notices a killed process, but its offline engine keeps waiting for the output of that process.
    """
    wait([process.sentinel for process in processes])
    outputs.put(ChildProcessError("a process of the engine ended"))


def _end(processes: Iterable[BaseProcess]) -> None:
    """Terminate processes; their children end with them."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


def new_log() -> IO[bytes]:
    """Return an unnamed temporary file, which is deleted when it is closed."""
    return tempfile.TemporaryFile()
