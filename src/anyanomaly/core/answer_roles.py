"""What a number is in an answer: the score, something that keeps a reader from trusting it, or another number."""

from __future__ import annotations

import math
import re
from collections import deque
from enum import Enum, auto
from typing import Final

from anyanomaly.core.answer_numbers import Number, NumberedText
from anyanomaly.core.answer_qualifiers import (
    BOUNDS_AFTER,
    BOUNDS_BEFORE,
    COMPARISONS,
    CONDITIONS,
    CONSEQUENCES,
    CONTRASTS,
    CONTRASTS_AFTER,
    DEGREES,
    DIFFERENCE,
    EXAMPLES,
    LEGEND_AFTER,
    POST_NEGATION,
    TENTATIVE,
    WHETHER,
)
from anyanomaly.core.answer_text import REFERENCE
from anyanomaly.core.answer_units import RANGES
from anyanomaly.core.answer_words import (
    CERTAINTY,
    CHANCE,
    CONNECTIVES,
    DENIED,
    FILLERS,
    FINAL,
    GLUED_FILLERS,
    LABELS,
    NEGATION,
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
    UNRELATED = auto()  # a count, a time, a certainty


_SCORE_WORD: Final = re.compile(f"{LABELS}|{VERBS}")
_VERB: Final = re.compile(VERBS)
_LABEL: Final = re.compile(LABELS)
_CERTAINTY: Final = re.compile(CERTAINTY)
_NEGATION: Final = re.compile(NEGATION)
_QUESTION: Final = re.compile(r"(?:[^.!?\n]|\.(?=\S))*+\?")
_SURE: Final = re.compile(r"sure|confident|certain|sicher|sûre?|segur[oa]|sicur[oa]|cert[oa]|уверена?|emin\w*")
_CONNECTIVE: Final = re.compile(rf"[\s,]*(?:{CONNECTIVES})")
_LETTERS: Final = r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u0d7f\u0e00-\u0e7f])++"  # with the vowel signs of Indic scripts
_WORD: Final = re.compile(rf"{_LETTERS}(?:['.]{_LETTERS})*+\.?")
_COPULA: Final = re.compile(  # between a label and its number
    r"^\s?$|[:=→–-]\s?$|[は为為是이가은는]\s?$"
    r"|\b(?:is|was|be|of|as|an?|est|de|es|é|è|di|ist|von|beträgt|lautet|sei|eine?|составляет|равн[аоы]?|будет|هو|هي"
    r"|là|um|uma|un|una|une|del|है)\s$"
)
_IS: Final = r"(?:(?:is|of|ist|est|es|é|è|は|为|是)\W*)?$"
_PART: Final = re.compile(
    rf"^\W*(?:\w+\W+){{0,3}}{REFERENCE}\W*(?:{LABELS}\W*)?{_IS}|{LABELS}\W+(?:\w+\W+){{0,2}}{REFERENCE}\W*{_IS}"
)
_CERTAINTY_ASKED: Final = re.compile(rf"{CERTAINTY}[^.!?\n]*\?\s?$")
_INTERJECTION: Final = re.compile(r"^\W*(?:sure|certain(?:ly)?|seguro|claro|certo)[,.!]")
_THAT_THE: Final = re.compile(r"\W*(?:that|the|my|dass|die|der|das|que|che|что|la|le|il|lo|o|a|l')\b|\W*,")
_THAT: Final = re.compile(r"\s(?:that|dass|que|qu'|che|что|że)\b")
_BOUND_SIGN: Final = re.compile(r"(?<![-=])[<>]=?\s?\Z|=<\s?\Z|(?:±|\+/-)\s?\Z")
_NEGATION_BEHIND: Final = re.compile(rf"\s?[,:–-]?\s?(?:for |of )?{NEGATION}(?!\s?{DEGREES})")
_VARIABLE: Final = re.compile(r"(?<!\w)[a-z] ?[:=]\s?$")  # "p = "
_SENTENCE_START: Final = re.compile(
    r"(?:^|[.!?\n|→>]|\b(?:yes|no|ja|nein|oui|non|sí|sì|sim|não|да|нет)\W*)[\s:=*(\-–\"']*$"
)
_LIST_SIGN: Final = re.compile(r"\s?(?:,\s?\Z|\))")  # "1, 2" and "1)"
_ONE_WORD: Final = re.compile(rf" (?![\u2e80-\uffff]{{5}}){_LETTERS}\W*")  # "0.5 litres"
_CLAIM: Final = re.compile(rf" (?:is|was|seems|would be) (?:an?|the|my) (?:\w+ )?{LABELS}")  # "0.9 is a fair score"
_OF: Final = re.compile(r"\s(?:of|der|des|du|de|del|della|dello|do|da)\b|\s?[的の의]")


