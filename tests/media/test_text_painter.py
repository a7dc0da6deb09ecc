"""Text of any kind is painted inside its place, and hostile text as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anyanomaly.media.text_painter import TextPainter, blend

HOSTILE = [
    "x" * 10_000,
    "word " * 2_000,
    "\u202egnp.exe\u202c \x1b[31mred\x1b[0m\x00\n\t\r\x7f\x9b",
    "مرحبا بالعالم " * 50,
    "עברית ו-English mixed 123",
    "监视摄像机 " * 100,
    "नमस्ते दुनिया",
    "👩‍👩‍👧‍👦🏳️‍🌈🇩🇪" * 50,
    "e" + "\u0301" * 500,
    "\udc80\ud800",
    "<script>alert(1)</script>",
    "\u00ad\ufeff\u200b\u200d",
    "ﷺ" * 100,
    "",
]


@pytest.fixture(scope="module")
def painter() -> TextPainter:
    return TextPainter(15)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("width", [1, 40, 400])
def test_hostile_text_stays_in_its_place(painter: TextPainter, text: str, width: int) -> None:
    lines = painter.wrap(text, width, 2)
    assert len(lines) <= 2
    for line in (text, *lines):
        alpha = painter.line(line, width)
        assert alpha.shape[0] == painter.line_height
        assert 1 <= alpha.shape[1] <= width


@settings(max_examples=60, deadline=None)
@example("a" * 30 + " " + "b" * 30, 100)
@given(st.text(max_size=200), st.integers(30, 300))
def test_wrapped_lines_are_not_cut(painter: TextPainter, text: str, width: int) -> None:
    for line in painter.wrap(text, width, 3):
        assert not line.endswith(" ")
        assert painter.wrap(line, width, 1) == (line,)


def test_a_text_that_fits_stays_as_it_is(painter: TextPainter) -> None:
    assert painter.wrap("A man falls, then gets up.", 1000, 2) == ("A man falls, then gets up.",)
    lines = painter.wrap("A man falls, then gets up.", 100, 9)
    assert " ".join(lines) == "A man falls, then gets up."
    assert len(lines) > 1


def test_an_ellipsis_says_that_text_is_left_out(painter: TextPainter) -> None:
    lines = painter.wrap("word " * 100, 100, 2)
    assert len(lines) == 2
    assert lines[1].endswith("…")


def test_control_and_reordering_characters_are_written_out(painter: TextPainter) -> None:
    assert painter.wrap("a\u202eb\x1b[2J\x07", 1000, 1) == (r"a\u202eb\x1b[2J\x07",)


def test_a_character_that_no_font_has_is_written_out(painter: TextPainter) -> None:
    assert painter.wrap("\U000e0fff \U0001fbff", 1000, 1)[0].isascii()


def test_text_is_painted_in_its_colour_and_cut_at_the_edge(painter: TextPainter) -> None:
    image = np.zeros((10, 20, 3), np.uint8)
    blend(image, painter.line("MMMMM", 400), 2, 0, (10, 200, 30))
    assert image[:, 3:].any()
    assert not image[:, :2].any()
    assert tuple(image.reshape(-1, 3).max(axis=0)) == (10, 200, 30)
    blend(image, painter.line("M", 400), 25, 30, (1, 2, 3))
