"""From an answer's words to a score in [0, 1], or NaN: an unreadable answer has no score, not the score 0."""

from __future__ import annotations

import math
import re

from anyanomaly.core.answer_numbers import find_numbers
from anyanomaly.core.answer_qualifiers import RETRACTIONS
from anyanomaly.core.answer_refusals import refuses
from anyanomaly.core.answer_roles import Role, are_fillers, role
from anyanomaly.core.answer_text import full_text, plain_text
from anyanomaly.core.answer_words import LABELS, NO, ONE, YES, ZERO

_WORD_SCORE = re.compile(
    rf"(?P<label>{LABELS}\s?(?:[:=]|(?:is|was|be|would be|should be|will be|of|ist|est|es|è|é|は|为|為|是)(?!\w))\s?)"
    rf"(?:(?P<zero>{'|'.join(ZERO)})|{'|'.join(ONE)})(?=[^\w\s-]|\n|です|$)"
)
_DENIAL = r"(?! ?: (?:false|no)\b)"  # "present: false"
_YES, _NO = (
    re.compile(rf"(?:^|[.!?\n,;:]|(?<![\d ])\(|(?<!\d) \()\s?{words}{_DENIAL}\s?(?=[.!?\n,;:()–]| -|$)")
    for words in (YES, NO)
)


def parse_score(answer: str) -> float:
    """Return the score in an answer: in [0, 1], or NaN where a careful person would hesitate.

    Thinking is removed, and each number of the rest gets a role from the words and signs around it (``answer_roles``).
    The score is the value that all labelled and free-standing numbers share; a label that says "final" overrules the
    others. Percentages, ratios and declared scales ("90%", "9/10", "on a scale from 0 to 10, 9") become fractions of 1.
    Ranges, bounds, questions, different numbers, numbers outside [0, 1], refusals and requests for the image give NaN,
    and so does a number that says how sure the model is, or that the model takes back. The time is linear
    in the length of the answer.
    """
    text = plain_text(answer)
    score = _from_word(text)
    if math.isnan(score):
        score = _from_numbers(_WORD_SCORE.sub(lambda match: f"{match['label']}{'0' if match['zero'] else '1'}", text))
    if math.isnan(score) or refuses(text) or refuses(full_text(answer)):
        return math.nan
    if (score > 0.5 and _NO.search(text)) or (score < 0.2 and _YES.search(text)):
        return math.nan
    return score


def published_score(answer: str) -> float:
    """Return the first number in the answer, whatever its size, or 0.0 without one, as the published code does."""
    match = re.search(r"\d+(?:\.\d+)?", answer)
    return float(match[0]) if match else 0.0


def _from_word(text: str) -> float:
    """Return the score of an answer that is the word zero or one, NaN otherwise."""
    word = text.strip(" .!\"'()[]")
    return 0.0 if word in ZERO else 1.0 if word in ONE else math.nan


def _from_numbers(text: str) -> float:
    """Return the score that the numbers of a plain text state, or NaN."""
    numbered = find_numbers(text)
    if numbered is None or not numbered.numbers or RETRACTIONS.search(numbered.text, numbered.numbers[-1].stop):
        return math.nan
    has_lead = False  # the answer begins with its score
    plain_after_final: list[float] = []
    values: dict[Role, list[float]] = {kind: [] for kind in Role}
    for number in numbered.numbers:
        kind = role(number, numbered)
        if numbered.has_unclear_scale and not number.is_percent and not number.maximum and kind is not Role.UNRELATED:
            kind = Role.DOUBTFUL
        values[kind].append(number.value)
        has_lead = has_lead or (kind is Role.PLAIN and number.is_leading)
        if kind is Role.PLAIN and values[Role.FINAL] and are_fillers(number.clause_before):
            plain_after_final.append(number.value)
    if values[Role.FINAL]:
        return _only(values[Role.FINAL] + plain_after_final)
    if values[Role.DOUBTFUL] or len(values[Role.PART]) == 1:
        return math.nan
    if values[Role.MENTIONED] and not values[Role.LABELLED] and not has_lead:
        return math.nan
    score = _only(values[Role.LABELLED] + values[Role.PLAIN] + values[Role.PART])
    return _only([score, *values[Role.UNCLEAR]])


def _only(values: list[float]) -> float:
    """Return the value that all share, NaN if they differ or there are none."""
    return values[0] if values and max(values) - min(values) < 1e-9 else math.nan
