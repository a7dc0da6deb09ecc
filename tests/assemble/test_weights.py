"""Downloads are told before they start: asked of a hub on loopback, or refused with what helps."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from anyanomaly.assemble.weights import download, hub_cache
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
        "from anyanomaly.assemble.weights import download\n"
        "print(download({'model': 'some/model', 'revision': 'main'}))\n"
        "print(download({'model': 'some/model-GGUF:m-Q4.gguf', 'revision': 'main'}))\n"
    )
    environment = {"PATH": "", "HF_HOME": str(cache.parent), "HF_ENDPOINT": hub, "PYTHONPATH": ":".join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told[0] == f"downloading some/model, 7.5 GB, to {cache} (HF_HOME decides where), once"
    assert told[1].startswith("downloading some/model-GGUF, 2.8 GB, ")


def test_without_a_network_the_commands_that_help_are_named(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(MissingRequirement, match=r"HF_HUB_OFFLINE is set.*--backend\.model.*hf download") as told:
        download({"model": "some/model", "revision": "main"})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("model", "files", "here"),
    [
        ("some/model", ["snapshots/1/a.safetensors"], True),
        ("some/model", ["snapshots/1/config.json"], False),
        ("some/model", ["snapshots/1/a.safetensors", "blobs/2.incomplete"], False),
        ("some/model:q4.gguf", ["snapshots/1/q4.gguf"], True),
        ("some/model:q4.gguf", ["snapshots/1/q8.gguf"], False),
    ],
)
def test_what_is_in_the_cache_is_not_downloaded(
    cache: Path, monkeypatch: pytest.MonkeyPatch, model: str, files: list[str], here: bool
) -> None:
    for file in files:
        path = cache / "models--some--model" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if here:
        assert download({"model": model, "revision": "main"}) == ""
    else:
        with pytest.raises(MissingRequirement):
            download({"model": model, "revision": "main"})


def test_what_is_no_hub_model_is_not_downloaded(tmp_path: Path) -> None:
    for options in (
        {},
        {"model": "", "revision": "main"},
        {"model": "name/on-a-server"},
        {"model": str(tmp_path), "revision": "main"},
        {"model": "./not/there", "revision": "main"},
    ):
        assert download(options) == ""


def test_the_cache_is_where_the_usual_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", "/big")
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert hub_cache() == Path("/big/hub")
    monkeypatch.setenv("HF_HUB_CACHE", "/bigger")
    assert hub_cache() == Path("/bigger")
