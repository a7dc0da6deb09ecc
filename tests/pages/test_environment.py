"""What every page keeps to: texts are escaped and show what they are, and only the page's own scripts run."""

from __future__ import annotations

import base64
import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from anyanomaly.pages import clock_time, page_environment, page_text, render_page, score_text, script_json

TEXTS = st.text() | st.sampled_from(["</script>", "<!--", "\u202e", "\x1b[31m", "&lt;"])


@given(TEXTS | st.just("\udc80"))
def test_a_text_in_a_template_has_no_markup_and_no_invisible_characters(text: str) -> None:
    html = page_environment().from_string('<p title="{{ text }}">{{ text }}</p>').render(text=text)
    content = html.removeprefix("<p").removesuffix("</p>").removeprefix(' title="')
    assert content.count("<") == 0
    assert content.count('"') == 1
    assert not set(html) & {"\x1b", "\u202e", "\udc80", "\x00"}
    html.encode()


@given(st.recursive(TEXTS | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_json_in_a_script_element_cannot_end_it_and_is_the_same_value(value: object) -> None:
    text = script_json(value)
    assert not set(text) & set("<>&")
    text.encode()
    assert json.loads(text) == value


def test_addresses_in_texts_are_masked() -> None:
    html = page_environment().from_string("{{ text }}").render(text="at rtsp://me:secret@host/a")
    assert html == "at rtsp://***@host/a"
    assert page_text("a\u202eb") == "a\\u202eb"


def test_an_unknown_name_in_a_template_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        page_environment().from_string("{{ missing }}").render()


def test_the_policy_names_the_scripts_by_hash_and_nothing_else() -> None:
    script = "document.title = 'a < b && c';"
    page = render_page("base.html.j2", scripts=[script])
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src &#39;sha256-{digest}&#39;;" in page
    assert f"<script>{script}</script>" in page
    assert "script-src &#39;none&#39;;" in render_page("base.html.j2")
    assert "http:" not in page
    assert "https:" not in page


@pytest.mark.parametrize(
    ("time_s", "text"),
    [(0, "0:00:00.0"), (59.96, "0:01:00.0"), (3661.25, "1:01:01.2"), (90_000, "25:00:00.0"), (-1.5, "-0:00:01.5")],
)
def test_times_are_hours_minutes_and_tenths(time_s: float, text: str) -> None:
    assert clock_time(time_s) == text


def test_missing_numbers_are_a_dash() -> None:
    assert [score_text(None), score_text(math.nan), score_text(0.345), clock_time(math.inf)] == ["–", "–", "0.34", "–"]
