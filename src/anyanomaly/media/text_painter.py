"""Text of any language as pictures: fonts that have its characters, lines that fit, and nothing that overflows."""

from __future__ import annotations

import unicodedata
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageFont import FreeTypeFont

from anyanomaly.isolation import program_output
from anyanomaly.outside_text import terminal_line

Alpha: TypeAlias = npt.NDArray[np.uint8]
"""uint8 (H, W): opacity of the pixels of a text."""

_Run: TypeAlias = tuple[FreeTypeFont, str]
"""Characters that follow each other, and the font that has them."""

MAX_CHARACTERS = 1000
"""A longer text is cut before it is measured."""

MAX_SEARCHES = 24
"""Calls of fontconfig per process: a text may have thousands of rare characters."""

_n_searches = 0

_ELLIPSIS = "…"

_JOINERS = "\u200c\u200d"
"""Characters without ink that Persian and Indic scripts need."""

_KNOWN_FONTS = (
    *("DejaVuSans.ttf", "arial.ttf", "segoeui.ttf", "msyh.ttc", "malgun.ttf", "YuGothR.ttc", "Nirmala.ttc"),
    *(
        "Nirmala.ttf",
        "seguisym.ttf",
        "Arial Unicode.ttf",
        "PingFang.ttc",
        "Hiragino Sans GB.ttc",
        "NotoSans-Regular.ttf",
    ),
    *("NotoSansCJK-Regular.ttc", "NotoSansArabic-Regular.ttf", "NotoSansDevanagari-Regular.ttf"),
)
"""Fonts of Windows, macOS and Linux, which Pillow finds by name where there is no fontconfig."""


class TextPainter:
    """Paints text of one size. A character that no installed font has becomes an escape such as ``\\u4e2d``.

    The default font is Pillow's own, the same on every machine. Right-to-left and Indic text is shaped where Pillow has
    Raqm and FriBiDi.
    """

    def __init__(self, size: int) -> None:
        """:param size: of the font, in pixels."""
        self.size = size
        self.line_height = round(size * 1.35)
        self._fonts: list[FreeTypeFont] = [_default_font(size)]
        self.line = lru_cache(maxsize=1024)(self._line)
        self.wrap = lru_cache(maxsize=64)(self._wrap)

    def _line(self, text: str, max_width: int) -> Alpha:
        """Return a text on one line, at most ``max_width`` pixels wide; an ellipsis ends a longer one."""
        lines = self._wrap(text, max_width, 1)
        return self._paint(lines[0], max_width) if lines else np.zeros((self.line_height, 1), np.uint8)

    def _wrap(self, text: str, max_width: int, n_lines: int) -> tuple[str, ...]:
        """Return a text in at most ``n_lines`` lines of ``max_width`` pixels; an ellipsis ends a longer one."""
        remainder = " ".join(self._printable(text).split())
        lines: list[str] = []
        while remainder and len(lines) < n_lines:
            is_last = len(lines) == n_lines - 1
            n_chars = self._fitting(remainder, max_width, "")
            if n_chars < len(remainder) and is_last:
                remainder = remainder[: self._fitting(remainder, max_width, _ELLIPSIS)].rstrip() + _ELLIPSIS
                n_chars = len(remainder)
            elif n_chars < len(remainder):
                blank = remainder.rfind(" ", n_chars // 2, n_chars + 1)
                n_chars = blank if blank > 0 else n_chars
            lines.append(remainder[:n_chars].rstrip())
            remainder = remainder[n_chars:].lstrip()
        return tuple(lines)

    def _fitting(self, text: str, max_width: int, ending: str) -> int:
        """Return how many characters fit, at least one."""
        if not ending and self._width(text) <= max_width:
            return len(text)
        low, high = 1, len(text)
        while low < high:
            middle = (low + high + 1) // 2
            if self._width(text[:middle] + ending) <= max_width:
                low = middle
            else:
                high = middle - 1
        return low

    def _paint(self, text: str, max_width: int) -> Alpha:
        runs = self._runs(text)
        width = min(max_width, max(1, round(self._width(text)) + 1))
        image = Image.new("L", (width, self.line_height))
        draw = ImageDraw.Draw(image)
        left = 0.0
        for font, run in _in_visual_order(runs):
            draw.text((left, self.size), run, fill=255, font=font, anchor="ls")
            left += font.getlength(run)
        return np.asarray(image)

    def _width(self, text: str) -> float:
        return sum(font.getlength(run) for font, run in self._runs(text))

    def _runs(self, text: str) -> list[_Run]:
        """Return a printable text in parts, each with the font that has its characters."""
        runs: list[_Run] = []
        for char in text:
            last = runs[-1] if runs else None
            if last and (char in _JOINERS or (not char.isalpha() and _has_glyph(last[0], char))):
                font = last[0]  # blanks and marks stay with the word before
            else:
                font = self._font(char) or self._fonts[0]
            if last and last[0] is font:
                runs[-1] = (font, last[1] + char)
            else:
                runs.append((font, char))
        return runs

    def _printable(self, text: str) -> str:
        """Return a text without what only confuses: control characters and characters without a font are escaped."""
        text = terminal_line(" ".join(text[:MAX_CHARACTERS].split()))
        return "".join(self._printable_character(char) for char in text)

    def _printable_character(self, char: str) -> str:
        if char in _JOINERS:
            return char
        if unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f":  # invisible: soft hyphens, variants
            return ""
        return char if self._font(char) else _escape(char)

    def _font(self, char: str) -> FreeTypeFont | None:
        """Return the first font that has a character; None: no installed one has."""
        for font in self._fonts:
            if _has_glyph(font, char):
                return font
        path = _find_font_file(char)
        if path is None:
            return None
        font = ImageFont.truetype(path, self.size)
        if not _has_glyph(font, char):
            return None
        self._fonts.append(font)
        return font


def blend(image: npt.NDArray[np.uint8], alpha: Alpha, left: int, top: int, colour: tuple[int, int, int]) -> None:
    """Paint a text in a colour onto an image (H, W, 3), in place; what lies outside is cut."""
    left, top = max(0, left), max(0, top)
    part = image[top : top + alpha.shape[0], left : left + alpha.shape[1]]
    opacity = alpha[: part.shape[0], : part.shape[1], None].astype(np.uint16)
    part[:] = (part * (255 - opacity) + np.array(colour, np.uint16) * opacity) // 255


def _default_font(size: int) -> FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, FreeTypeFont)  # Pillow has another one only when it was built without FreeType
    return font


