"""What an answer's words say, and what they do not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.parse import parse_score, published_score

WRAPPINGS = st.sampled_from(["{}", "{}. A car.", "Score: {}", "**Response**: {} - it is", '{{"score": {}}}'])
QUIRKS = [("90%", 90.0), ("row 1 column 1: 0.0", 1.0), ("none", 0.0), ("a .5", 5.0)]


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("0.9", 0.9),
        ("1", 1.0),
        (".5", 0.5),
        ("0.9. The image shows a bicycle.", 0.9),
        ("**Response**: 0.9 because a man rides one of 2 bicycles", 0.9),
        ("- **Output**: 0.0", 0.0),
        ("The score (0 to 1): 0.4", 0.4),
        ("Score: 90%", 0.9),
        ("90 percent", 0.9),
        ("9/10", 0.9),
        ("9 out of 10", 0.9),
        ("8.5/10", 0.85),
        ("on a scale of 0 to 10, I give 7", 0.7),
        ("on a scale from 0 to 1, 0.9", 0.9),  # the published parser reads 0.0
        ("row 1 column 1 shows a car, row 2 column 2 nothing. 0.0", 0.0),  # the published parser reads 1.0
        ("In frame 3 a man falls: 0.9", 0.9),
        ("I see 2 people. Score is 0.3.", 0.3),
        ("Initial score: 0.2. Final score: 0.8", 0.8),
        ("0,9", 0.9),
        ('{"score": 0.7, "reason": "3 people"}', 0.7),
        ('```json\n{"Score": "0.7"}\n```', 0.7),
    ],
)
def test_a_stated_score_is_read(answer: str, score: float) -> None:
    assert parse_score(answer) == pytest.approx(score)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "I cannot tell.",
        "There are 2 people and 3 dogs",
        "1 person is walking",
        "Score: 7",
        "Score: 1.5",
        "-0.5",
        "score: 0.2 or score: 0.8",
        "The score is between 0 and 1",
        "at 10:30 a car passes",
        '{"score": null}',
        '{"score": true}',
        "9/0",
        "NaN",
    ],
)
def test_what_states_no_score_is_missing_not_zero(answer: str) -> None:
    assert math.isnan(parse_score(answer))


@given(st.text(max_size=200))
def test_any_text_gives_a_score_in_range_or_none(answer: str) -> None:
    score = parse_score(answer)
    assert math.isnan(score) or 0 <= score <= 1


@given(st.integers(0, 10), WRAPPINGS)
def test_every_score_asked_for_is_read_in_every_wrapping(tenths: int, wrapping: str) -> None:
    assert parse_score(wrapping.format(f"{tenths / 10:.1f}")) == tenths / 10


@pytest.mark.parametrize(("answer", "score"), QUIRKS)
def test_the_published_reading_keeps_its_quirks(answer: str, score: float) -> None:
    assert published_score(answer) == score
