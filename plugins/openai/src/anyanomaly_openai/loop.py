"""An event loop in a thread of its own, for requests that threads wait for."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from anyanomaly.errors import BackendError

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for other threads until it is closed."""

    def __init__(self) -> None:
        self._loop = _Loop()
        self._lock = threading.Lock()  # nothing is started on a loop that is being closed
        self._is_closed = False
        self._thread = threading.Thread(target=self._loop.run_forever, name="anyanomaly-openai-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine and wait for its result.

        :raises BackendError: when the loop is closed, before or while it runs.
        """
        with self._lock:
            future = None if self._is_closed else asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        if future is None:
            coroutine.close()
        else:
            try:
                return future.result()
            except CancelledError:
                pass
        raise BackendError("The connection to the server was closed.")

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Cancel what runs, run ``last``, and end the thread."""
        with self._lock:
            if self._is_closed:
                last.close()
                return
            self._is_closed = True
        asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self, last: Coroutine[Any, Any, None]) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await last


class _Loop(asyncio.SelectorEventLoop):
    """An event loop whose look-ups of host names, which may take minutes, do not keep the process alive."""

    async def getaddrinfo(self, *args: Any, **keywords: Any) -> Any:
        future: Future[Any] = Future()

        def look_up() -> None:
            future.set_running_or_notify_cancel()
            try:
                future.set_result(socket.getaddrinfo(*args, **keywords))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=look_up, name="anyanomaly-openai-dns", daemon=True).start()
        return await asyncio.wrap_future(future, loop=self)
