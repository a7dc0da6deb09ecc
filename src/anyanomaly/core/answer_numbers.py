"""The numbers of a plain text, with what stands around each, and the scale that the text declares."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Final

from anyanomaly.core.answer_text import REFERENCE
from anyanomaly.core.answer_units import (
    FULL_MARKS,
    ORDINAL_REFERENCES,
    PERCENT_AFTER,
    PERCENT_BEFORE,
    POINTS,
    RATIOS,
    REFERENCES,
    SCALE_SEPARATORS,
    UNITS,
)

MAX_NUMBERS: Final = 200  # of a readable answer
_BEFORE: Final = 120  # characters before a number that can say what it is
_AFTER: Final = 80  # characters behind it

_RUN: Final = re.compile(r"(?<![\d.,])\.?\d+(?:[.,:·・'][.,:·・']?\d+)*+(?:e[-+]?\d{1,2}(?!\w))?")
_PLAIN: Final = re.compile(
    r"(?:\d|[1-9]\d)?\.\d{1,12}|(?:0,\d{1,12}|1,(?:\d\d?|0{4,9})|[1-9]\d?,\d{1,2})|0|[1-9]\d{0,11}|(?:\d\.)?\d{1,3}e[-+]?\d{1,2}"
)
_INDEX: Final = r"\d{1,4}(?![.,]?\d|\s?%|[^\W\d_])"
_REFERENCE: Final = re.compile(
    rf"(?<![a-zà-öø-ÿ]){REFERENCES}\s?(?:#|no\.?|nr\.?|№|号|號|番号|number)?\s?{_INDEX}"
    rf"(?:\s?(?:,|&|and|to|-|–|~|und|et|y|e|и)\s?{_INDEX})*+"
    r"|第\s?\d{1,4}\s?(?:帧|幀|张|張|幅|个|個|枚|行|列|格|副|コマ|フレーム)(?:目|の?画像|图片?|圖片?|图像)?"
)
_SCALE: Final = re.compile(
    r"(?P<open>[\[({]\s?)?(?:(?:from|between|of|von|zwischen|de|da|do|entre|tra|от|между|من|بين|từ|van|od|dari)\s)?"
    rf"(?<![\d.,\-])0(?:[.,]0+)?(?P<percent>\s?%)?(?:{SCALE_SEPARATORS}|\s?,\s)(?P<top>1(?:[.,]0+)?|5|10|100)"
    r"(?![\d.,]*\d)(?:\s?%)?(?:까지|まで|之间|之間|の間|的范围|的範圍)?(?(open)(?:\s?[\])}])?)|[\[({]0[,;/|]\s?1(?:[.,]0)?[\])}]"
)
_UNCLEAR_SCALE: Final = re.compile(
    r"(?:scale|skala|échelle|escala|scala|шкал\w+|ölçe\w+|thang|스케일|척도|スケール|尺度|范围|範圍|مقياس|पैमाने)[^\d\n]{0,20}"
    r"[1-9]\s?(?:-|–|to|bis|à|a|до|到|至|から|에서|إلى|से|đến|ile)\s?\d"
    r"|(?:^|\n)(?:max|maximum|max score|scale|out of): (?:[2-9]|\d\d)"
)
_COORDINATES: Final = re.compile(  # "bbox: [0.1, 0.2, 0.3, 0.4]"
    r"(?:bbox|box|coordinates?|coords|position|location|located|region|area|point|坐标|座標|位置|좌표|координат\w*|coordonnées"
    r"|coordenadas|coordinate|koordinaten)(?: 2d)?[^\d\n.(\[]{0,20}[\[(]{1,2}[\d.,;\s]{3,80}[\])]{1,2}"
)
_SENTENCE_STOP: Final = re.compile(r"[.!?](?=\s|$|[)\"])|\n")
_CLAUSE_STOP: Final = re.compile(rf"{_SENTENCE_STOP.pattern}|[,;|()\[\]{{}}→]|(?<=\s)-(?=\s)(?!\s\Z)|–(?!\s?\Z)|[=-]>")
_ASIDE: Final = re.compile(r"\([^()]{0,80}\)|\[[^\[\]]{0,80}\]")
_NAME_BEFORE: Final = re.compile(r"(?:[a-zà-öø-ÿа-яё_@#$€£¥₹^*\\№]|\d\s?[×x^*]\s?|[a-z]/|\d:)\Z")
_NAME_AFTER: Final = re.compile(r"[a-zà-öø-ÿа-яё_@^*\\]|:\d|-(?!prozent)[a-zа-яё]")


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text, and its surroundings.

    ``value`` is the fraction of 1 that it states, by its own percent sign, ratio or scale; NaN: none that can be read.
    """

    value: float
    start: int
    stop: int  # behind its percent sign, its unit of points, or the maximum of its ratio
    before: str  # up to 120 characters, back to the number before, without what stands in parentheses
    after: str  # up to 80 characters, to the number behind
    is_leading: bool  # nothing but signs stands before it
    is_whole: bool  # an integer without percent sign or maximum
    is_percent: bool
    maximum: float  # of its ratio; 0: it is none
    is_quantity: bool  # with a unit, or a part of a name
    on_scale: bool  # an integer of a scale that the text declares
    has_points: bool  # its unit are points

    @property
    def in_range(self) -> bool:
        """Whether it can be a score."""
        return 0 <= self.value <= 1

    @property
    def clause_before(self) -> str:
        """The words before it in its clause; a colon does not end a clause."""
        return _behind_last(_CLAUSE_STOP, self.before)

    @property
    def sentence_before(self) -> str:
        """The words before it in its sentence."""
        return _behind_last(_SENTENCE_STOP, self.before)

    @property
    def clause_after(self) -> str:
        """The words behind it in its clause."""
        match = _CLAUSE_STOP.search(self.after)
        return self.after[: match.start()] if match else self.after

    @property
    def sentence_after(self) -> str:
        """The words behind it in its sentence, with the sign that ends it."""
        match = _SENTENCE_STOP.search(self.after)
        return self.after[: match.end()] if match else self.after


