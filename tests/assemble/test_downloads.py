"""Downloads are announced before they start: their size is asked of a hub on loopback, or they are refused."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anyanomaly.api import Download
from anyanomaly.assemble.downloads import announce, hub_cache, is_present
from anyanomaly.errors import MissingRequirement

FILES = {"config.json": 900, "a.safetensors": 4_000_000_000, "b.safetensors": 3_500_000_000, "old/c.bin": 10**10}
QUANTISED = {"m-Q4.gguf": 2_000_000_000, "m-Q8.gguf": 4_000_000_000, "mmproj-f16.gguf": 800_000_000}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    return tmp_path / "hub"


@pytest.fixture
def hub() -> Iterator[str]:
    """Serve what the hub says about a model's files."""

    class Hub(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            files = QUANTISED if "GGUF" in self.path else FILES
            siblings = [{"rfilename": name, "size": size} for name, size in files.items()]
            body = json.dumps({"id": "some/model", "sha": "0" * 40, "siblings": siblings}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_how_large_and_where_to(cache: Path, hub: str) -> None:
    """In a process of its own: the hub's client reads its address when it is imported."""
    code = (
        "from anyanomaly.api import Download\n"
        "from anyanomaly.assemble.downloads import announce\n"
        "print(announce(Download('some/model'), '--backend.model'))\n"
        "print(announce(Download('some/model-GGUF', file='m-Q4.gguf'), '--backend.model'))\n"
    )
    environment = {"PATH": "", "HF_HOME": str(cache.parent), "HF_ENDPOINT": hub, "PYTHONPATH": ":".join(sys.path)}
    lines = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert lines[0] == f"downloading some/model, 7.5 GB, to {cache} (HF_HOME decides where), once"
    assert lines[1].startswith("downloading some/model-GGUF, 2.8 GB, ")


def test_without_a_network_the_commands_that_help_are_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingRequirement, match=r"HF_HUB_OFFLINE is set.*--encoder\.model.*hf download") as error:
        announce(Download("some/model"), "--encoder.model")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("download", "files", "present"),
    [
        (Download("some/model"), ["snapshots/1/a.safetensors"], True),
        (Download("some/model"), ["snapshots/1/config.json"], False),
        (Download("some/model"), ["snapshots/1/a.safetensors", "blobs/2.incomplete"], False),
        (Download("some/model", file="q4.gguf"), ["snapshots/1/q4.gguf"], True),
        (Download("some/model", file="q4.gguf"), ["snapshots/1/q8.gguf"], False),
    ],
)
def test_weights_in_the_cache_are_present(cache: Path, download: Download, files: list[str], present: bool) -> None:
    for file in files:
        path = cache / "models--some--model" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert is_present(download) is present


def test_the_cache_is_where_the_usual_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/big")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert hub_cache() == Path("/big/hub")
    monkeypatch.setenv("HF_HUB_CACHE", "/bigger")
    assert hub_cache() == Path("/bigger")