def role(number: Number, numbered: NumberedText) -> Role:
    """Return what a number is in its text."""
    if number.is_quantity or _states_certainty(number) or _is_contrast(number, numbered):
        return Role.UNRELATED
    before, after = number.clause_before, number.clause_after
    label = _last(_SCORE_WORD, before)
    is_tight = label is not None and bool(_COPULA.search(before[label.end() :]))
    if not number.in_range:
        is_stated = is_tight or (not math.isnan(number.value) and _stands_alone(number))
        return Role.DOUBTFUL if is_stated else Role.UNRELATED
    if number.is_whole and not number.on_scale and not is_tight and not _stands_alone(number):
        return Role.MENTIONED if LEGEND_AFTER.match(number.after) else Role.UNRELATED
    if _is_doubtful(number, numbered, label):
        return Role.DOUBTFUL if label or not number.is_percent or _stands_alone(number) else Role.UNRELATED
    if _is_mentioned(number):
        return Role.MENTIONED
    if DENIED.search(" ".join(_WORD.findall(_VERB.split(before)[-1])[-3:])) or _states_absence(number):
        return Role.UNRELATED
    if (number.is_whole or number.maximum) and _WORD.match(after.lstrip(" ")) and not _ends(after):
        return Role.UNRELATED  # "Answer: 1 person", "2 of 3 people"
    if label is None and DENIED.search(_first_words(after, 3)):
        return Role.UNRELATED
    if _PART.search(before):
        return Role.PART
    ends = before.rstrip(" ").endswith((":", "=", "–", " -"))
    if FINAL.search(before) and (label or ends):
        return Role.FINAL
    if number.is_percent and _OF.match(number.after) and not CHANCE.search(number.clause_after):
        return Role.UNRELATED
    is_claimed = _SCORE_WORD.search(_first_words(after, 2)) or _CLAIM.match(after)
    if label or number.has_points or is_claimed or _is_chance(number):
        return Role.LABELLED
    is_named = ends and _ends(after) and not number.is_percent and not _VARIABLE.search(before)
    if _stands_alone(number) or (is_named and (number.on_scale or not number.is_whole)):
        return Role.PLAIN
    is_decimal = not (number.is_whole or number.is_percent or number.maximum)
    return Role.UNCLEAR if is_decimal and not _OF.match(number.after) else Role.UNRELATED


def _states_certainty(number: Number) -> bool:
    """Return whether a number says how sure the model is."""
    before = number.clause_before
    label = _last(_SCORE_WORD, before)
    if _CERTAINTY_ASKED.search(number.before):
        return True
    if _CERTAINTY.search(_first_words(number.clause_after, 2 if label else 4)):
        return True
    if label is None:
        before = CONSEQUENCES.split(_INTERJECTION.sub("", number.sentence_before))[-1]
        label = _last(_LABEL, before)
    certainty = _last(_CERTAINTY, before)
    if certainty is None:
        return False
    if label is None or label.start() <= certainty.start():
        return True
    between = before[certainty.end() : label.start()]
    if _SURE.fullmatch(certainty[0]):
        return not between.strip()
    return not _THAT_THE.match(between)


def _is_contrast(number: Number, numbered: NumberedText) -> bool:
    """Return whether a number is only named as what the score is not, beside the score."""
    contrast = _last(CONTRASTS, number.clause_before)
    between = number.clause_before[contrast.end() :] if contrast else ":"
    if ":" not in between and len(_WORD.findall(between)) <= 3:
        return True
    if CONTRASTS_AFTER.match(number.after):
        return True
    return any(
        second is number and not first.is_quantity and DIFFERENCE.fullmatch(numbered.between(first, second))
        for first, second in numbered.neighbours(number)
    )


def _is_doubtful(number: Number, numbered: NumberedText, label: re.Match[str] | None) -> bool:
    return (
        _QUESTION.match(number.after) is not None
        or (_is_bound(number) and not LEGEND_AFTER.match(number.after))
        or _is_negated(number, label)
        or _is_contradicted(number)
        or _is_one_of_several(number, numbered)
    )


def _is_bound(number: Number) -> bool:
    if _BOUND_SIGN.search(number.before) or BOUNDS_AFTER.match(number.sentence_after):
        return True
    bound = _last(BOUNDS_BEFORE, number.clause_before)
    between = number.clause_before[bound.end() :] if bound else ""
    return bound is not None and len(_WORD.findall(between)) <= 1 and len(between) <= 8


