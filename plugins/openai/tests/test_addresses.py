"""Addresses of servers: which are on this machine, which are refused, and what a proxy gets."""

from __future__ import annotations

import pytest
from anyanomaly_openai.backend import OpenAiBackend
from anyanomaly_openai.options import OpenAiOptions

from anyanomaly.errors import BackendError, UsageError
from plugins.openai.tests.scripted_server import answer_correctly, serve


@pytest.mark.parametrize(
    ("url", "leaves"),
    [
        ("http://LOCALHOST:8000/v1", False),
        ("http://127.9.9.9/v1", False),
        ("http://[::ffff:127.0.0.1]/v1", False),
        ("http://bob:secret@127.0.0.1/v1", False),
        ("http://localhost@evil.example/v1", True),
        ("http://127.0.0.1:80@evil.example/v1", True),
        ("http://localhost.evil.example/v1", True),
        ("http://127.0.0.1.nip.io/v1", True),
        ("http://localhost.localdomain/v1", True),
        ("http://localhost%2eevil.example/v1", None),
        ("http://[::ffff:10.0.0.1]/v1", True),
        ("http://[::]/v1", True),
        ("http://0/v1", True),
        ("http://2130706433/v1", True),  # 127.0.0.1 for some programs: not for certain
        ("http://0x7f.1/v1", True),
        ("http://127.1/v1", True),
        ("http://localhost./v1", True),
        ("http://127.0.0.1./v1", True),
        ("http://bücher.example/v1", True),
        ("http://１２７.0.0.1/v1", None),
        ("http://ⓛocalhost/v1", None),
        ("http://127.0.0.1:80\\@evil.example/v1", None),
        ("http://127.0.0.1 .evil.example/v1", None),
        ("http://127.0.0.1\t/v1", None),
        ("http://%6cocalhost/v1", None),
        ("http:///v1", None),
        ("http://:8000/v1", None),
        ("http://host:99999/v1", None),
        ("http://host:0/v1", None),
        ("http://host:http/v1", None),
        ("http://host:-1/v1", None),
        ("http://[::1/v1", None),
        ("http://[fe80::1%25eth0]/v1", True),
        ("http://bob:pa/ss@host/v1", None),
        ("http://host/v1#part", None),
        ("https://xn--e28h.example/v1", True),
        ("http://" + "a" * 70_000 + "/v1", None),
    ],
)
def test_whether_an_address_leaves_this_machine_or_is_refused(url: str, leaves: bool | None) -> None:
    backend = OpenAiBackend(OpenAiOptions(base_url=url))
    if leaves is not None:
        assert backend.leaves_machine is leaves
        return
    for use in (lambda: backend.leaves_machine, backend.load):
        with pytest.raises(UsageError, match=r"--backend\.base-url.* is no address of a server") as error_info:
            use()
        assert "pa/ss" not in str(error_info.value)


def test_a_name_that_does_not_exist_is_one_error() -> None:
    backend = OpenAiBackend(OpenAiOptions(base_url="http://no-such-host.invalid/v1", timeout_seconds=20))
    with pytest.raises(BackendError, match=r"Nothing answers at http://no-such-host\.invalid/v1"):
        backend.load()


def test_the_environment_names_the_proxy_for_other_machines_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(answer_correctly) as proxy, serve(answer_correctly) as server:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.server_port}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        with OpenAiBackend(OpenAiOptions(base_url="http://server.example/v1")):
            pass
        assert proxy.requests[0][0] == "http://server.example/v1/models"
        proxy.requests.clear()
        with OpenAiBackend(OpenAiOptions(base_url=server.url)):
            pass
        assert not proxy.requests
        monkeypatch.setenv("no_proxy", "server.example")
        with pytest.raises(BackendError, match="Nothing answers"):
            OpenAiBackend(OpenAiOptions(base_url="http://server.example/v1", timeout_seconds=20)).load()
        assert not proxy.requests
