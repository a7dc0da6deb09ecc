"""One server: requests with time-outs and retries, and what kind of server it is."""

from __future__ import annotations

import ipaddress
import os
import random
import ssl
import threading
import time
from typing import Any

import httpx

from anyanomaly.errors import BackendError, UsageError
from anyanomaly_openai.errors import Passing, answered, unanswered
from anyanomaly_openai.options import Kind, OpenAiOptions

CONNECT_S = 10.0
FIRST_WAIT_S = 0.5

_OWNERS: dict[str, Kind] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "me": "llama.cpp",  # llama-cpp-python
    "library": "ollama",
}
"""What servers write as the owner of their models."""


def is_loopback(url: str) -> bool:
    """Tell whether an address stays on this machine."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Server:
    """A connection pool to a server; used by many threads at once."""

    def __init__(self, options: OpenAiOptions) -> None:
        """:raises UsageError: when the key's variable is not set, or the file of authorities cannot be read."""
        self.url = options.base_url.rstrip("/")
        self._options = options
        self._stopped = threading.Event()
        self._not_before = 0.0  # monotonic; what a server asks for holds for all requests
        self._key = _key(options)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(options.timeout_seconds, connect=CONNECT_S, pool=None),
            limits=httpx.Limits(max_connections=options.max_inflight, max_keepalive_connections=options.max_inflight),
            verify=_authorities(options.ca_file),
            trust_env=not is_loopback(self.url),  # a proxy would carry the images off this machine
        )

    def close(self) -> None:
        """Drop all connections; requests under way end with an error."""
        self._stopped.set()
        self._client.close()

    def get(self, path: str, *, retries: int | None = None) -> dict[str, Any]:
        """Get a JSON object from below the base address.

        :raises BackendError: when it cannot be had.
        """
        return self._insist("GET", f"{self.url}/{path}", None, retries)

    def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Post a JSON object below the base address; a path that begins with / is taken from the server's root.

        :raises BackendError: when no answer can be had.
        """
        base = self.url.removesuffix("/v1") if path.startswith("/") else f"{self.url}/"
        return self._insist("POST", f"{base}{path}", content, None)

    def model(self) -> tuple[str, Kind]:
        """Return the model's name, and what kind of server it is.

        A server that is not there is not waited for: at the start that is a mistake more often than a pause.

        :raises UsageError: when the model has to be named. :raises BackendError: when the server cannot be asked.
        """
        content = self.get("models", retries=0)
        listed = content.get("data")
        if not isinstance(listed, list) or not all(isinstance(each, dict) and "id" in each for each in listed):
            raise BackendError(f"The server at {self.url} lists no models; it does not speak OpenAI's API.")
        owners = {str(each["id"]): str(each.get("owned_by", "")) for each in listed}
        name = self._options.model or (next(iter(owners)) if len(owners) == 1 else "")
        if not name:
            raise UsageError(
                f"Say which model to ask with --backend.model: {', '.join(sorted(owners)) or 'none listed'}."
            )
        if self._options.server != "auto":
            return name, self._options.server
        return name, _OWNERS.get(owners.get(name, next(iter(owners.values()), "")).lower(), "other")

    def _insist(self, method: str, url: str, content: dict[str, Any] | None, retries: int | None) -> dict[str, Any]:
        wait_s = FIRST_WAIT_S
        left = self._options.retries if retries is None else retries
        while True:
            self._wait_until(self._not_before)
            try:
                return self._once(method, url, content)
            except Passing as error:
                if not left or self._stopped.is_set():
                    raise BackendError(str(error)) from error
                left -= 1
                if error.wait_s is not None:
                    self._not_before = max(self._not_before, time.monotonic() + error.wait_s)
                else:
                    self._wait_until(time.monotonic() + wait_s * random.uniform(0.5, 1.0))  # apart from each other
                    wait_s *= 2

    def _once(self, method: str, url: str, content: dict[str, Any] | None) -> dict[str, Any]:
        try:
            response = self._client.request(method, url, json=content)
        except httpx.HTTPError as error:
            raise unanswered(self.url, error, self._options.timeout_seconds) from error
        return answered(self.url, response, self._key)

    def _wait_until(self, moment: float) -> None:
        if (wait_s := moment - time.monotonic()) > 0 and self._stopped.wait(wait_s):
            raise BackendError(f"The connection to {self.url} was closed.")


def _key(options: OpenAiOptions) -> str:
    if not options.api_key_env:
        return ""
    key = os.environ.get(options.api_key_env, "").strip()
    if not key:
        raise UsageError(f"The environment variable {options.api_key_env} (--backend.api-key-env) is not set.")
    return key


def _authorities(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"The certificates in {ca_file} (--backend.ca-file) cannot be read: {error}.") from error
