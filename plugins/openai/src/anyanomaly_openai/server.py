"""One server: its kind, and requests with a time limit and retries."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
from typing import Any, TypeVar

import httpx
from pydantic import ValidationError

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.masking import mask_url
from anyanomaly_openai.address import endpoint, environment_proxy, is_loopback, read_address
from anyanomaly_openai.credentials import Credentials
from anyanomaly_openai.errors import MAX_WAIT_S, TemporaryError, connection_error, read_reply
from anyanomaly_openai.exchange import exchange
from anyanomaly_openai.loop import LoopThread
from anyanomaly_openai.options import Kind, OpenAiOptions
from anyanomaly_openai.responses import ModelList, Response, find_fault
from anyanomaly_openai.waits import WaitReports

FIRST_PAUSE_S = 0.5
MAX_LISTED = 20
"""Names of models in a message; some services have hundreds."""

R = TypeVar("R", bound=Response)

log = logging.getLogger(__name__)
logging.getLogger("httpcore").setLevel(logging.WARNING)  # below, it logs headers, which may repeat the key

_KIND_OF_OWNER: dict[str, Kind] = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llama.cpp",
    "me": "llama.cpp",  # llama-cpp-python
    "library": "ollama",
}
"""Kind of server by the owner that it gives for its models."""


class Server:
    """A connection pool to a server; used by many threads at once. ``url`` is its address as it may be shown."""

    def __init__(self, options: OpenAiOptions) -> None:
        """:raises UsageError: when the address, the key, the certificates or the environment's proxy cannot be used."""
        self.url = mask_url(options.base_url.rstrip("/"))
        self._address = read_address(options.base_url)
        self._options = options
        self._not_before = 0.0  # time of the loop; a server's Retry-After holds for all requests
        proxy = environment_proxy(self._address)
        verify = _load_authorities(options.ca_file)
        try:
            self._credentials = Credentials(self._address, options.api_key_env, proxy)
            self._transport = httpx.AsyncHTTPTransport(
                verify=verify,
                limits=httpx.Limits(
                    max_connections=options.max_inflight, max_keepalive_connections=options.max_inflight
                ),
                proxy=httpx.Proxy(proxy) if proxy else None,
            )
        except (httpx.InvalidURL, ValueError, ImportError):  # their texts hold the proxy's password
            is_usable = False
        else:
            is_usable = True
        if not is_usable:
            raise UsageError(
                f"The proxy {mask_url(proxy)} of the environment cannot be used for {self.url}. Correct the variable "
                f"HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, or exempt the host with NO_PROXY."
            )
        if self._credentials.header and self._address.scheme == "http" and not is_loopback(self._address):
            log.warning(
                f"The key for {self.url} is sent without encryption. Use an address with https:// if it has one."
            )
        self._waits = WaitReports(self.url, options.timeout_seconds)
        self._loop = LoopThread()

    def close(self) -> None:
        """Close all connections; requests in flight end with an error."""
        self._loop.close(self._transport.aclose())

    def get(self, path: str, kind: type[R], *, retries: int | None = None) -> R:
        """Get a response of a kind.

        :param path: relative to the base address.
        :param retries: None: as many as the options say.
        :raises BackendError: when the server does not give it.
        """
        return self._ask("GET", path, b"", kind, self._options.retries if retries is None else retries)

    def post(self, path: str, content: dict[str, Any], kind: type[R]) -> R:
        """Post a JSON object and return the response, of a kind.

        :param path: relative to the base address; with a leading / relative to the server's root.
        :raises BackendError: when the server does not answer it.
        """
        return self._ask("POST", path, json.dumps(content).encode(), kind, self._options.retries)

    def model(self) -> tuple[str, Kind]:
        """Return the model's name and the kind of server.

        Without retries: at the start, a missing server is a wrong address more often than a pause.

        :raises UsageError: when the user must name the model. :raises BackendError: when the server does not answer.
        """
        models = self.get("models", ModelList, retries=0).data
        owners = {model.id: model.owned_by or "" for model in models}
        name = self._options.model or (next(iter(owners)) if len(owners) == 1 else "")
        if not name:
            names = sorted(owners)
            more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
            listed = ", ".join(names[:MAX_LISTED]) or "none listed"
            raise UsageError(f"Choose the model with --backend.model: {listed}{more}.")
        if self._options.server != "auto":
            return name, self._options.server
        owner = owners.get(name, next(iter(owners.values()), ""))
        return name, _KIND_OF_OWNER.get(owner.lower(), "other")

    def odd(self, subject: str, reason: str) -> BackendError:
        """Return the error for a response that a compatible server does not give."""
        return BackendError(
            f"The response of the server at {self.url} holds no {subject} that can be used, so it is not "
            f"OpenAI-compatible: {reason}. Check --backend.base-url and --backend.server."
        )

    def _ask(self, method: str, path: str, body: bytes, kind: type[R], n_retries: int) -> R:
        content = self._loop.run(self._answer(method, path, body, n_retries))
        if self._credentials.appear_in(json.dumps(content, ensure_ascii=False)):
            raise self.odd(
                kind.subject, "it repeats the key or password of the request, which does not belong in results"
            )
        try:
            return kind.model_validate(content)
        except ValidationError as error:
            reason = find_fault(error)
        raise self.odd(kind.subject, self._credentials.mask(reason))

    async def _answer(self, method: str, path: str, body: bytes, n_retries: int) -> dict[str, Any]:
        """Return the JSON object in the response, after retries; their pauses are at most `MAX_WAIT_S` together."""
        loop = asyncio.get_running_loop()
        pause_s, total_pause_s = FIRST_PAUSE_S, 0.0
        with self._waits.watch() as wait:
            while True:
                await asyncio.sleep(self._not_before - loop.time())
                try:
                    return await self._try_once(method, path, body)
                except TemporaryError as error:
                    failure = error
                wait.reason = str(failure)
                next_pause_s = failure.wait_s or pause_s * random.uniform(0.5, 1.0)  # spread in time
                total_pause_s += next_pause_s
                if not n_retries or total_pause_s > MAX_WAIT_S:
                    raise BackendError(str(failure))
                n_retries -= 1
                self._waits.announce(next_pause_s, wait.reason)
                if failure.wait_s is not None:
                    self._not_before = max(self._not_before, loop.time() + failure.wait_s)
                else:
                    await asyncio.sleep(next_pause_s)
                    pause_s = min(2 * pause_s, MAX_WAIT_S)

    async def _try_once(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        if body:
            headers["Content-Type"] = "application/json"
        if self._credentials.header:
            headers["Authorization"] = self._credentials.header
        timeout_s, max_bytes = self._options.timeout_seconds, int(self._options.max_response_mib * 2**20)
        request = httpx.Request(method, endpoint(self._address, path), headers=headers, content=body)
        try:
            reply = await exchange(self._transport, request, timeout_s, max_bytes)
        except Exception as error:  # whatever a hostile response causes in the layers below
            failure = connection_error(self.url, error, timeout_s, self._credentials.mask)
        else:
            return read_reply(self.url, reply, self._credentials.mask)
        raise failure


def _load_authorities(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context()
    except OSError as error:  # ssl.SSLError is one
        source = f"in {ca_file} (--backend.ca-file)" if ca_file else "that SSL_CERT_FILE or SSL_CERT_DIR name"
        raise UsageError(f"The certificates {source} cannot be read: {error}.") from error