@dataclass(frozen=True, slots=True)
class NumberedText:
    """A text without the scale, whose references to frames are one character each, and its numbers."""

    text: str
    numbers: tuple[Number, ...]
    has_unclear_scale: bool  # one that does not begin at 0, or two

    def neighbours(self, number: Number) -> list[tuple[Number, Number]]:
        """Return a number with the one before it, and with the one behind it."""
        position = next(index for index, candidate in enumerate(self.numbers) if candidate is number)
        nearby = self.numbers[max(0, position - 1) : position + 2]
        return list(pairwise(nearby))

    def between(self, number: Number, following: Number) -> str:
        """Return what stands between two numbers."""
        return self.text[number.stop : following.start]


def find_numbers(text: str) -> NumberedText | None:
    """Return the numbers of a plain text, or None if there are more than a person would compare."""
    is_unclear = _UNCLEAR_SCALE.search(text) is not None
    text = ORDINAL_REFERENCES.sub(REFERENCE, _REFERENCE.sub(REFERENCE, _COORDINATES.sub("", text)))
    text, tops = _take_scales(text)
    runs = list(islice(_RUN.finditer(text), MAX_NUMBERS + 1))
    if len(runs) > MAX_NUMBERS:
        return None
    top = max(tops, default=1.0)
    numbers: list[Number] = []
    for run, following in pairwise([*runs, None]):
        position = numbers[-1].stop if numbers else 0
        if run and run.start() >= position:  # not the maximum of the ratio before it
            numbers.append(_read(text, position, run, following, top))
    return NumberedText(text, tuple(numbers), is_unclear or len(tops) > 1)


def _take_scales(text: str) -> tuple[str, set[float]]:
    """Return a text without the scales that it declares, and their tops."""
    tops: set[float] = set()

    def take_scale(match: re.Match[str]) -> str:
        if match["top"] and not match["percent"]:
            tops.add(float(match["top"].replace(",", ".")))
        return " "

    def take_full_marks(match: re.Match[str]) -> str:
        tops.add(float(next(group for group in match.groups() if group)))
        return ""

    text = re.sub(" +", " ", FULL_MARKS.sub(take_full_marks, _SCALE.sub(take_scale, text)))
    return text.strip(), tops - {0.0}


def _read(text: str, position: int, run: re.Match[str], following: re.Match[str] | None, top: float) -> Number:
    """Return the number of a run of digits; ``position`` is the end of the number before, ``top`` that of the scale."""
    start, stop = run.span()
    before = text[max(position, start - _BEFORE) : start]
    value = _plain_value(run[0])
    is_whole = run[0].isdigit()
    maximum = 0.0
    is_percent = bool(PERCENT_BEFORE.search(before))
    if percent := PERCENT_AFTER.match(text, stop):
        stop, is_percent = percent.end(), True
    if is_percent:
        value = value / 100 if not 0 < value < 1 else math.nan  # 0.8% may well mean 0.8
    elif following and RATIOS.fullmatch(text, stop, following.start()) and re.fullmatch(r"\d+(?:[.,]0)?", following[0]):
        maximum = _plain_value(following[0])
        is_clear = maximum and text[start : following.end()] != "0/1" and not 0 < value < 1 < maximum
        value = value / maximum if is_clear else math.nan
        stop = following.end()
    else:
        value = value / top if top == 1 or is_whole or value >= 1 else math.nan  # 0.8 of 1 or of the scale?
    points = POINTS.match(text, stop)
    is_quantity = bool(
        _NAME_BEFORE.search(before)
        or _NAME_AFTER.match(text, stop)
        or (UNITS.match(text, stop) and not is_percent and not maximum)
    )
    if points and not is_quantity:
        stop = points.end()
    if re.search(r"(?:^|[\s:=(\[])-\Z", before):
        value = -value or math.nan  # no model means -0.0
    if re.search(r"(?<![\d.,])[01] ?\. ?$", text[max(0, start - 5) : start]):  # "0. 8"
        value = math.nan
    if run[0] in ("0", "1") and re.match(r" ?\. ?\d|\.(?:x+|y+|_+|\?+)(?!\w)", text[stop : stop + 6]):  # "0 .8", "0.X"
        value = math.nan
    after = text[stop : min(following.start() if following and following.start() >= stop else len(text), stop + _AFTER)]
    return Number(
        value=value,
        start=start,
        stop=stop,
        before=_ASIDE.sub(lambda aside: REFERENCE if REFERENCE in aside[0] else " ", before),
        after=after,
        is_leading=not re.search(r"\w|" + REFERENCE, text[max(0, start - 20) : start]) and start < 20,
        is_whole=is_whole and not is_percent and not maximum,
        is_percent=is_percent,
        maximum=maximum,
        is_quantity=is_quantity,
        on_scale=is_whole and top != 1 and not is_percent and not maximum,
        has_points=bool(points) and not is_quantity,
    )


def _plain_value(digits: str) -> float:
    """Return the value of digits, NaN for times, dates, versions and the like."""
    return float(digits.replace(",", ".")) if _PLAIN.fullmatch(digits) else math.nan


def _behind_last(stop: re.Pattern[str], text: str) -> str:
    position = 0
    for match in stop.finditer(text):
        position = match.end()
    return text[position:]
