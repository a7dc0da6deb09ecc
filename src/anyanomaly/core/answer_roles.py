"""What a number is in an answer: the score, something that keeps a reader from trusting it, or another number."""

from __future__ import annotations

import math
import re
from enum import Enum, auto
from typing import Final

from anyanomaly.core.answer_numbers import Number, NumberedText
from anyanomaly.core.answer_text import REFERENCE
from anyanomaly.core.answer_units import RANGES
from anyanomaly.core.answer_words import (
    BOUNDS_AFTER,
    BOUNDS_BEFORE,
    CERTAINTY,
    CHANCE,
    COMPARISONS,
    CONDITIONS,
    CONNECTIVES,
    DENIED,
    EXAMPLES,
    FILLERS,
    FINAL,
    GLUED_FILLERS,
    LABELS,
    LEGEND_AFTER,
    NEGATION,
    POST_NEGATION,
    VERBS,
)


class Role(Enum):
    """What a number is."""

    FINAL = auto()  # a score that replaces the others
    LABELLED = auto()  # a score by its label
    PLAIN = auto()  # a score because it stands alone
    PART = auto()  # the score of one frame
    DOUBTFUL = auto()  # a bound, a range, a question: no score can be read beside it
    MENTIONED = auto()  # explains the scale, or an example: only a labelled score can be read beside it
    UNCLEAR = auto()  # a fraction in a sentence that says nothing of a score
    OTHER = auto()  # a count, a time, a certainty


_SCORE_WORD: Final = re.compile(f"{LABELS}|{VERBS}")
_VERB: Final = re.compile(VERBS)
_LABEL: Final = re.compile(LABELS)
_FINAL: Final = re.compile(FINAL)
_CERTAINTY: Final = re.compile(CERTAINTY)
_CHANCE: Final = re.compile(CHANCE)
_NEGATION: Final = re.compile(NEGATION)
_BOUND: Final = re.compile(BOUNDS_BEFORE)
_EXAMPLE: Final = re.compile(EXAMPLES)
_QUESTION: Final = re.compile(r"(?:[^.!?\n]|\.(?=\S))*+\?")
_SURE: Final = re.compile(r"sure|confident|certain|sicher|sûre?|segur[oa]|sicur[oa]|cert[oa]|уверена?|emin\w*")
_CONDITION: Final = CONDITIONS
_LEGEND: Final = LEGEND_AFTER
_DENIED: Final = re.compile(DENIED)
_CONNECTIVE: Final = re.compile(rf"[\s,]*(?:{CONNECTIVES})")
_LETTERS: Final = r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0d7f\u0e00-\u0e7f])++"  # with the vowel signs of Indic scripts
_WORD: Final = re.compile(rf"{_LETTERS}(?:['.]{_LETTERS})*+\.?")
_SIGNS: Final = " \n:=-–~→\"'>*.,([{"
_COPULA: Final = re.compile(
    r"[:=→]\s?$|\b(?:is|was|be|of|as|an?|est|de|es|é|è|di|ist|von|beträgt|lautet|sei|eine?|составляет|равн[аоы]?|будет|هو|هي|là|um|uma|un|una|une|del|है)\s$|[は为為是이가은는:]\s?$|^\s?$|[–-]\s?$"
)
_PART: Final = re.compile(
    rf"^\W*(?:\w+\W+){{0,3}}{REFERENCE}\W*(?:{LABELS}\W*(?:(?:is|of|ist|est|es|é|è|は|为|是)\W*)?)?$|{LABELS}\W+(?:\w+\W+){{0,2}}{REFERENCE}\W*(?:(?:is|ist|est|es|は|为|是)\W*)?$"
)
_OF: Final = re.compile(r"\s(?:of|der|des|du|de|del|della|dello|do|da)\b|\s?[的の의]")


