"""An answer as plain lower-case text: digits and signs of all scripts as ASCII, fields line by line, no markup."""

from __future__ import annotations

import html
import re
import unicodedata
from functools import lru_cache
from typing import Final

from anyanomaly.core.answer_fields import fields_as_lines
from anyanomaly.core.answer_words import word_set
from anyanomaly.core.thinking import remove_thinking, strip_thinking

_STORED_SURROGATE: Final = re.compile(r"\\ud[89a-f][0-9a-f]{2}")
r"""Half of an emoji that a token limit cut, as ``outside_text.storable_text`` writes it (``\ud83d``): no number."""
REFERENCE: Final = "\ue000"
"""Stands for the number or place of a frame in plain text."""

_SIGN_GROUPS: Final = {  # ASCII to what stands for it
    ".": "٫",
    ",": "٬",
    "%": "٪﹪",
    "-": "−﹣‐‑",
    "–": "‒—―─",
    ". ": "。｡।॥۔",
    ", ": "、､،",
    ";": "؛",
    "?": "؟",
    "": "¿¡`",
    "~": "〜～∼≈≃≅",
    "...": "…",
    "/": "⁄∕",
    "→": "⇒⟶➜➡",
    '"': "“”„«»「」『』",
    "'": "’‘",
    "[": "【〔《",
    "]": "】〕》",
    ">": "≥≧⩾",
    "<": "≤≦⩽",
}
_SIGNS: Final = {char: sign for sign, chars in _SIGN_GROUPS.items() for char in chars}
_COMMANDS: Final = {
    "approx": "~",
    "sim": "~",
    "geq": ">",
    "ge": ">",
    "gt": ">",
    "leq": "<",
    "le": "<",
    "lt": "<",
    "pm": "±",
    "to": "→",
}
SPEAKER: Final = re.compile(r"^(?:assistant|ai|model|bot|gpt|助手|アシスタント)\s?:\s?", re.IGNORECASE)
_EXAMPLE: Final = re.compile(
    r"(?<![^\W\d_])(?:e\. ?g\.|ex\.|ex:|z\. ?b\.|p\. ?ex\.|p\. ?ej\.|bspw\.|np\.|напр\.)[, ]*"
)  # whose full stops end no sentence
_LIST_NUMBER: Final = re.compile(
    r"^[ >-]{0,4}(?:\(?[1-9]\d?[.)]|[1-9]\d?、)(?!\d)[ *_]{0,4}(?=[^\W\d_]|\*|\"|\[)|\A1[.)] (?=[01]?[.,]\d)",
    re.MULTILINE,
)
_INLINE_TAGS: Final = word_set("b i strong em u span code font big small mark")
_BLOCK_TAGS: Final = word_set("p br div pre h1 h2 h3 h4 li ul ol td th tr table")


def plain_text(answer: str) -> str:
    """Return an answer without thinking and markup, in lower case; blanks and line ends are single."""
    text = remove_thinking(plain_characters(_STORED_SURROGATE.sub(" ", answer)))
    text = re.sub(r"\s*\n\s*", "\n", re.sub(r"[^\S\n]+", " ", text)).strip()
    text = fields_as_lines(_LIST_NUMBER.sub("", text))
    text = html.unescape(re.sub(r"<(/?)([A-Za-z][\w-]{0,30})(?:[ /][^<>]{0,80})?>", _plain_tag, text))
    text = re.sub(r"\$(?=[^\s$])([^$\n]{1,60})\$(?!\d)", r" \1 ", text)
    text = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]{0,60})\}", r"\1", text)
    text = re.sub(
        r"\\([A-Za-z]{1,12}|[^\w\s])", lambda match: _COMMANDS.get(match[1], match[1] if match[1] == "%" else " "), text
    )
    text = re.sub(r"(?<!\d)\*+|\*+(?!\d)", "", text).replace('"', "").replace("_", " ")
    text = re.sub(r"(?<!\w)'(?=[.\d])|(?<=\d)'(?!\w)", "", text)
    text = re.sub(r"^ ?#+ |^ ?[-•·] (?=\S)", "", text, flags=re.MULTILINE)
    text = re.sub(r" *\n[ \n]*", "\n", re.sub(r" +", " ", text))
    text = re.sub(r":\n", ": ", text).strip().lower()
    text = re.sub(r"(?<!\w)conf\.", "confidence", text)
    text = re.sub(r"(?<!\w)p ?\(([^()\n]{1,60})\)", r"probability of \1", text)
    return _EXAMPLE.sub("for example ", SPEAKER.sub("", text))


def full_text(answer: str) -> str:
    """Return an answer without thinking in lower case, with all that stands around the score."""
    return re.sub(r"\s+", " ", strip_thinking(plain_characters(answer))).lower()


def plain_characters(text: str) -> str:
    """Return a text with the digits, blanks and signs of all scripts as in ASCII, without invisible characters."""
    pieces = (unicodedata.normalize("NFC", text[start : start + 1000]) for start in range(0, len(text), 1000))
    return re.sub(r"[^\n -_a-~]", lambda match: _plain_character(match[0]), "".join(pieces))


@lru_cache(maxsize=4096)
def _plain_character(char: str) -> str:
    if char in _SIGNS:
        return _SIGNS[char]
    category = unicodedata.category(char)
    if category == "Nd":
        return str(unicodedata.decimal(char))
    if category == "No" and "VULGAR FRACTION" in unicodedata.name(char, ""):
        return f"{unicodedata.numeric(char):.6g}"
    if "\uff01" <= char <= "\uff5e":
        ascii_char = chr(ord(char) - 0xFEE0)
        return f"{ascii_char} " if ascii_char in ",;:!?" else ascii_char
    if category == "Cf" or char == REFERENCE:
        return ""
    return " " if category == "Zs" or char in "\t\v\f\r" else "\n" if char in "\u2028\u2029\x85" else char


def _plain_tag(match: re.Match[str]) -> str:
    slash, name = match[1], match[2].lower()
    if name in _INLINE_TAGS:
        return " "
    return "\n" if slash or name in _BLOCK_TAGS else f"\n{name}: "
