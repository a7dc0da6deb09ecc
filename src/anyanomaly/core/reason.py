"""From an answer's words to the reason in them, without the model's thinking and without the score."""

from __future__ import annotations

import math
import re
from typing import Final

from anyanomaly.core.answer_fields import reasons_in_fields
from anyanomaly.core.answer_qualifiers import CONSEQUENCES
from anyanomaly.core.answer_roles import are_fillers
from anyanomaly.core.answer_text import SPEAKER, plain_characters
from anyanomaly.core.answer_words import CONNECTIVES, LABELS, REASON_KEYS, VERBS
from anyanomaly.core.parse import parse_score
from anyanomaly.core.thinking import strip_thinking, strip_wrappers
from anyanomaly.types import SegmentScore

_SENTENCE: Final = re.compile(r"(?:[^.!?\n。！？]|[.](?=\S))*+[.!?。！？\n]*+[ \t]*+")
_NUMBER: Final = re.compile(
    r"(?<![A-Za-z\d_.,．٫])[-+]?(?:\d+(?:[.,．，٫]\d+)?|[.．]\d+)"
    r"(?:\s?[%％٪]|\s?(?:/|out of|von|sur|de|su|из|من)\s?(?:\d+(?:[.．]\d+)?)|\s(?:percent|prozent|"
    r"points?))?\s?(?:分|点|점)?(?![A-Za-z\d_٫．])"
)
_MARKUP: Final = re.compile(
    r"\*\*|__|`{1,3}(?:json|python|yaml|text)?|^ {0,3}#{1,6} |^ {0,3}[-*•>] (?=\S)|"
    r"</?[A-Za-z]\w{0,20}(?:\s[^<>]{0,40})?/?>",
    re.MULTILINE,
)
_LABEL_ONLY: Final = re.compile(
    rf"\W*(?:(?:the|my|final|overall)\s)?{LABELS}(?:\s?\([^()]{{0,20}}\))?\W*", re.IGNORECASE
)
_SCORE_WORD: Final = re.compile(f"{LABELS}|{VERBS}", re.IGNORECASE)
_VERB: Final = re.compile(rf"\s?{VERBS}\W*", re.IGNORECASE)  # "mit 0,8 bewerten"
_REASON_LABEL: Final = re.compile(
    rf"(?:^|(?<=\n))[^\w\n]{{0,10}}(?:(?:the|a|brief|short)\s)*{REASON_KEYS}[^\w\n]{{0,3}}[:：=\n]\s*", re.IGNORECASE
)
_CLAIM: Final = re.compile(
    rf"\A(?:is|was|would be)\s(?:(?:the|my|an?)\s(?:\w+\s)?{LABELS}|given|assigned|appropriate)[\s,]*|\Aहै\s",
    re.IGNORECASE,
)
_SCALE_PHRASE: Final = re.compile(
    r"(?:\b(?:on|auf|sur|en|in|em|su|using)\s)?(?:\b(?:an?|the|einer|une|una|uma)\s)?\b(?:scale|skala|échelle|escala|scala)\b"
    r"[^\d.,\n]{0,12}0(?:\.0)?[^\d.,\n]{1,6}1(?:\.0)?(?!\d|[.,]\d),?",
    re.IGNORECASE,
)
_CAUSE: Final = re.compile(rf"\s*(?:{CONNECTIVES}|comme|como|siccome|بما أن)", re.IGNORECASE)
_FOLLOWS: Final = re.compile(
    rf"{CONSEQUENCES.pattern}|\bwith (?:an? )?(?=(?:\w+ )?{LABELS})|[,;](?=\s?{LABELS})", re.IGNORECASE
)
_TRAILING_CONSEQUENCE: Final = re.compile(rf"[\s,;]*{CONSEQUENCES.pattern}\s*\Z", re.IGNORECASE)
_ECHO: Final = re.compile(  # of the prompt
    r"^\W{0,6}(?:task|consideration|context)\W{0,3}:.*$", re.IGNORECASE | re.MULTILINE
)
_MAX_REPETITIONS: Final = 20  # of the score in a sentence
_JOINT: Final = " \t\n:：=→-–—(（,，،、;；)）]*\"'"