@lru_cache(maxsize=4096)
def _has_glyph(font: FreeTypeFont, char: str) -> bool:
    """Return whether a font has a character: what it lacks, it draws as a box."""
    if char.isspace():
        return True
    mask, missing = font.getmask(char), font.getmask("\U0010fffe")
    return mask.getbbox() is not None and (mask.size != missing.size or bytes(mask) != bytes(missing))


@lru_cache(maxsize=4096)
def _find_font_file(char: str) -> str | None:
    """Return the file of an installed font with a character, without serifs and of normal weight if there is one."""
    for name, font in _known_fonts():
        if _has_glyph(font, char):
            return name
    global _n_searches
    if _n_searches >= MAX_SEARCHES:
        return None
    _n_searches += 1
    listing = program_output("fc-list", f":charset={ord(char):x}:scalable=true:color=false", "file") or ""
    return min((line.rstrip(": ") for line in sorted(listing.splitlines())), key=_strangeness, default=None)


@lru_cache(maxsize=1)
def _known_fonts() -> list[tuple[str, FreeTypeFont]]:
    fonts: list[tuple[str, FreeTypeFont]] = []
    for name in _KNOWN_FONTS:
        with suppress(OSError):
            fonts.append((name, ImageFont.truetype(name, 16)))
    return fonts


def _strangeness(path: str) -> int:
    """Return how far a font is from a plain sans serif in normal weight."""
    name = Path(path).stem.lower()
    plain = ("sans" in name) + ("regular" in name or "-" not in name)
    odd = sum(
        word in name for word in ("bold", "italic", "oblique", "mono", "serif", "condensed", "light", "thin", "display")
    )
    return 2 * odd - plain


def _in_visual_order(runs: list[_Run]) -> list[_Run]:
    """Return the runs of a line from left to right.

    Neighbours of one direction stay together; the first one decides about the line. Inside a run, Raqm does this.
    """
    groups: list[tuple[bool, list[_Run]]] = []  # whether from right to left, with the runs from left to right
    for run in runs:
        is_rtl = _is_right_to_left(run[1], default=groups[-1][0] if groups else False)
        if not groups or groups[-1][0] is not is_rtl:
            groups.append((is_rtl, []))
        members = groups[-1][1]
        members.insert(0 if is_rtl else len(members), run)
    if groups and groups[0][0]:
        groups.reverse()
    return [run for _, members in groups for run in members]


def _is_right_to_left(text: str, *, default: bool) -> bool:
    """Return the direction of the first letter of a text."""
    directions = (unicodedata.bidirectional(char) for char in text)
    first = next((direction for direction in directions if direction in ("L", "R", "AL")), None)
    return default if first is None else first != "L"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
