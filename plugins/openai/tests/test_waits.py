"""Waiting for a server: what is reported, what ends it, and that nothing is left of it."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from anyanomaly_openai import server as server_module
from anyanomaly_openai import waits
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.errors import retry_after
from anyanomaly_openai.options import OpenAiOptions

from anyanomaly.errors import BackendError
from anyanomaly.testing.samples import sample_queries
from plugins.openai.tests.conftest import OpenBackend
from plugins.openai.tests.scripted_server import Handler, Script, answer_correctly, fail_first, reply_status, serve

QUERIES = [query for query, _ in zip(sample_queries(), range(8), strict=False)]


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Report waits of more than 0.4 s instead of 10 s."""
    monkeypatch.setattr(waits, "REPORT_AFTER_S", 0.4)


def answer_after(delay_s: float) -> Script:
    def script(handler: Handler, content: dict[str, Any] | None) -> None:
        if content is not None:
            time.sleep(delay_s)
        answer_correctly(handler, content)

    return script


def test_a_slow_answer_is_reported_once_for_all_requests(
    open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    backend, server = open_backend(answer_after(1.0), max_inflight=8)
    backend.answer_batch(QUERIES)
    (message,) = caplog.messages
    assert message.startswith(f"No answer yet from the server at {server.url}. Waiting for")
    assert "each attempt may take 5 s (--backend.timeout-seconds)" in message
    backend.answer_batch(QUERIES[:1])  # the usual pace of this server
    assert len(caplog.messages) == 1


def test_quick_answers_are_not_reported(
    open_backend: OpenBackend, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waits, "REPORT_AFTER_S", 10.0)
    backend, _ = open_backend(fail_first(reply_status(503)), max_inflight=2)
    backend.answer_batch(QUERIES)
    assert caplog.messages == []


def test_a_wait_that_the_server_asks_for_is_reported_with_its_reason(
    open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    all_asked = threading.Barrier(4)

    def limit_rate(handler: Handler, content: dict[str, Any] | None) -> None:
        all_asked.wait(timeout=20)
        reply_status(429, {"error": "Rate limit reached"}, Retry_After="1")(handler, content)

    backend, _ = open_backend(fail_first(*[limit_rate] * 4), max_inflight=4)
    backend.answer_batch(QUERIES)
    (message,) = caplog.messages
    assert "answered 429 Too Many Requests: Rate limit reached. The next attempt follows in 1 s" in message


def test_the_pauses_of_a_question_are_bounded_whatever_the_number_of_retries(
    open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_WAIT_S", 2.0)
    backend, server = open_backend(fail_first(*[reply_status(503)] * 100), retries=100)
    with pytest.raises(BackendError, match="503 Service Unavailable"):
        backend.answer_batch(QUERIES[:1])
    assert 2 <= len(server.posted) < 8


def test_the_first_question_without_an_answer_ends_the_run(open_backend: OpenBackend) -> None:
    backend, server = open_backend(fail_first(*[reply_status(500)] * 1000), retries=1, max_inflight=4)
    with pytest.raises(BackendError, match="500 Internal Server Error"):
        backend.answer_batch(QUERIES)
    assert len(server.posted) <= 2 * 4


@pytest.mark.parametrize(
    "value",
    [
        *("nan", "inf", "-inf", "1e308", "-5", "0", "1_000", "١٢", "9" * 400, "soon", "", "0x10", "1, 2", "\x00"),
        *(f"Mon, 01 Jan {year} 00:00:00 GMT" for year in ("99999", "0000", "1990", "-5")),
    ],
)
def test_an_absurd_retry_after_counts_as_none(value: str) -> None:
    assert retry_after({"retry-after": value}) is None


def test_a_wait_until_the_year_9999_ends_the_run(open_backend: OpenBackend) -> None:
    backend, _ = open_backend(fail_first(reply_status(429, Retry_After="Fri, 31 Dec 9999 23:59:59 GMT")))
    with pytest.raises(BackendError, match=r"asks to wait \d+ s"):
        backend.answer_batch(QUERIES[:1])


@pytest.mark.parametrize("script", [answer_after(60), reply_status(503, Retry_After="60")], ids=["request", "pause"])
def test_closing_ends_requests_and_threads(script: Script) -> None:
    threads_before = set(threading.enumerate())

    def load_first(handler: Handler, content: dict[str, Any] | None) -> None:
        (answer_correctly if content is None else script)(handler, content)

    with serve(load_first) as server:
        backend = OpenAiBackend(OpenAiOptions(base_url=server.url, max_inflight=3))
        backend.load()
        errors: list[BaseException] = []

        def ask() -> None:
            try:
                backend.answer_batch(QUERIES[:3])
            except BaseException as error:
                errors.append(error)

        caller = threading.Thread(target=ask)
        caller.start()
        while len(server.posted) < 3:
            time.sleep(0.01)
        backend.close()
        caller.join(timeout=20)
        assert not caller.is_alive()
        assert isinstance(errors[0], BackendError)
        for thread in set(threading.enumerate()) - threads_before:
            if thread.name.startswith("anyanomaly"):
                thread.join(timeout=20)
                assert not thread.is_alive()
    with pytest.raises(BackendError, match="not loaded"):
        backend.answer_batch(QUERIES[:1])
