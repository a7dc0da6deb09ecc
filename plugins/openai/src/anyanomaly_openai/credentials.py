"""The key or password that is sent to a server, and its removal from what the server or the network says."""

from __future__ import annotations

import base64
import html
import os
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from urllib.parse import quote, quote_plus

import httpx

from anyanomaly.errors import UsageError
from anyanomaly.masking import MASK, mask_urls

MIN_LENGTH = 4
"""Shorter secrets are not masked: they are a part of too many words."""
PIECE_LENGTH = 6
"""A message may show a part of a secret; from this many characters on, a part is masked."""
UNMISTAKABLE_LENGTH = 8
"""An answer may hold a shorter secret by chance, such as ``EMPTY``, the usual key of a local server."""


class Credentials:
    """What identifies the user to a server, and the forms in which it could come back."""

    def __init__(self, url: httpx.URL, api_key_env: str, proxy: str = "") -> None:
        """:raises UsageError: when the key is missing or cannot be sent, or two credentials are given."""
        key = _read_key(api_key_env)
        login = f"{url.username}:{url.password}" if url.userinfo else ""
        if key and login:
            raise UsageError(
                "The address of --backend.base-url holds a user name or password, and --backend.api-key-env names a "
                "key. A request takes one of them: remove the other."
            )
        basic = base64.b64encode(login.encode()).decode()
        self.header = f"Bearer {key}" if key else f"Basic {basic}" if login else ""
        """Value of the header Authorization; "" for none."""
        secrets = [key, *_url_secrets(url), *(_url_secrets(httpx.URL(proxy)) if proxy else ())]
        self._forms = sorted({form for secret in secrets if len(secret) >= MIN_LENGTH for form in _forms(secret)})
        self._pieces: dict[int, set[str]] = {}
        for form in self._forms:
            size = min(len(form), PIECE_LENGTH)
            pieces = (form[start : start + size] for start in range(len(form) - size + 1))
            self._pieces.setdefault(size, set()).update(pieces)

    def __repr__(self) -> str:
        return f"Credentials({MASK})"

    def mask(self, text: str) -> str:
        """Return a text with ``***`` for every part of a secret, and with masked addresses."""
        secret_at = bytearray(len(text))
        for size, pieces in self._pieces.items():
            for start in range(len(text) - size + 1):
                if text[start : start + size] in pieces:
                    secret_at[start : start + size] = b"\x01" * size
        groups = groupby(zip(text, secret_at, strict=True), key=itemgetter(1))
        parts = (MASK if is_secret else "".join(char for char, _ in group) for is_secret, group in groups)
        return mask_urls("".join(parts))

    def appear_in(self, text: str) -> bool:
        """Return whether a text holds a complete secret, plain or encoded."""
        return any(len(form) >= UNMISTAKABLE_LENGTH and form in text for form in self._forms)


def _read_key(api_key_env: str) -> str:
    if not api_key_env:
        return ""
    key = os.environ.get(api_key_env, "").strip()
    if not key:
        raise UsageError(f"The environment variable {api_key_env} (--backend.api-key-env) is not set.")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(
            f"The environment variable {api_key_env} (--backend.api-key-env) holds no key: a key has only printable "
            f"ASCII characters."
        )
    return key


def _url_secrets(url: httpx.URL) -> list[str]:
    """Return the secrets in an address: the password, or the user name without one, and values of the query."""
    login = [f"{url.username}:{url.password}", url.password] if url.password else [url.username]
    values = [value for _, value in url.params.multi_items() if len(value) >= UNMISTAKABLE_LENGTH]
    return [*login, *values]


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as servers, proxies and logs write it."""
    data = secret.encode()
    yield from (secret, quote(secret, safe=""), quote_plus(secret), html.escape(secret), data.hex())
    yield base64.b64encode(data).decode().rstrip("=")
    for offset in range(3):  # of the secret in the encoded data, which may start with other text
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * offset + data).decode().rstrip("=")
            inner_text = text[4 if offset else 0 : len(text) - 1]  # the first and last characters also hold other bits
            if len(inner_text) >= PIECE_LENGTH:
                yield inner_text
