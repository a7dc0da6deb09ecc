"""Failures of a server and of the connection to it as errors of anyanomaly that say what to do."""

from __future__ import annotations

import email.utils
import math
import re
import ssl
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import httpx

from anyanomaly.errors import BackendError
from anyanomaly.kit import first_line
from anyanomaly_openai.exchange import Reply, UnreadableResponse
from anyanomaly_openai.responses import parse_object

MAX_WAIT_S = 300.0
"""A server that asks for a longer wait ends the run: finished segments are kept, and the same command continues."""
MAX_SHOWN = 200
"""Characters of a server's message in an error."""

TEMPORARY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})

Mask = Callable[[str], str]
"""Removes secrets from what a server says."""


class TemporaryError(BackendError):
    """A failure after which a retry may succeed. ``wait_s``: seconds to wait before it; None: the server names none."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def read_reply(url: str, reply: Reply, mask: Mask) -> dict[str, Any]:
    """Return the JSON object in a server's response.

    :param url: address of the server as it is shown.
    :raises TemporaryError: when a retry may succeed. :raises BackendError: when the server refused, with its message.
    """
    if reply.status != HTTPStatus.OK:
        raise _status_error(url, reply, mask)
    kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "text/event-stream":
            raise ValueError("it is a stream of events, which was not asked for")
        return parse_object(reply.body)  # whatever type is declared: some servers send JSON as HTML
    except ValueError as error:
        reason = str(error)
    raise TemporaryError(f"The server at {url} answered without JSON: {_message(reply, mask)} Reason: {mask(reason)}.")


def _status_error(url: str, reply: Reply, mask: Mask) -> BackendError:
    """Return the error for a response with another status than 200."""
    status = _status(reply.status)
    message = f"The server at {url} answered {status}: {_message(reply, mask)}"
    if reply.status in TEMPORARY:
        wait_s = retry_after(reply.headers)
        if wait_s is not None and wait_s > MAX_WAIT_S:
            return BackendError(
                f"{message} It asks to wait {wait_s:.0f} s. Run the same command again then; finished segments "
                "are kept."
            )
        return TemporaryError(message, wait_s)
    if reply.status in (401, 403):
        return BackendError(
            f"The server at {url} refuses access ({status}). Name the environment variable that holds its "
            f"key, for example --backend.api-key-env OPENAI_API_KEY, and check the key."
        )
    if reply.status == 407:
        return BackendError(f"{message} Check the user name and password in the proxy's environment variable.")
    if 300 <= reply.status < 400:
        target = _shorten(mask(reply.headers.get("location", "?")))
        return BackendError(
            f"The server at {url} redirects to {target}; images are not sent to a "
            f"redirect. If that is the right address, give it as --backend.base-url."
        )
    if reply.status == 404:
        return BackendError(f"{message} Check --backend.base-url, which usually ends in /v1, and --backend.model.")
    if reply.status < 400:
        return BackendError(f"{message} An answer has the status 200. Check --backend.base-url.")
    return BackendError(message)


def connection_error(url: str, error: Exception, timeout_s: float, mask: Mask) -> BackendError:
    """Return the error for a request without a usable response; a `TemporaryError` when a retry may succeed.

    It does not have ``error`` as its cause, because that may hold secrets.
    """
    if certificate := _certificate_error(error):
        return BackendError(
            f"The certificate of {url} does not verify: {mask(certificate)}. If the authority is your own, give its "
            f"certificate with --backend.ca-file FILE."
        )
    if isinstance(error, UnreadableResponse):
        return BackendError(
            f"The response of the server at {url} cannot be read: {mask(str(error))}. Check --backend.base-url, or "
            f"raise --backend.max-response-mib."
        )
    if isinstance(error, httpx.ConnectTimeout):
        return TemporaryError(f"Nothing answers at {url} in time. Start the server, or check --backend.base-url.")
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return TemporaryError(
            f"The server at {url} gave no answer in {timeout_s:g} s, or no complete one. Raise "
            f"--backend.timeout-seconds, or lower --backend.max-inflight."
        )
    reason = _shorten(mask(first_line(error))).rstrip(".")
    if isinstance(error, httpx.ProxyError):
        return TemporaryError(f"The proxy on the way to {url} refuses: {reason}. Check the environment's proxies.")
    if isinstance(error, httpx.ConnectError):
        return TemporaryError(f"Nothing answers at {url} ({reason}). Start the server, or check --backend.base-url.")
    return TemporaryError(f"The server at {url} closed the connection: {reason}.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds in the header Retry-After, a number or a date; None when it is not valid, or not above 0."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,15}(\.\d{0,15})?", value, re.ASCII):
        wait_s = float(value)
    else:
        try:
            wait_s = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError, TypeError, IndexError):  # the last two are faults of Python's parser
            return None
    return wait_s if math.isfinite(wait_s) and wait_s > 0 else None


def _certificate_error(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return str(error).partition("failed: ")[2].partition(" (")[0] or "unknown"
        error = error.__cause__ or error.__context__
    return ""


def _status(code: int) -> str:
    """Return a status in words of our own: those of the server may hold anything."""
    try:
        return f"{code} {HTTPStatus(code).phrase}"
    except ValueError:
        return str(code)


def _message(reply: Reply, mask: Mask) -> str:
    """Return the server's message without secrets, at most `MAX_SHOWN` characters."""
    text = reply.body.decode("utf-8", errors="replace")
    try:
        content = parse_object(reply.body)
    except ValueError:
        pass
    else:
        error = content.get("error", content)
        text = str(error.get("message") or content.get("detail") or text) if isinstance(error, dict) else str(error)
    text = _shorten(mask(" ".join(text[: 10 * MAX_SHOWN].split())))
    return f"{text.rstrip('.')}." if text else "no message."


def _shorten(text: str) -> str:
    return f"{text[:MAX_SHOWN]}..." if len(text) > MAX_SHOWN else text
