"""Text from outside cannot steer a terminal, and can always be stored."""

from __future__ import annotations

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.outside_text import json_text, storable_text, terminal_line, terminal_text

ANY_TEXT = st.text(st.characters(), max_size=60)  # surrogates too


@given(ANY_TEXT)
def test_a_terminal_gets_no_control_or_bidi_characters(text):
    printed = terminal_text(text)
    assert not [
        char for char in printed if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in "\n\t"
    ]
    assert not [
        char for char in printed if unicodedata.bidirectional(char) in {"LRE", "RLE", "LRO", "RLO", "LRI", "RLI"}
    ]


@given(ANY_TEXT)
def test_stored_text_is_utf_8_and_otherwise_unchanged(text):
    stored = storable_text(text)
    stored.encode("utf-8")
    if not any(unicodedata.category(char) == "Cs" for char in text):
        assert stored == text


def test_escapes_say_which_character_it_was():
    assert terminal_text("a\x1b[2J\u202eb\u2028") == r"a\x1b[2J\u202eb\u2028"
    assert terminal_text("Größe 猫 👩‍🚒\tx\n") == "Größe 猫 👩‍🚒\tx\n"
    assert storable_text("stra\udcdfe") == r"stra\udcdfe"


@given(ANY_TEXT)
def test_json_is_one_safe_line_that_holds_the_storable_text(text):
    printed = json_text({text: [text]})
    assert printed == terminal_line(printed)
    assert len(printed.splitlines()) == 1
    assert json.loads(printed) == {storable_text(text): [storable_text(text)]}


@given(ANY_TEXT)
def test_a_line_stays_one_line_and_one_column(text):
    assert len(f"{terminal_line(text)}x".splitlines()) == 1
    assert "\t" not in terminal_line(text)