def role(number: Number, numbered: NumberedText) -> Role:
    """Return what a number is in its text."""
    if number.is_quantity or _states_certainty(number):
        return Role.OTHER
    before, after = number.clause_before, number.clause_after
    label = _last(_SCORE_WORD, before)
    is_tight = label is not None and bool(_COPULA.search(before[label.end() :]))
    if not number.in_range:
        is_stated = is_tight or (not math.isnan(number.value) and _stands_alone(number))
        return Role.DOUBTFUL if is_stated else Role.OTHER
    if number.is_whole and not number.on_scale and not is_tight and not _stands_alone(number):
        return Role.MENTIONED if _LEGEND.match(number.after) else Role.OTHER
    if _is_doubtful(number, numbered, label):
        return Role.DOUBTFUL if label or not number.is_percent or _stands_alone(number) else Role.OTHER
    if _is_mentioned(number):
        return Role.MENTIONED
    if _DENIED.search(" ".join(_WORD.findall(before)[-3:])) or _states_absence(number):
        return Role.OTHER
    if (number.is_whole or number.maximum) and _WORD.match(after.lstrip(" ")) and not _ends(after):
        return Role.OTHER  # "Answer: 1 person", "2 of 3 people"
    if label is None and _DENIED.search(_first_words(after, 3)):
        return Role.OTHER
    if _PART.search(before):
        return Role.PART
    ends = before.rstrip(" ").endswith((":", "=", "–", " -"))
    if _FINAL.search(before) and (label or ends):
        return Role.FINAL
    if number.is_percent and _OF.match(number.after) and not _CHANCE.search(number.clause_after):
        return Role.OTHER
    if label or number.has_points or _SCORE_WORD.search(_first_words(after, 2)) or _is_chance(number):
        return Role.LABELLED
    is_named = ends and _ends(after) and not number.is_percent and not re.search(r"(?<!\w)[a-z] ?[:=]\s?$", before)
    if _stands_alone(number) or (is_named and (number.on_scale or not number.is_whole)):
        return Role.PLAIN
    return (
        Role.OTHER
        if number.is_whole or number.is_percent or number.maximum or _OF.match(number.after)
        else Role.UNCLEAR
    )


def _states_certainty(number: Number) -> bool:
    """Return whether a number says how sure the model is."""
    before = number.clause_before
    label = _last(_SCORE_WORD, before)
    if re.search(rf"{CERTAINTY}[^.!?\n]*\?\s?$", number.before):
        return True
    if _CERTAINTY.search(_first_words(number.clause_after, 2 if label else 4)):
        return True
    if label is None:
        before = re.sub(r"^\W*(?:sure|certain(?:ly)?|seguro|claro|certo)\W", "", number.sentence_before)
        label = _last(_LABEL, before)
    certainty = _last(_CERTAINTY, before)
    if certainty is None:
        return False
    if label is None or label.start() <= certainty.start():
        return True
    between = before[certainty.end() : label.start()]
    if _SURE.fullmatch(certainty[0]):
        return not between.strip()
    return not re.match(r"\W*(?:that|the|my|dass|die|der|das|que|che|что|la|le|il|lo|o|a|l')\b|\W*,", between)


def _is_doubtful(number: Number, numbered: NumberedText, label: re.Match[str] | None) -> bool:
    before, after = number.clause_before, number.clause_after
    tail = before[label.end() :] if label else re.split(r"[:=]", before)[-1]
    if _QUESTION.match(number.after) or _CONDITION.search(number.sentence_before) or _CONDITION.match(after.lstrip()):
        return True
    if re.search(r"(?<![-=])[<>]=?\s?\Z|=<\s?\Z|(?:±|\+/-)\s?\Z", number.before) or BOUNDS_AFTER.match(number.after):
        return True
    bound = _last(_BOUND, before)
    if bound and len(_WORD.findall(before[bound.end() :])) <= 1 and len(before) - bound.end() <= 8:
        return True
    negation = _last(_NEGATION, tail)
    if label and _NEGATION.search(" ".join(_WORD.findall(before[: label.start()])[-2:])) and _VERB.fullmatch(label[0]):
        return True
    if (negation and (label or len(_WORD.findall(tail[negation.end() :])) <= 1)) or POST_NEGATION.match(number.after):
        return True
    return _is_contradicted(number) or _is_one_of_several(number, numbered)