def reason_text(answer: str) -> str:
    """Return the reason in an answer as one paragraph, "" if it gives none.

    It contains neither the model's thinking nor the number that ``parse_score`` reads as the score.
    """
    text = strip_wrappers(reasons_in_fields(strip_thinking(answer)))
    text = re.sub(r"[:：][ \t]*\n\s*", ": ", _MARKUP.sub(lambda match: " " if match[0][0] == "<" else "", text))
    text = _REASON_LABEL.sub("", _ECHO.sub("", _SCALE_PHRASE.sub(" ", SPEAKER.sub("", text))))
    score = parse_score(answer)
    if not math.isnan(score):
        sentences = (_without_score(sentence, score) for sentence in _SENTENCE.findall(text))
        text = " ".join(sentence for sentence in sentences if parse_score(sentence) != score)
    text = text.strip(_JOINT)
    text = " ".join(text.split())
    return text if re.search(r"[^\W\d_]", text) and parse_score(text) != score else ""


def best_reason(score: SegmentScore) -> str:
    """Return the reason of the context that scored highest, among those that gave one; "" if none did."""
    readable = (part for part in score.scores.values() if part.answer and not math.isnan(part.value))
    reasons = (reason_text(part.answer) for part in sorted(readable, key=lambda part: part.value, reverse=True))
    return next((reason for reason in reasons if reason), "")


def _without_score(sentence: str, score: float) -> str:
    """Return a sentence without the score and the words that only introduce it."""
    for _ in range(_MAX_REPETITIONS):
        remainder = _without_first(sentence, score)
        if remainder == sentence:
            return "" if _LABEL_ONLY.fullmatch(sentence) else sentence
        sentence = remainder
    return ""


def _without_first(sentence: str, score: float) -> str:
    """Return a sentence without the first number that is the score; the sentence itself if there is none."""
    for match in _NUMBER.finditer(sentence):
        if not _states(match[0], score):
            continue
        before, after = sentence[: match.start()], sentence[match.end() :]
        introduces = _SCORE_WORD.search(before) or are_fillers(before.lower()) or _VERB.fullmatch(after)
        if match[0].strip().isdigit() and not introduces:
            continue  # a count
        is_name = before.rstrip().endswith((":", "：")) and not introduces
        before = _cause(before) if introduces else _TRAILING_CONSEQUENCE.sub("", before).rstrip(_JOINT)
        if re.match(r"\W*[(（]", after):
            after = re.sub(r"[)）]", "", after, count=1)
        after = _CLAIM.sub("", after.lstrip(_JOINT + "।"))
        if are_fillers(after.lower().rstrip("।")) or (len(after.split()) <= 6 and _SCORE_WORD.search(after)):
            after = ""
        if is_name and after:
            before += ":"
        remainder = " ".join(part for part in (before, after) if part)
        return remainder if re.search(r"[^\W\d_]", remainder) else ""
    return sentence


def _cause(introduction: str) -> str:
    """Return the words from which a score follows: "A car is visible" of "A car is visible, so the score is"."""
    start = introduction.rfind(",") if _CAUSE.match(introduction) else -1
    for match in _FOLLOWS.finditer(introduction):
        start = match.start()
    cause = introduction[: max(start, 0)].strip(_JOINT)
    return cause if len(cause.encode()) > 10 and not _SCORE_WORD.search(cause) else ""


def _states(number: str, score: float) -> bool:
    value = parse_score(number)
    return (not math.isnan(value) and abs(value - score) < 1e-9) or _scaled(number) == score


def _scaled(number: str) -> float:
    """Return an integer as a share of ten, for answers that declare such a scale."""
    digits = plain_characters(number).strip()
    return int(digits) / 10 if digits.isdigit() and len(digits) < 3 else math.nan