def _is_negated(number: Number, label: re.Match[str] | None) -> bool:
    before = number.clause_before
    between = before[label.end() :] if label else re.split(r"[:=]", before)[-1]
    between = CONSEQUENCES.split(between)[-1]
    negation = _last(_NEGATION, between)
    if negation and (label or len(_WORD.findall(between[negation.end() :])) <= 1):
        return True
    if label and _VERB.fullmatch(label[0]) and _NEGATION.search(" ".join(_WORD.findall(before[: label.start()])[-2:])):
        return True  # "I would not rate this 0.8"
    return POST_NEGATION.match(number.after) is not None


def _is_one_of_several(number: Number, numbered: NumberedText) -> bool:
    """Return whether a number is an end of a range, or one of a list of different numbers."""
    for first, second in numbered.neighbours(number):
        neighbour = second if first is number else first
        between = numbered.between(first, second)
        is_range = RANGES.fullmatch(between) is not None
        is_count = neighbour.is_whole and _WORD.match(neighbour.clause_after.lstrip(" "))
        if neighbour.is_quantity or (is_count and not (is_range and neighbour is first)):
            continue
        if re.fullmatch(r"\s?,\s?", between) and first.before.endswith(("[", "(")):
            return True
        if is_range or (number.value != neighbour.value and re.fullmatch(r"[\s,;/&]{1,4}", between)):
            return True
    return False


def _is_mentioned(number: Number) -> bool:
    """Return whether a number explains the scale, is an example, depends on a condition, or was only considered."""
    if LEGEND_AFTER.match(number.after) and (
        number.value in (0, 1) or re.match(r"\s?=", number.after) or _is_bound(number)
    ):
        return True
    if TENTATIVE.search(number.clause_before) or CONDITIONS.match(number.clause_after.lstrip()):
        return True
    before = WHETHER.sub("", number.sentence_before)
    example = _last(EXAMPLES, before)
    is_example = example and len(_WORD.findall(before[example.end() :])) <= 5
    return bool(is_example or CONDITIONS.search(before) or COMPARISONS.search(before))


def _states_absence(number: Number) -> bool:
    """Return whether a number is the chance that the event is absent."""
    sentence = f"{number.sentence_before} {number.sentence_after}"
    is_chance = CHANCE.search(sentence) or _THAT.match(number.after)
    return bool(is_chance and _NEGATION.search(sentence))


def _is_contradicted(number: Number) -> bool:
    """Return whether a high number stands beside words that say no."""
    name = re.split(r"[:=]\s?$", number.clause_before)
    is_denied = len(name) > 1 and _NEGATION.search(name[0]) and not _SCORE_WORD.search(name[0])
    is_denied = is_denied or (_NEGATION_BEHIND.match(number.after) and not DIFFERENCE.fullmatch(number.after))
    return number.value > 0.5 and bool(is_denied)


def _is_chance(number: Number) -> bool:
    """Return whether a number is the chance of the event; "likely" alone is rather a certainty."""
    sentence = f"{number.sentence_before} {_first_words(number.clause_after, 6)}"
    chances = (chance[0] for chance in CHANCE.finditer(sentence))
    return not number.is_whole and any(chance not in ("likely", "probable") for chance in chances)


def _stands_alone(number: Number) -> bool:
    """Return whether nothing but words that any number could stand with are in the clause."""
    before, after = number.clause_before, number.clause_after
    if number.is_whole and not number.on_scale:
        return (
            not _WORD.search(before)
            and _ends(after)
            and _SENTENCE_START.search(number.before[-12:]) is not None
            and not _LIST_SIGN.match(number.after)
        )
    if number.maximum and number.maximum not in (1, 5, 10, 100):
        return False
    if number.is_percent and number.before.endswith("(") and not number.is_leading:
        return False
    if number.is_leading and not number.is_percent and not number.maximum:
        is_noun = _ONE_WORD.fullmatch(number.after) and not are_fillers(after) and not _CONNECTIVE.match(after)
        return not is_noun and not _OF.match(number.after)
    return are_fillers(CONSEQUENCES.split(before)[-1]) and (
        _ends(after)
        or after.startswith((":", " :"))
        or (not number.is_percent and not number.maximum and are_fillers(after))
    )


def are_fillers(words: str) -> bool:
    """Return whether lower-case words could stand with any score."""
    return all(
        word in FILLERS or word.rstrip(".") in FILLERS or GLUED_FILLERS.fullmatch(word) for word in _WORD.findall(words)
    )


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
    return next(iter(deque(pattern.finditer(text), maxlen=1)), None)
