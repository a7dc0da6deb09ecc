"""What an answer's words say, and what they do not."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.core.parse import parse_score, published_score
from anyanomaly.core.thinking import MARKERS
from anyanomaly.outside_text import storable_text
from tests.support.shared import shared

FILES = sorted((Path(__file__).parent / "answers").glob("*.json"))
QUIRKS = [("90%", 90.0), ("row 1 column 1: 0.0", 1.0), ("none", 0.0), ("a .5", 5.0)]
STATEMENTS = st.sampled_from(
    [
        "{}",
        "Score: {}",
        "**Response**: {}",
        "The score is {}",
        "I rate this {}",
        '{{"score": {}}}',
        "<score>{}</score>",
        "得分：{}",
        "スコアは{}です",
        "점수: {}",
        "Bewertung: {}",
        "Note : {}",
        "Puntuación: {}",
        "Оценка: {}",
        "النتيجة: {}",
        "स्कोर: {}",
    ]
)
DISTRACTORS = st.sampled_from(
    [
        "There are 3 people and 2 dogs.",
        "At 10:30 a car passes.",
        "The man is 1.8 m tall.",
        "Row 1 column 2 shows a street.",
        "It covers 20% of the image.",
        "In frame 3 a man walks.",
        "This took 0.4 seconds.",
        "The sign says 50.",
        "Camera 1 is blurry.",
        "图中有2个人。",
        "3人が歩いています。",
        "Es sind 2 Personen zu sehen.",
        "Il y a 2 personnes.",
        "Видно 3 человека.",
    ]
)
CERTAINTIES = st.sampled_from(
    [
        "I am {}% sure.",
        "Confidence: 0.{}.",
        "I say this with {}% certainty.",
        "My confidence is 0.{}.",
        "I'm {} percent certain of it.",
        "置信度：0.{}。",
        "我有{}%的把握。",
        "信頼度：0.{}。",
        "신뢰도: 0.{}.",
        "Ich bin mir zu {} % sicher.",
        "Konfidenz: 0,{}.",
        "J'en suis sûr à {} %.",
        "Estoy {} % seguro.",
        "Confiança: 0,{}.",
        "Уверенность: 0,{}.",
        "الثقة: 0.{}.",
        "विश्वास: 0.{}।",
        "%{} eminim.",
    ]
)
DISTRACTIONS = st.lists(
    st.one_of(DISTRACTORS, st.builds(str.format, CERTAINTIES, st.integers(55, 99))), max_size=3
).map("\n".join)
SOUP = st.lists(
    st.sampled_from(
        [
            "Score",
            "score: ",
            "0.8",
            "0.2",
            "1",
            "0",
            "90%",
            " of ",
            "9/10",
            " is ",
            " ",
            ", ",
            ". ",
            "\n",
            "? ",
            "not ",
            "sure ",
            "(",
            ")",
            "[",
            "frame 1: ",
            "-",
            " to ",
            "between ",
            "{",
            "}",
            '"score": ',
            "final ",
            "得分",
            "は",
            "是",
            "0,8",
            "<answer>",
            "I ",
            "no ",
            "yes",
            "|",
            "$",
        ]
    ),
    max_size=14,
).map("".join)
TENTHS = st.integers(0, 10).map(lambda tenths: f"{tenths / 10:.1f}")


def read_cases(file: Path) -> list[tuple[str, float | None]]:
    content = json.loads(file.read_text(encoding="utf-8"))
    return content["cases"] if isinstance(content, dict) else content


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_an_answer_is_read_as_a_careful_person_reads_it(file: Path) -> None:
    cases = read_cases(file)
    scores = [parse_score(answer) for answer, _ in cases]
    differences = [
        (answer, value, score)
        for (answer, value), score in zip(cases, scores, strict=True)
        if score != pytest.approx(math.nan if value is None else value, nan_ok=True)
    ]
    assert differences == []


def test_the_shared_cases_are_read_rightly() -> None:
    for answer, value in read_cases(shared("cases", "answers.json")):
        assert parse_score(answer) == pytest.approx(math.nan if value is None else value, nan_ok=True), answer


@settings(deadline=None)
@given(st.one_of(st.text(max_size=200), SOUP))
def test_any_text_gives_a_score_in_range_or_none(answer: str) -> None:
    score = parse_score(answer)
    assert math.isnan(score) or 0 <= score <= 1


@settings(deadline=None)
@given(SOUP)
def test_a_score_is_a_number_of_the_text(answer: str) -> None:
    score = parse_score(answer)
    assert math.isnan(score) or any(score == pytest.approx(value) for value in stated_values(answer))


@settings(deadline=None)
@given(TENTHS, STATEMENTS)
def test_every_score_asked_for_is_read_in_every_statement(score: str, statement: str) -> None:
    assert parse_score(statement.format(score)) == float(score)
    assert parse_score(f"{statement.format(score)}. A car.") == float(score)


@settings(deadline=None)
@given(DISTRACTIONS)
def test_without_a_statement_no_number_is_a_score(text: str) -> None:
    assert math.isnan(parse_score(text))


@settings(deadline=None)
@given(DISTRACTIONS, TENTHS, STATEMENTS, DISTRACTIONS)
def test_other_numbers_and_certainties_change_no_score(before: str, score: str, statement: str, after: str) -> None:
    assert parse_score(f"{before}\n{statement.format(score)}\n{after}") == float(score)


@settings(deadline=None)
@given(SOUP, st.sampled_from(MARKERS), TENTHS, STATEMENTS)
def test_thinking_changes_no_score(thinking: str, marker: tuple[str, str], score: str, statement: str) -> None:
    assert parse_score(f"{marker[0]}{thinking}{marker[1]}\n{statement.format(score)}") == float(score)
    assert math.isnan(parse_score(f"{marker[0]}{thinking}\n{statement.format(score)}"))


@settings(deadline=None)
@given(st.lists(TENTHS, min_size=2, max_size=2, unique=True), STATEMENTS, STATEMENTS)
def test_two_scores_are_none(scores: list[str], first: str, second: str) -> None:
    assert math.isnan(parse_score(f"{first.format(scores[0])}\n{second.format(scores[1])}"))


def test_long_answers_take_linear_time() -> None:
    """With quadratic time, one of these answers takes minutes; all together take seconds."""
    code = (
        "import json, sys\n"
        "from anyanomaly.core.parse import parse_score\n"
        "from anyanomaly.core.reason import reason_text\n"
        "for answer in json.load(sys.stdin):\n"
        "    parse_score(answer)\n"
        "    reason_text(answer[:10_000])\n"
    )
    parts = [" ", "score ", "{", '{"a', "<a ", "(", "i can't see ", "\\boxed{", "图1", "a\u0301"]
    answers = json.dumps([f"Score: 0.8. {part * (40_000 // len(part))}" for part in parts])
    subprocess.run([sys.executable, "-c", code], input=answers, text=True, check=True, timeout=60)


@pytest.mark.parametrize(("answer", "score"), QUIRKS)
def test_the_published_reading_keeps_its_quirks(answer: str, score: float) -> None:
    assert published_score(answer) == score


def stated_values(text: str) -> set[float]:
    """Return every fraction of 1 that a number of a text, or two of them, can state."""
    numbers = [float(digits.replace(",", ".")) for digits in re.findall(r"\d*[.,]?\d+", text)]
    return {value for number in numbers for value in (number, number / 10, number / 100)} | {
        number / maximum for number in numbers for maximum in numbers if maximum
    }


@given(st.sampled_from([0.0, 0.3, 0.8, 1.0]), st.integers(0xD800, 0xDFFF))
def test_half_an_emoji_that_a_token_limit_cut_is_no_number(score: float, half: int) -> None:
    assert parse_score(storable_text(f"{score} A fire {chr(half)}")) == score
