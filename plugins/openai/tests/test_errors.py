"""Failures of a server and of the connection: temporary ones are retried, all others give a one-line error."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import numpy as np
import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.errors import retry_after
from anyanomaly_openai.options import OpenAiOptions

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.testing.samples import sample_queries
from anyanomaly.testing.videos import write_image
from plugins.openai.tests.conftest import OpenBackend
from plugins.openai.tests.scripted_server import (
    Script,
    answer_correctly,
    drop_connection,
    fail_first,
    reply_half,
    reply_html,
    reply_late,
    reply_status,
    serve,
    text_answer,
)

QUERY = next(sample_queries())


def error_message(open_backend: OpenBackend, script: Script, **options: object) -> str:
    """Return the message of the error that ends the run, one line."""
    backend, _ = open_backend(script, **options)
    with pytest.raises(BackendError) as error_info:
        backend.answer_batch([QUERY])
    assert "\n" not in str(error_info.value)
    return str(error_info.value)


@pytest.mark.parametrize(
    "fault",
    [reply_status(429), reply_status(500), reply_status(503), reply_html, drop_connection, reply_half],
    ids=lambda fault: fault.__name__,
)
def test_a_temporary_error_is_retried(open_backend: OpenBackend, fault: Script) -> None:
    backend, server = open_backend(fail_first(fault, fault))
    (answer,) = backend.answer_batch([QUERY])
    assert answer.text == "0.5. It is grey."
    assert len(server.posted) == 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (reply_status(429), "answered 429 Too Many Requests: no luck today."),
        (reply_status(500, b"oops"), "answered 500 Internal Server Error: oops."),
        (reply_html, "answered without JSON: <html>A page of a proxy</html>."),
        (drop_connection, "closed the connection"),
        (reply_half, "closed the connection"),
    ],
)
def test_an_error_that_persists_ends_the_run_after_the_last_retry(
    open_backend: OpenBackend, fault: Script, says: str
) -> None:
    assert says in error_message(open_backend, fail_first(*[fault] * 3))


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (reply_status(401), r"refuses access \(401 Unauthorized\).*--backend.api-key-env"),
        (reply_status(403), "refuses access"),
        (
            reply_status(400, {"error": {"message": "maximum context length is 2048 tokens"}}),
            "context length is 2048 tokens",
        ),
        (reply_status(404), "--backend.base-url.*--backend.model"),
        (reply_status(307, location="http://127.0.0.2/v1"), "redirects to http://127.0.0.2/v1"),
        (reply_status(200, {"id": 1}), "holds no answer"),
        (reply_status(200, {"choices": []}), "holds no answer"),
        (reply_status(429, Retry_After="4000"), "asks to wait 4000 s"),
    ],
)
def test_a_permanent_error_is_not_retried(open_backend: OpenBackend, fault: Script, says: str) -> None:
    backend, server = open_backend(fail_first(fault))
    with pytest.raises(BackendError, match=says):
        backend.answer_batch([QUERY])
    assert len(server.posted) == 1


def test_retry_after_is_respected(open_backend: OpenBackend) -> None:
    backend, server = open_backend(fail_first(reply_status(429, Retry_After="1")))
    start = time.monotonic()
    backend.answer_batch([QUERY])
    assert time.monotonic() - start >= 1
    assert len(server.posted) == 2


def test_retry_after_in_seconds_and_as_a_date() -> None:
    assert retry_after({"retry-after": "2.5"}) == 2.5
    assert 8 < (retry_after({"retry-after": formatdate(time.time() + 10, usegmt=True)}) or 0) <= 10
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None


def test_a_server_that_does_not_answer_in_time(open_backend: OpenBackend) -> None:
    text = error_message(open_backend, fail_first(reply_late), timeout_seconds=0.3, retries=0)
    assert "gave no answer in 0.3 s" in text
    assert "--backend.timeout-seconds" in text


def test_a_missing_server() -> None:
    with serve(answer_correctly) as server:
        url = server.url
    backend = OpenAiBackend(OpenAiOptions(base_url=url.replace(str(server.server_port), "9")))
    with pytest.raises(BackendError, match=r"Nothing answers at .*Start the server"):
        backend.load()


def test_a_certificate_that_does_not_verify_and_one_that_is_trusted(tmp_path: Path) -> None:
    certificate = tmp_path / "own.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    files = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([*command.split(), *files], check=True, capture_output=True)
    certificate.write_text((tmp_path / "key.pem").read_text() + (tmp_path / "cert.pem").read_text())
    with serve(answer_correctly, certificate) as server:
        backend = OpenAiBackend(OpenAiOptions(base_url=server.url))
        with pytest.raises(BackendError, match=r"does not verify: self.signed certificate.*--backend\.ca-file"):
            backend.load()
        trusting = OpenAiOptions(base_url=server.url, ca_file=str(tmp_path / "cert.pem"))
        with OpenAiBackend(trusting) as backend:
            assert backend.answer_batch([QUERY])[0].text
    with pytest.raises(UsageError, match=r"--backend\.ca-file"):
        OpenAiBackend(OpenAiOptions(ca_file=str(tmp_path / "none.pem"))).load()


def test_the_key_is_sent_and_appears_nowhere_else(open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", "secret-12345")
    repeats_key = reply_status(400, {"error": {"message": "Incorrect API key provided: secret-12345"}})
    backend, server = open_backend(fail_first(repeats_key), api_key_env="SOME_KEY")
    with pytest.raises(BackendError) as error_info:
        backend.answer_batch([QUERY])
    assert all(headers["Authorization"] == "Bearer secret-12345" for _, headers, _ in server.requests)
    visible_texts = (str(error_info.value), backend.fingerprint, backend.options.model_dump_json(), repr(vars(backend)))
    assert not any("secret-12345" in text for text in visible_texts)


def test_a_key_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    with pytest.raises(UsageError, match=r"SOME_KEY.*is not set"):
        OpenAiBackend(OpenAiOptions(api_key_env="SOME_KEY")).load()


def test_no_key_is_sent_without_the_option(open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-12345")
    _, server = open_backend(answer_correctly)
    assert "Authorization" not in server.requests[0][1]


def test_requests_to_this_machine_use_no_proxy(open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    backend, _ = open_backend(answer_correctly)
    assert backend.answer_batch([QUERY])[0].text


@pytest.mark.parametrize(
    ("url", "leaves"),
    [
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost:8000/v1", False),
        ("https://[::1]:8000/v1", False),
        ("http://127.0.0.1@example.org/v1", True),
        ("http://127.0.0.1.example.org/v1", True),
        ("http://192.168.0.7:8000/v1", True),
        ("http://0.0.0.0:8000/v1", True),
        ("https://api.openai.com/v1", True),
    ],
)
def test_only_a_loopback_address_keeps_images_here(url: str, leaves: bool) -> None:
    assert OpenAiBackend(OpenAiOptions(base_url=url)).leaves_machine is leaves


def image_folder(folder: Path) -> Path:
    """Return a video of twelve different frames, so that no two questions are equal."""
    folder.mkdir()
    for number in range(12):
        write_image(folder / f"{number}.png", np.full((16, 16, 3), 20 * number, dtype=np.uint8))
    return folder


def run_command(video: Path, url: str, *more: str) -> list[str]:
    plain = ["--selector", "middle", "--context", "key", "--backend", "openai", "--backend.base-url", url]
    words = ["--scoring", "words", "--segment-frames", "1"]
    return [sys.executable, "-m", "anyanomaly", "run", str(video), "-t", "red", *plain, *words, *more]


@contextmanager
def start(command: list[str], cache: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "ANYANOMALY_CACHE_DIR": str(cache)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_another_machine_needs_allow_network(tmp_path: Path) -> None:
    video = image_folder(tmp_path / "video")
    with start(run_command(video, "http://192.0.2.1/v1"), tmp_path) as process:
        _, err = process.communicate(timeout=120)
    assert process.returncode == 2
    assert err.splitlines()[-1].endswith("sends images off this machine. If that is allowed, add --allow-network.")


def test_an_interrupt_ends_the_run_at_once_and_keeps_the_answers(tmp_path: Path) -> None:
    video = image_folder(tmp_path / "video")
    n_good = 4

    def script(handler, content):
        if content is not None and len(server.posted) > n_good:
            time.sleep(60)
        answer_correctly(handler, content)

    with serve(script) as server:
        command = run_command(video, server.url, "--backend.max-inflight", "2")
        with start(command, tmp_path) as process:
            deadline = time.monotonic() + 120
            while len(server.posted) < n_good + 2 and time.monotonic() < deadline:
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=20)  # far less than the answer would take
        assert process.returncode == 130
        assert err.splitlines()[-1] == "anyanomaly: interrupted"
        server.script = answer_correctly
        with start(command, tmp_path) as process:
            _, err = process.communicate(timeout=120)
        assert process.returncode == 0
        assert f"{12 - n_good} questions asked, {n_good} answers reused" in err


def test_a_server_that_dies_ends_the_run_and_a_second_run_completes(tmp_path: Path) -> None:
    video = image_folder(tmp_path / "video")
    with serve(fail_first(*[answer_correctly] * 5, *[drop_connection] * 9)) as server:
        command = run_command(video, server.url, "--backend.retries", "0", "-o", str(tmp_path / "r.jsonl"))
        command += ["--backend.max-inflight", "1"]
        with start(command, tmp_path) as process:
            _, err = process.communicate(timeout=120)
        assert process.returncode == 5
        assert "closed the connection" in err.splitlines()[-1]
        assert (tmp_path / "r.jsonl.partial").read_text().count('"type": "segment"') == 5
        server.script = answer_correctly
        with start(command, tmp_path) as process:
            _, err = process.communicate(timeout=120)
        assert process.returncode == 0
        assert "7 questions asked, 5 answers reused" in err


def test_an_empty_answer_is_unreadable_and_no_error(open_backend: OpenBackend) -> None:
    backend, _ = open_backend(fail_first(reply_status(200, text_answer(None))))  # type: ignore[arg-type]  # what a refusal looks like
    assert backend.answer_batch([QUERY])[0].text == ""
