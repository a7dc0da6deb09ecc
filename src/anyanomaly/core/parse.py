"""From an answer's words to a score in [0, 1], or NaN: an unreadable answer has no score, not the score 0."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

_NUMBER = r"(?P<number>[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:e[-+]?\d+)?)(?![\d:])"
_UNIT = r"(?:\s*(?P<percent>%|percent\b)|\s*(?:/|out\s+of|of)\s*(?P<maximum>\d+(?:\.\d+)?)(?![\d:]))?"
_VALUE = _NUMBER + _UNIT

_LABELLED = re.compile(
    r"\b(?P<final>final\s+|overall\s+)?(?:anomaly\s+|confidence\s+)?(?:score|rating|output|response|answer)\b[\"']*"
    r"(?:\s*\([^)]*\))?\s*(?:for\s+(?:this|the)\s+\w+\s*)?(?:is|would\s+be|of|[:=\-\u2013\u2014])*\s*" + _VALUE,
    re.IGNORECASE,
)
_LEADING = re.compile(r"\W*?" + _VALUE, re.IGNORECASE)
_ANY = re.compile(r"(?<![\w.:])" + _VALUE + r"(?!\w)", re.IGNORECASE)

# Numbers that are not the score: the scale, repeated from the question, and positions in the grid.
_SCALE = re.compile(
    r"\(?\b(?:on\s+)?(?:a\s+)?(?:scale\s+)?(?:of\s+|from\s+|between\s+)?0(?:\.0)?\s*(?:to|and|\u2013)\s*"
    r"(?P<top>1(?:\.0)?|5|10|100)(?![\d.]*\d)\)?|\b0-(?P<top2>1|5|10|100)\b",
    re.IGNORECASE,
)
_POSITION = re.compile(r"\b(?:row|column|frame|image|panel|step)s?\s+\d+(?:\s*(?:,|and|to|-)\s*\d+)*", re.IGNORECASE)
_JSON = re.compile(r"\{[^{}]*\}")


def parse_score(answer: str) -> float:
    """Return the score in an answer: in [0, 1], or NaN.

    The first of these that occurs in the answer is read:

    1. a JSON object with a field named score, output, response or answer;
    2. a labelled number ("Score: 0.9"); several that differ give NaN, unless one of them is called final;
    3. a number at the beginning;
    4. the only number.

    Percentages and ratios ("90%", "9/10", "9 out of 10", "on a scale from 0 to 10, 9") become fractions of 1. A number
    outside [0, 1] gives NaN.
    """
    text = re.sub(r"[*`_#]", "", answer)
    json_score = _from_json(text)
    if json_score is not None:
        return json_score
    top = 1.0
    if scale := _SCALE.search(text):
        top = float(scale["top"] or scale["top2"])
    text = _POSITION.sub(" ", _SCALE.sub(" ", re.sub(r"(?<=\d),(?=\d)", ".", text)))

    labelled = list(_LABELLED.finditer(text))
    for group in ([match for match in labelled if match["final"]], labelled):
        values = {_fraction(match, top) for match in group}
        if group:
            return values.pop() if len(values) == 1 else math.nan
    if match := _LEADING.match(text):
        return _fraction(match, top) if _is_score(match) else math.nan
    values = {_fraction(match, top) for match in _ANY.finditer(text) if _is_score(match)}
    return values.pop() if len(values) == 1 else math.nan


def published_score(answer: str) -> float:
    """Return the first number in the answer, whatever its size, or 0.0 without one, as the published code does."""
    match = re.search(r"\d+(?:\.\d+)?", answer)
    return float(match[0]) if match else 0.0


def _from_json(text: str) -> float | None:
    """Return the score in the first JSON object that has one; NaN: it is not in [0, 1]; None: no object has one."""
    for fields in _objects(text):
        for name, value in fields.items():
            if name.lower().replace(" ", "") in {"score", "anomalyscore", "output", "response", "answer"}:
                match = _LEADING.fullmatch(str(value).strip())
                return _fraction(match, 1.0) if match and not isinstance(value, bool) else math.nan
    return None


def _objects(text: str) -> Iterator[dict[str, object]]:
    for match in _JSON.finditer(text):
        try:
            yield json.loads(match[0])
        except ValueError:
            continue


def _fraction(match: re.Match[str], top: float) -> float:
    number = float(match["number"])
    if match["percent"]:
        number /= 100
    elif match["maximum"]:
        number = number / float(match["maximum"]) if float(match["maximum"]) else math.nan
    else:
        number /= top
    return number if 0 <= number <= 1 else math.nan


def _is_score(match: re.Match[str]) -> bool:
    """Return whether a number is a score, not a count: "1." and "1.0 as a person" are, "1 person is walking" is not."""
    counts = re.match(r"[ \t]+\w", match.string[match.end() :])
    return bool(match["percent"] or match["maximum"] or "." in match["number"] or not counts)
