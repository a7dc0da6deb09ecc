"""Reports on waiting for a server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

REPORT_AFTER_S = 10.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Wait:
    """The wait for one answer. ``reason``: what the last attempt ended with; "" before that."""

    reason: str = ""


class WaitReports:
    """Reports each wait of more than `REPORT_AFTER_S` once, also when many requests share it.

    What takes at most twice as long as an answer before is not reported again: that is the pace of this server. Used
    in the thread of the event loop.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._longest_s = 0.0  # of the answers so far
        self._is_reported = False  # a wait since the last answer
        self._announced_until_s = 0.0  # time of the loop

    @contextmanager
    def watch(self) -> Iterator[Wait]:
        """Return a context manager around the wait for one answer, retries included."""
        loop = asyncio.get_running_loop()
        wait, start_s = Wait(), loop.time()
        delay_s = max(REPORT_AFTER_S, 2 * self._longest_s)
        timer = loop.call_later(delay_s, self._report, wait, delay_s)
        try:
            yield wait
            self._longest_s = max(self._longest_s, loop.time() - start_s)
            self._is_reported = False
        finally:
            timer.cancel()

    def announce(self, pause_s: float, reason: str) -> None:
        """Report a pause before a retry, if it is long."""
        now_s = asyncio.get_running_loop().time()
        if pause_s > REPORT_AFTER_S and now_s + pause_s > self._announced_until_s + REPORT_AFTER_S:
            log.warning(f"{reason} The next attempt follows in {pause_s:.0f} s; Ctrl-C keeps the results so far.")
            self._announced_until_s = now_s + pause_s

    def _report(self, wait: Wait, waited_s: float) -> None:
        if self._is_reported or asyncio.get_running_loop().time() < self._announced_until_s + REPORT_AFTER_S:
            return
        self._is_reported = True
        reason = wait.reason or f"No answer yet from the server at {self._url}."
        log.warning(
            f"{reason} Waiting for {waited_s:.0f} s; each attempt may take {self._timeout_s:g} s "
            f"(--backend.timeout-seconds). Ctrl-C keeps the results so far."
        )
