"""Failures of a server and of the connection to it as errors of anyanomaly that say what to do."""

from __future__ import annotations

import email.utils
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx

from anyanomaly.errors import BackendError
from anyanomaly.kit import first_line

MAX_WAIT_S = 300.0
"""A server that asks for a longer wait ends the run: finished segments are kept, and the same command continues."""

TEMPORARY = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class TemporaryError(BackendError):
    """A failure after which a retry may succeed. ``wait_s``: seconds to wait before it; None: the server names none."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def read_response(url: str, response: httpx.Response, secret: str) -> dict[str, Any]:
    """Return the JSON object in a server's response.

    :param secret: the key, which is removed from messages.
    :raises TemporaryError: when a retry may succeed. :raises BackendError: when the server refused, with its message.
    """
    if response.status_code in TEMPORARY:
        wait_s = retry_after(response.headers)
        message = f"The server at {url} answered {_status(response)}: {_message(response, secret)}"
        if wait_s is not None and wait_s > MAX_WAIT_S:
            raise BackendError(
                f"{message} It asks to wait {wait_s:.0f} s. Run the same command again then; finished segments "
                "are kept."
            )
        raise TemporaryError(message, wait_s)
    if response.status_code in (401, 403):
        raise BackendError(
            f"The server at {url} refuses access ({_status(response)}). Name the environment variable that holds its "
            f"key, for example --backend.api-key-env OPENAI_API_KEY, and check the key."
        )
    if response.is_redirect:
        raise BackendError(
            f"The server at {url} redirects to {response.headers.get('location', '?')}; images are not sent to a "
            f"redirect. If that is the right address, give it as --backend.base-url."
        )
    if response.status_code == 404:
        raise BackendError(
            f"The server at {url} answered {_status(response)}: {_message(response, secret)} Check --backend.base-url, "
            f"which usually ends in /v1, and --backend.model."
        )
    if response.status_code >= 400:
        raise BackendError(f"The server at {url} answered {_status(response)}: {_message(response, secret)}")
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise TemporaryError(f"The server at {url} answered without JSON: {_message(response, secret)}")
    return content


def connection_error(url: str, error: httpx.HTTPError, timeout_s: float) -> BackendError:
    """Return the error for a request without a response; a `TemporaryError` when a retry may succeed."""
    if certificate := _certificate_error(error):
        return BackendError(
            f"The certificate of {url} does not verify: {certificate}. If the authority is your own, give its "
            f"certificate with --backend.ca-file FILE."
        )
    if isinstance(error, httpx.TimeoutException):
        return TemporaryError(
            f"The server at {url} gave no answer in {timeout_s:g} s. Raise --backend.timeout-seconds, or lower "
            f"--backend.max-inflight."
        )
    if isinstance(error, httpx.ConnectError):
        return TemporaryError(f"Nothing answers at {url} ({error}). Start the server, or check --backend.base-url.")
    return TemporaryError(f"The server at {url} closed the connection: {first_line(error).rstrip('.')}.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds in the header Retry-After, given as seconds or as a date; None without a valid one."""
    value = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _certificate_error(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return str(error).partition("failed: ")[2].partition(" (")[0] or "unknown"
        error = error.__cause__ or error.__context__
    return ""


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _message(response: httpx.Response, secret: str) -> str:
    """Return the server's message, at most 200 characters, without the key, which some servers repeat."""
    text = response.text
    try:
        content = json.loads(text)
        error = content.get("error", content)
        text = str(error.get("message") or content.get("detail") or text) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        pass
    if secret:
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    text = f"{text[:200]}..." if len(text) > 200 else text
    return f"{text.rstrip('.')}." if text else "no message."
