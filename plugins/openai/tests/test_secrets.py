"""Keys and passwords reach the server, and nothing else: no message, log, result or setting shows them."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.masking import mask_url
from anyanomaly.testing.samples import sample_queries
from plugins.openai.tests.conftest import OpenBackend
from plugins.openai.tests.scripted_server import Handler, answer_correctly, fail_first, reply_status, serve, text_answer
from plugins.openai.tests.test_errors import image_folder, run_command

QUERY = next(sample_queries())
KEY = "sk-live/7f3c9d+1e8b=="
PASSWORD = "p@ss/wörd?#1"
IN_URL = f"bob:{quote(PASSWORD, safe='')}"


def with_login(url: str) -> str:
    return f"{url.replace('://', f'://{IN_URL}@')}?token=abcdefgh12345678"


def shown(*texts: str) -> list[str]:
    """Return the parts of the password and the query that texts show."""
    forms = [PASSWORD, quote(PASSWORD, safe=""), "abcdefgh1234", base64.b64encode(f"bob:{PASSWORD}".encode()).decode()]
    return [form for form in forms if any(form in text for text in texts)]


def test_a_password_in_the_address_is_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serve(answer_correctly) as server:
        options = OpenAiOptions(base_url=with_login(server.url), retries=0)
        with OpenAiBackend(options) as backend:
            assert backend.answer_batch([QUERY])[0].text
            fingerprint = backend.fingerprint
            server.script = reply_status(418, {"error": f"No tea for bob:{PASSWORD}"})
            with pytest.raises(BackendError, match="No tea") as error_info:
                backend.answer_batch([QUERY])
        for path, headers, _ in server.requests:
            assert path.endswith("?token=abcdefgh12345678")
            assert base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode() == f"bob:{PASSWORD}"
    assert shown(caplog.text, fingerprint, str(error_info.value), repr(options)) == []
    assert f"http://***@127.0.0.1:{server.server_port}/v1?token=***" in fingerprint


def test_a_password_in_the_address_is_not_in_results_and_settings(tmp_path: Path) -> None:
    results = tmp_path / "results.jsonl"
    with serve(answer_correctly) as server:
        command = run_command(
            image_folder(tmp_path / "video"), with_login(server.url), "--no-cache", "-o", str(results)
        )
        command.insert(3, "-v")
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        show = [*command[:4], "config", "show", *command[7:-3]]
        settings = subprocess.run(show, capture_output=True, text=True, check=True)
        server.script = reply_status(400)
        failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 5
    assert shown(results.read_text(), run.stdout, run.stderr, settings.stdout, settings.stderr, failed.stderr) == []
    assert "***@127.0.0.1" in settings.stdout
    assert "***@127.0.0.1" in failed.stderr
    assert "***@127.0.0.1" in json.loads(results.read_text().splitlines()[0])["config"]["backend"]["base_url"]


ECHOES = {
    "plain": KEY,
    "a part": KEY[:9],
    "its end": KEY[-9:],
    "escaped": quote(KEY, safe=""),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 after a name": base64.b64encode(f"x:{KEY}".encode()).decode()[4:],
    "hex": KEY.encode().hex(),
    "with the header": f"Authorization: Bearer {KEY}",
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_a_key_that_a_server_repeats_is_masked(
    open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, echo: str
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    faults = [
        reply_status(400, {"error": {"message": f"Wrong: {echo}"}}),
        reply_status(302, Location=f"http://evil.example/{echo}?k={echo}#{echo}"),
        reply_status(200, f"<p>{echo}".encode()),
        reply_status(200, {"choices": [{"message": {}, "finish_reason": [echo]}]}),
        lambda handler, _: handler.wfile.write(f"HTTP/1.1 {echo}\r\n\r\n".encode()),
    ]
    backend, _ = open_backend(fail_first(*faults), api_key_env="SOME_KEY", retries=0)
    for _ in faults:
        with pytest.raises(BackendError) as error_info:
            backend.answer_batch([QUERY])
        parts = {echo[start : start + 6] for start in range(len(echo.rstrip("=")) - 5)}
        parts = {part for part in parts if part in KEY or "Bearer" not in echo}
        assert not [part for part in parts if part in str(error_info.value) or part in caplog.text]


def test_an_answer_that_holds_the_key_is_refused(open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    answers = [reply_status(200, text_answer(f"0.5 {echo}")) for echo in (KEY, base64.b64encode(KEY.encode()).decode())]
    backend, _ = open_backend(fail_first(*answers), api_key_env="SOME_KEY")
    for _ in answers:
        with pytest.raises(BackendError, match="repeats the key"):
            backend.answer_batch([QUERY])


def test_a_short_key_of_a_local_server_is_an_ordinary_word(
    open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "EMPTY")
    backend, _ = open_backend(fail_first(reply_status(200, text_answer("0.1 EMPTY"))), api_key_env="SOME_KEY")
    assert backend.answer_batch([QUERY])[0].text == "0.1 EMPTY"


@pytest.mark.parametrize("key", ["käy-12345", "two\nlines", "tab\tkey"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("SOME_KEY", key)
    with pytest.raises(UsageError, match=r"SOME_KEY.*printable ASCII") as error_info:
        OpenAiBackend(OpenAiOptions(api_key_env="SOME_KEY")).load()
    assert key not in str(error_info.value)


def test_a_key_and_a_password_exclude_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    with pytest.raises(UsageError, match="remove the other"):
        OpenAiBackend(OpenAiOptions(base_url="http://bob:secret@127.0.0.1:9/v1", api_key_env="SOME_KEY")).load()


def test_a_key_without_encryption_gives_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("SOME_KEY", KEY)
    monkeypatch.setenv("http_proxy", "")
    backend = OpenAiBackend(OpenAiOptions(base_url="http://0.0.0.0:9/v1", api_key_env="SOME_KEY", timeout_seconds=0.5))
    with pytest.raises(BackendError):
        backend.load()
    assert "sent without encryption" in caplog.text


def test_the_password_of_a_proxy_is_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handler: Handler, _: Any) -> None:
        handler.reply({"error": "Not bob:hunter2222"}, 407)

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serve(refuse) as proxy:
        address = f"http://bob:hunter2222@127.0.0.1:{proxy.server_port}"
        monkeypatch.setenv("http_proxy", address)
        backend = OpenAiBackend(OpenAiOptions(base_url="http://server.example/v1", timeout_seconds=5))
        with pytest.raises(
            BackendError, match=r"407 Proxy Authentication Required: Not .*proxy's environment"
        ) as refused:
            backend.load()
        assert "Proxy-Authorization" in proxy.requests[0][1]
        monkeypatch.setenv("http_proxy", "odd://bob:hunter2222@proxy")
        with pytest.raises(UsageError, match=r"odd://\*\*\*@proxy .*cannot be used") as unusable:
            backend.load()
    assert "hunter2222" not in f"{refused.value} {unusable.value}"
    assert unusable.value.__context__ is None


@given(st.text(min_size=1), st.text(min_size=1), st.sampled_from(["http", "https", "rtsp"]))
def test_no_login_survives_masking(user: str, password: str, scheme: str) -> None:
    user, password = f"<u{user}u>", f"<p{password}p>"
    for login in (f"{quote(user, safe='')}:{quote(password, safe='')}", quote(password, safe="")):
        assert (
            mask_url(f"{scheme}://{login}@host:80/v1?key={quote(password, safe='')}")
            == f"{scheme}://***@host:80/v1?key=***"
        )
    assert password not in mask_url(f"{scheme}://user:{password}@host/v1")