def _is_one_of_several(number: Number, numbered: NumberedText) -> bool:
    """Return whether a number is an end of a range, or one of a list of different numbers."""
    for first, second in numbered.neighbours(number):
        other = second if first is number else first
        between = numbered.between(first, second)
        if other.is_quantity or (other.is_whole and _WORD.match(other.clause_after.lstrip(" "))):
            continue
        if re.fullmatch(r"\s?,\s?", between) and first.before.endswith(("[", "(")):
            return True
        if RANGES.fullmatch(between) or (number.value != other.value and re.fullmatch(r"[\s,;/&]{1,4}", between)):
            return True
    return False


def _is_mentioned(number: Number) -> bool:
    if _LEGEND.match(number.after) and (number.value in (0, 1) or re.match(r"\s?=", number.after)):
        return True
    before = number.sentence_before
    example = _last(_EXAMPLE, before)
    if example and len(_WORD.findall(before[example.end() :])) <= 5:
        return True
    return bool(COMPARISONS.search(before))


def _states_absence(number: Number) -> bool:
    """Return whether a number is the chance that the event is absent."""
    sentence = f"{number.sentence_before} {number.sentence_after}"
    is_chance = _CHANCE.search(sentence) or re.match(r"\s(?:that|dass|que|qu'|che|что|że)\b", number.after)
    return bool(is_chance and _NEGATION.search(sentence))


def _is_contradicted(number: Number) -> bool:
    """Return whether a high number stands beside words that say no."""
    name = re.split(r"[:=]\s?$", number.clause_before)
    is_denied = len(name) > 1 and _NEGATION.search(name[0]) and not _SCORE_WORD.search(name[0])
    return number.value > 0.5 and bool(is_denied or re.match(rf"\s?[,:–-]?\s?{NEGATION}", number.after))


def _is_chance(number: Number) -> bool:
    sentence = f"{number.sentence_before} {_first_words(number.clause_after, 6)}"
    chances = (chance[0] for chance in _CHANCE.finditer(sentence))
    return not number.is_whole and any(chance not in ("likely", "probable") for chance in chances)


def _stands_alone(number: Number) -> bool:
    """Return whether nothing but words that any number could stand with are in the clause."""
    before, after = number.clause_before, number.clause_after
    if number.is_whole and not number.on_scale:
        return (
            not _WORD.search(before)
            and _ends(after)
            and bool(
                re.search(
                    r"(?:^|[.!?\n|→>]|\b(?:yes|no|ja|nein|oui|non|sí|sì|sim|não|да|нет)\W*)[\s:=*(\-–\"']*$",
                    number.before[-12:],
                )
            )
            and not re.match(r"\s?(?:,\s?\d|\))", number.after + "0")
        )
    if number.maximum and number.maximum not in (1, 5, 10, 100):
        return False
    if number.is_percent and number.before.endswith("(") and not number.is_leading:
        return False
    if number.is_leading and not number.is_percent and not number.maximum:
        return not _OF.match(number.after)
    return are_fillers(before) and (
        _ends(after) or (not number.is_percent and not number.maximum and are_fillers(after))
    )


def are_fillers(words: str) -> bool:
    """Return whether lower-case words could stand with any score."""
    return all(word in FILLERS or GLUED_FILLERS.fullmatch(word) for word in _WORD.findall(words))


def _ends(after: str) -> bool:
    """Return whether a clause ends, or goes on with a reason."""
    return (
        not _WORD.search(after)
        or bool(_CONNECTIVE.match(after))
        or bool(re.fullmatch(r"\s?(?:です|だ|とします|입니다|이다|है|でした)\W*", after))
    )


def _first_words(text: str, n_words: int) -> str:
    """Return the first words of a clause, up to one that begins a reason; eight characters count as words at least."""
    connective = re.search(rf"[\s,](?:{CONNECTIVES})", text)
    text = text[: connective.start()] if connective else text
    words = list(_WORD.finditer(text))[:n_words]
    stop = words[-1].end() if words else 0
    return text[: min(stop, 60)] if text[:1].isascii() and stop < 60 else text[:8]


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    match = None
    for match in pattern.finditer(text):  # noqa: B007
        pass
    return match
