"""Read the score of an answer."""

from __future__ import annotations

import math

from anyanomaly.core.expected import expected_score
from anyanomaly.core.parse import parse_score, published_score
from anyanomaly.engine.settings import Scoring
from anyanomaly.types import Answer, Score


def read_score(answer: Answer, scoring: Scoring) -> Score:
    """Return the score of an answer: its value, the expected score of its log-probabilities, or the score in its words.

    ``scoring`` decides how words are read. A value outside [0, 1] and words without a score give NaN.
    """
    if answer.value is not None:
        value = answer.value if 0 <= answer.value <= 1 else math.nan
        return Score(answer.id, value, answer.text)
    if answer.logprobs is not None:
        value, mass = expected_score(answer.logprobs)
        return Score(answer.id, value, answer.text, mass)
    parse = published_score if scoring == "published" else parse_score
    return Score(answer.id, parse(answer.text), answer.text)
