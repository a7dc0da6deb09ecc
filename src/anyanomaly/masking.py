"""Secrets in addresses: user names, passwords and the values of a query are replaced by ``***``.

Every address passes through here before it is printed, logged or stored. A secret in the path of an address cannot be
told from the name of a folder, so it stays.
"""

from __future__ import annotations

import re
from typing import Any

MASK = "***"

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_AUTHORITY_END = re.compile(r"[/?#\\]")
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
_QUERY_VALUE = re.compile(r"([?&;#])([^=&;#]*=)?([^&;#]*)")


def mask_url(url: str) -> str:
    """Return one address with ``***`` for its user name and password, and for the values of its query and fragment.

    An address whose host cannot be read is masked up to its last ``@``: passwords are not always escaped.
    """
    scheme, separator, after_scheme = url.partition("://") if "://" in url else ("", "", url)
    authority = _AUTHORITY_END.split(after_scheme, maxsplit=1)[0]
    if "@" in authority:
        after_scheme = f"{MASK}@{authority.rpartition('@')[2]}{after_scheme[len(authority) :]}"
    elif "@" in after_scheme and ":" in authority and not _HOST.fullmatch(authority):
        after_scheme = f"{MASK}@{after_scheme.rpartition('@')[2]}"
    return f"{scheme}{separator}{_QUERY_VALUE.sub(_mask_value, after_scheme)}"


def mask_urls(text: str) -> str:
    """Return a text in which each address is masked as by `mask_url`; an address ends at a blank."""
    return _ADDRESS.sub(lambda match: mask_url(match[0]), text) if "://" in text else text


def mask_urls_in(value: Any) -> Any:
    """Return a JSON-ready value with the addresses in all its texts masked."""
    match value:
        case str():
            return mask_urls(value)
        case dict():
            return {key: mask_urls_in(entry) for key, entry in value.items()}
        case list() | tuple():
            return type(value)(mask_urls_in(entry) for entry in value)
    return value


def _mask_value(match: re.Match[str]) -> str:
    mark, name, value = match[1], match[2] or "", match[3]
    is_anchor = mark == "#" and not name
    return match[0] if is_anchor or not value else f"{mark}{name}{MASK}"
