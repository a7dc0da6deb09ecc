"""Start servers of models on loopback for the time of a benchmark."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

START_S = 420


@contextmanager
def server(command: Sequence[str], path: str, log: Path) -> Iterator[str]:
    """Start a server on loopback, wait until it answers at ``path``, yield its address, then end all its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = ("127.0.0.1", str(free.getsockname()[1]))
    environment = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--host", address[0], "--port", address[1]],
            env=os.environ | environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        until = time.monotonic() + START_S
        while not answers(f"http://{':'.join(address)}/{path}"):
            if process.poll() is not None or time.monotonic() > until:
                raise SystemExit(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(1)
        yield f"http://{':'.join(address)}/v1"
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def answers(url: str) -> bool:
    """Return whether a server answers at an address."""
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
