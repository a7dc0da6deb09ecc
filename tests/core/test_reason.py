"""The reason in an answer has the model's words, and neither its thinking nor the score."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.core.parse import parse_score
from anyanomaly.core.reason import reason_text
from anyanomaly.core.thinking import MARKERS

REASONS = st.sampled_from(
    ["A bicycle is visible.", "2 people are running.", "有一辆自行车。", "Человек падает.", "自転車が見えます。"]
)
STATEMENTS = st.sampled_from(
    ["0.8.", "Score: 0.8.", "**Response**: 0.8.", "得分：0.8。", "0,8 -", "The score is 0.8.", "80%.", "8/10."]
)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("0.9. The image shows a bicycle.", "The image shows a bicycle."),
        ("Score: 0.8\nReason: 2 people are running.", "2 people are running."),
        ("The image shows 2 people. Score: 0.8", "The image shows 2 people."),
        ("I would give a score of 0.6 since a vehicle is visible.", "since a vehicle is visible."),
        ("A man falls down: 0.9", "A man falls down"),
        ("0.9 is the score because a bike can be seen.", "because a bike can be seen."),
        ("<think>First 0.2.</think>0.9 – a bike", "a bike"),
        ('```json\n{"score": 0.7, "reason": "3 people are running"}\n```', "3 people are running"),
        ("<answer>0.8</answer> The bicycle is visible.", "The bicycle is visible."),
        ("<score>0.8</score><reason>A bicycle.</reason>", "A bicycle."),
        ("There is a 90% chance that a person falls.", "There is a chance that a person falls."),
        ("Score: 1. There is 1 bicycle.", "There is 1 bicycle."),
        ("0.9 (two men are fighting)", "two men are fighting"),
        ("得分：0.9，因为图中有人骑自行车。", "因为图中有人骑自行车。"),
        ("٠٫٨ دراجة في الصورة", "دراجة في الصورة"),
        ("A bicycle is\nvisible.", "A bicycle is visible."),
        ("No bicycle is present, so I assign a score of 0.0.", "No bicycle is present"),
        ("Since the car is fully visible, the score is 1.", "Since the car is fully visible"),
        ("The image includes a falling person with a score of 0.9.", "The image includes a falling person"),
        ("由于画面中没有车辆，所以评分是0.0。", "由于画面中没有车辆"),
        ("Score: 0.6\n\n### Reason\nThe car is hidden.", "The car is hidden."),
        ("I rate it 0.9 on a scale from 0 to 1: a bike is ridden.", "a bike is ridden."),
        ("- **Task**: Evaluate the image.\n- **Response**: 0.8, a bike is visible.", "a bike is visible."),
        ("Assistant: 0.7. A man is running.", "A man is running."),
        ("0.9", ""),
        ("Score: 8/10", ""),
        ("The final score is **0.9**.", ""),
        ("スコアは0.8です", ""),
        ("zero", ""),
        ("<think>It is 0.9", ""),
        ("", ""),
    ],
)
def test_the_reason_of_an_answer(answer: str, reason: str) -> None:
    assert reason_text(answer) == reason


@settings(deadline=None)
@given(STATEMENTS, REASONS)
def test_the_score_is_not_in_the_reason(statement: str, reason: str) -> None:
    assert reason_text(f"{statement} {reason}") == reason
    assert reason_text(f"{reason}\n{statement}") == reason


@settings(deadline=None)
@given(st.sampled_from(MARKERS), STATEMENTS, REASONS)
def test_thinking_is_not_in_the_reason(marker: tuple[str, str], statement: str, reason: str) -> None:
    assert reason_text(f"{marker[0]}Let me see. It may be 0.3.{marker[1]}{statement} {reason}") == reason


@settings(deadline=None)
@given(st.text(max_size=100))
def test_any_text_gives_a_reason_without_a_score(answer: str) -> None:
    reason = reason_text(answer)
    assert math.isnan(parse_score(answer)) or parse_score(reason) != parse_score(answer)
