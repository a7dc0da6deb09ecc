"""From templates to questions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.prompt import PromptTemplate, build_prompt

TEMPLATE = PromptTemplate("t", "Is there **{text}**?\n{hint}\n- **{output}**: a float.", output_word="Output")


def test_slots_are_filled_and_an_empty_hint_leaves_no_line() -> None:
    assert build_prompt(TEMPLATE, "a car") == "Is there **a car**?\n- **Output**: a float."
    assert build_prompt(TEMPLATE, "a car", "A grid.") == "Is there **a car**?\nA grid.\n- **Output**: a float."


def test_a_template_may_have_another_question_for_contexts_with_a_hint() -> None:
    template = PromptTemplate("t", "A {text}?", question_with_hint="{hint}\nOne {text}?")
    assert build_prompt(template, "car") == "A car?"
    assert build_prompt(template, "car", "A grid.") == "A grid.\nOne car?"
    with pytest.raises(ValueError, match="no slot"):
        PromptTemplate("t", "A {text}?", question_with_hint="{hint}")


def test_line_breaks_around_a_question_are_kept_on_request() -> None:
    question = "\nA {text}? \n\n"
    assert build_prompt(PromptTemplate("t", question), "car") == "A car? "
    assert build_prompt(PromptTemplate("t", question, keep_line_breaks=True), "car") == "\nA car? \n\n"


@given(st.text(min_size=1))
def test_a_text_stands_as_it_is_whatever_it_holds(text: str) -> None:
    assert f"**{text}**" in build_prompt(TEMPLATE, text)


def test_slots_inside_a_text_are_not_filled() -> None:
    assert "**{hint} {output} {0}**" in build_prompt(TEMPLATE, "{hint} {output} {0}", "secret")


def test_a_template_without_the_text_is_refused() -> None:
    with pytest.raises(ValueError, match="no slot"):
        PromptTemplate("t", "Is there a car?")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"question": ["{text}"]}, "question must be a text"),
        ({"system": ["a"]}, "system must be a text"),
        ({"output_word": 5}, "output_word must be a text"),
        ({"text_first": "yes"}, "text_first must be true or false"),
        ({"question": "{text}" + "{output}" * 100_000}, "question has 800,006 characters"),
        ({"output_word": "a" * 100_000}, "output_word has 100,000 characters"),
    ],
)
def test_a_field_of_another_type_or_without_end_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        PromptTemplate(**{"name": "own", "question": "Is there {text}?", **fields})
