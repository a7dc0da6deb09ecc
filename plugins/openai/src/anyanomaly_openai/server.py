"""One server: its kind, and requests with timeouts and retries."""

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
from anyanomaly_openai.errors import TemporaryError, connection_error, read_response
from anyanomaly_openai.options import Kind, OpenAiOptions

CONNECT_TIMEOUT_S = 10.0
FIRST_WAIT_S = 0.5

_KIND_OF_OWNER: dict[str, Kind] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "me": "llama.cpp",  # llama-cpp-python
    "library": "ollama",
}
"""Kind of server by the owner that it gives for its models."""


def is_loopback(url: str) -> bool:
    """Return whether an address is on this machine."""
    host = httpx.URL(url).host
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Server:
    """A connection pool to a server; used by many threads at once."""

    def __init__(self, options: OpenAiOptions) -> None:
        """:raises UsageError: when the key's variable is not set, or the certificates cannot be read."""
        self.url = options.base_url.rstrip("/")
        self._options = options
        self._stopped = threading.Event()
        self._not_before = 0.0  # monotonic time; a server's Retry-After holds for all requests
        self._key = _read_key(options)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._client = httpx.Client(
            headers=headers,
            timeout=httpx.Timeout(options.timeout_seconds, connect=CONNECT_TIMEOUT_S, pool=None),
            limits=httpx.Limits(max_connections=options.max_inflight, max_keepalive_connections=options.max_inflight),
            verify=_load_authorities(options.ca_file),
            trust_env=not is_loopback(self.url),  # a proxy would send the images off this machine
        )

    def close(self) -> None:
        """Close all connections; requests in flight end with an error."""
        self._stopped.set()
        self._client.close()

    def get(self, path: str, *, retries: int | None = None) -> dict[str, Any]:
        """Get a JSON object.

        :param path: relative to the base address.
        :param retries: None: as many as the options say.
        :raises BackendError: when the server does not give it.
        """
        return self._request_with_retries("GET", f"{self.url}/{path}", None, retries)

    def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        """Post a JSON object and return the one in the response.

        :param path: relative to the base address; with a leading / relative to the server's root.
        :raises BackendError: when the server does not answer it.
        """
        base = self.url.removesuffix("/v1") if path.startswith("/") else f"{self.url}/"
        return self._request_with_retries("POST", f"{base}{path}", content, None)

    def model(self) -> tuple[str, Kind]:
        """Return the model's name and the kind of server.

        Without retries: at the start, a missing server is a wrong address more often than a pause.

        :raises UsageError: when the user must name the model. :raises BackendError: when the server does not answer.
        """
        content = self.get("models", retries=0)
        models = content.get("data")
        if not isinstance(models, list) or not all(isinstance(model, dict) and "id" in model for model in models):
            raise BackendError(
                f"The server at {self.url} lists no models, so it is not OpenAI-compatible. Check --backend.base-url."
            )
        owners = {str(model["id"]): str(model.get("owned_by", "")) for model in models}
        name = self._options.model or (next(iter(owners)) if len(owners) == 1 else "")
        if not name:
            raise UsageError(f"Choose the model with --backend.model: {', '.join(sorted(owners)) or 'none listed'}.")
        if self._options.server != "auto":
            return name, self._options.server
        owner = owners.get(name, next(iter(owners.values()), ""))
        return name, _KIND_OF_OWNER.get(owner.lower(), "other")

    def _request_with_retries(
        self, method: str, url: str, content: dict[str, Any] | None, retries: int | None
    ) -> dict[str, Any]:
        wait_s = FIRST_WAIT_S
        n_retries = self._options.retries if retries is None else retries
        while True:
            self._wait_until(self._not_before)
            try:
                return self._request(method, url, content)
            except TemporaryError as error:
                if not n_retries or self._stopped.is_set():
                    raise BackendError(str(error)) from error
                n_retries -= 1
                if error.wait_s is not None:
                    self._not_before = max(self._not_before, time.monotonic() + error.wait_s)
                else:
                    self._wait_until(time.monotonic() + wait_s * random.uniform(0.5, 1.0))  # spread in time
                    wait_s *= 2

    def _request(self, method: str, url: str, content: dict[str, Any] | None) -> dict[str, Any]:
        try:
            response = self._client.request(method, url, json=content)
        except httpx.HTTPError as error:
            raise connection_error(self.url, error, self._options.timeout_seconds) from error
        return read_response(self.url, response, self._key)

    def _wait_until(self, moment: float) -> None:
        if (wait_s := moment - time.monotonic()) > 0 and self._stopped.wait(wait_s):
            raise BackendError(f"The connection to {self.url} was closed.")


def _read_key(options: OpenAiOptions) -> str:
    if not options.api_key_env:
        return ""
    key = os.environ.get(options.api_key_env, "").strip()
    if not key:
        raise UsageError(f"The environment variable {options.api_key_env} (--backend.api-key-env) is not set.")
    return key


def _load_authorities(ca_file: str) -> ssl.SSLContext | bool:
    if not ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:  # ssl.SSLError is one
        raise UsageError(f"The certificates in {ca_file} (--backend.ca-file) cannot be read: {error}.") from error
