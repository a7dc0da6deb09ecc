"""What a server and the way to it do wrong, as errors of ours that say what to do."""

from __future__ import annotations

import email.utils
import json
import ssl
import time
from collections.abc import Mapping
from typing import Any

import httpx

from anyanomaly.errors import BackendError

LONGEST_WAIT_S = 300.0
"""A server that asks for a longer wait ends the run: answers so far are kept, and a rerun goes on."""

PASSING = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})


class Passing(BackendError):
    """A fault that may be gone when tried again, after ``wait_s`` if the server says so."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.wait_s = wait_s


def answered(url: str, response: httpx.Response, secret: str) -> dict[str, Any]:
    """Return the JSON object that a server answered with.

    :raises BackendError: when it refused, with its own words. :raises Passing: when it may do better next time.
    """
    if response.status_code in PASSING:
        wait_s = retry_after(response.headers)
        message = f"The server at {url} answered {_status(response)}: {_words(response, secret)}"
        if wait_s is not None and wait_s > LONGEST_WAIT_S:
            raise BackendError(f"{message} It asks to wait {wait_s:.0f} s; run again then, answers so far are kept.")
        raise Passing(message, wait_s)
    if response.status_code in (401, 403):
        raise BackendError(
            f"The server at {url} refuses access ({_status(response)}). Name the environment variable that holds its "
            f"key, for example --backend.api-key-env OPENAI_API_KEY, and check the key."
        )
    if response.is_redirect:
        raise BackendError(
            f"The server at {url} sends elsewhere, to {response.headers.get('location', '?')}; images follow no "
            f"redirect. If that is the right place, give it as --backend.base-url."
        )
    if response.status_code == 404:
        raise BackendError(
            f"The server at {url} answered {_status(response)}: {_words(response, secret)} Check --backend.base-url, "
            f"which mostly ends in /v1, and --backend.model."
        )
    if response.status_code >= 400:
        raise BackendError(f"The server at {url} answered {_status(response)}: {_words(response, secret)}")
    try:
        content = response.json()
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Passing(f"The server at {url} answered with something else than JSON: {_words(response, secret)}")
    return content


def unanswered(url: str, error: httpx.HTTPError, timeout_s: float) -> BackendError:
    """Return the error for a request that got no answer."""
    if certificate := _certificate_fault(error):
        return BackendError(
            f"The certificate of {url} does not verify: {certificate}. If its authority is your own, give its "
            f"certificate with --backend.ca-file FILE."
        )
    if isinstance(error, httpx.TimeoutException):
        return Passing(
            f"The server at {url} gave no answer in {timeout_s:g} s. Raise --backend.timeout-seconds, or lower "
            f"--backend.max-inflight."
        )
    if isinstance(error, httpx.ConnectError):
        return Passing(f"Nothing answers at {url} ({error}). Start the server, or check --backend.base-url.")
    return Passing(f"The server at {url} broke off in the middle: {str(error) or type(error).__name__}.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait; None when it says nothing that can be read."""
    said = headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(said))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(said).timestamp() - time.time())
    except ValueError:
        return None


def _certificate_fault(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return str(error).partition("failed: ")[2].partition(" (")[0] or "unknown"
        error = error.__cause__ or error.__context__
    return ""


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".strip()


def _words(response: httpx.Response, secret: str) -> str:
    """Return what a server said, short and without the key, which some repeat."""
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
    return f"{text.rstrip('.')}." if text else "nothing more."
