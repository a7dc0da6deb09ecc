"""Text from outside: answers, messages of servers and plugins, names of files and models, labels.

It passes through one of these functions before it is printed or stored.
"""

from __future__ import annotations

import unicodedata

from anyanomaly.masking import mask_urls

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They reorder the characters around them, so that a line reads as what it is not."""
_UNSAFE_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def terminal_text(text: str) -> str:
    r"""Return ``text`` without what a terminal obeys: control, bidi and surrogate characters become escapes (``\x1b``).

    Line feeds and tabs stay. Passwords in addresses are masked.
    """
    text = mask_urls(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if _is_safe(char) else char.encode("unicode_escape").decode("ascii") for char in text)


def storable_text(text: str) -> str:
    r"""Return ``text`` as it can be encoded in UTF-8: a lone surrogate becomes an escape (``\udc80``)."""
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _is_safe(char: str) -> bool:
    return char in "\n\t" or not (char in _BIDI_CONTROLS or unicodedata.category(char) in _UNSAFE_CATEGORIES)
