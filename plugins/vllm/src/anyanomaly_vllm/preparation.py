"""A pool of processes that resize images, so that the process that feeds the engine has less to do."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from queue import SimpleQueue
from typing import IO

from anyanomaly.isolation import isolate_children
from anyanomaly.types import ImageArray
from anyanomaly_vllm.engine import quiet
from anyanomaly_vllm.sizing import ImageSizing
from anyanomaly_vllm.spawned import ending_with_parent

MIN_PIXELS = 300 * 300
"""Images below are resized where they are used: sending them to another process takes longer."""
N_KEPT = 16
"""Images whose results are kept: several questions show the same image."""
END_TIMEOUT_S = 2.0


class ImagePool:
    """Resizes images to the model's own size in other processes, which end with this one."""

    def __init__(self, sizing: ImageSizing, n_processes: int, log: IO[bytes]) -> None:
        """:param log: takes the output of the processes, unless ``-v`` shows it."""
        self._tasks: SimpleQueue[tuple[ImageArray, Future[ImageArray]] | None] = SimpleQueue()
        self._kept: OrderedDict[int, tuple[ImageArray, Future[ImageArray]]] = OrderedDict()
        self._processes: list[BaseProcess] = []
        isolate_children()  # a spawned process would run a module or library that lies in the current folder
        context = multiprocessing.get_context("spawn")  # a fork would inherit threads and the state of the GPU
        try:
            with quiet(log), ending_with_parent():
                for number in range(n_processes):
                    ours, theirs = context.Pipe()
                    process = context.Process(target=_resize_images, args=(theirs, sizing), daemon=True)
                    process.start()
                    self._processes.append(process)
                    theirs.close()
                    threading.Thread(
                        target=self._serve, args=(ours,), name=f"anyanomaly-vllm-images-{number}", daemon=True
                    ).start()
        except BaseException:  # an interrupt too
            self.close()
            raise

    def prepare(
        self, images: Sequence[ImageArray], deliver: Callable[[Sequence[ImageArray] | Exception], None]
    ) -> None:
        """Resize images and pass them to ``deliver`` on any thread; an error in their place when that fails."""
        futures = [self._submit(image) for image in images]
        n_open = len(futures)
        lock = threading.Lock()

        def count(_: Future[ImageArray]) -> None:
            nonlocal n_open
            with lock:
                n_open -= 1
                is_last = not n_open
            if is_last:
                errors = [error for future in futures if isinstance(error := future.exception(), Exception)]
                deliver(errors[0] if errors else tuple(future.result() for future in futures))

        for future in futures:
            future.add_done_callback(count)
        if not futures:
            deliver(())

    def close(self) -> None:
        """End the processes; images that are not resized yet are never delivered."""
        for _ in self._processes:
            self._tasks.put(None)
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join(END_TIMEOUT_S)
            if process.is_alive():
                process.kill()
                process.join()
        self._processes.clear()
        self._kept.clear()

    def _submit(self, image: ImageArray) -> Future[ImageArray]:
        if image.shape[0] * image.shape[1] < MIN_PIXELS:
            future: Future[ImageArray] = Future()
            future.set_result(image)
            return future
        known = self._kept.pop(id(image), None)
        if known is None:
            known = image, Future()
            self._tasks.put(known)
        self._kept[id(image)] = known  # as the latest
        if len(self._kept) > N_KEPT:
            self._kept.popitem(last=False)
        return known[1]

    def _serve(self, connection: Connection) -> None:
        """Send images to one process and take what it sends back."""
        with connection:
            while (task := self._tasks.get()) is not None:
                image, future = task
                try:
                    connection.send(image)
                    result = connection.recv()
                except (OSError, EOFError):
                    result = ChildProcessError("a process that prepares images ended")
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)


def default_processes(on_cpu: bool) -> int:
    """Return the number of processes that resize images: a quarter of the cores beside a GPU, and at most 4.

    On a CPU the engine itself uses all cores.
    """
    return 0 if on_cpu else min(4, _usable_cores() // 4)


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _resize_images(connection: Connection, sizing: ImageSizing) -> None:
    """Answer each image with the resized one, or with an error, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this process
    import torch

    torch.set_num_threads(1)
    while True:
        try:
            image = connection.recv()
        except EOFError:
            return
        try:
            result: ImageArray | Exception = sizing.resize(image)
        except Exception as error:
            result = RuntimeError(f"{type(error).__name__}: {error}")
        connection.send(result)
