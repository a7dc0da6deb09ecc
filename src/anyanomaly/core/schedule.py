"""Which segments and texts to ask about, round by round, within a budget. Pure Python: no model, video or numpy.

The engine asks by it, and the curve of budgets replays it on stored scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from anyanomaly.core.budget import Budget

SMALLEST_ROUND = 4
"""Pairs in the first round of a small budget."""
FIRST_SHARE, LARGEST_SHARE, GROWTH = 32, 8, 1.5
"""The first round has a 32nd of the expected pairs, each later one is larger by half, and none is above an eighth."""


class Pair(NamedTuple):
    """A segment and an event text."""

    video: str  # `Video.id`
    segment: int  # `Segment.index`
    text: str  # the event text


class Schedule:
    """Chooses pairs in rounds: ``next_round``, ask about its pairs, ``record`` each, and again until it is empty.

    The rule:

    1. A pair whose priority is not above ``above`` is never chosen.
    2. The first round has the pairs of the highest priorities.
    3. In every later round half of the pairs (rounded up) are those of the highest urgency, and the other half those
       of the highest priority that are left. The urgency of a pair is ``priority + (1 - priority) * raise``. Its raise
       comes from the segments directly before and after it with the same text: the higher of their scores, as a
       fraction of the way from what the text usually scores to 1. What it usually scores is the lower quartile of its
       scores so far; a score that is not above it raises nothing.
    4. Pairs of equal urgency or priority are chosen so that they are spread evenly over the videos: in the order of
       the reversed bits of the segment's position among all segments; then in the order of the texts.
    5. A round grows by half from one to the next, up to an eighth of all pairs that the budget is enough for. So the
       run may be stopped after any round with the best answer so far.

    The score of a pair is the mean of what its contexts scored, so the choice depends on no threshold, smoothing or
    weight. It does not depend on the order in which the pairs of a round are recorded either.

    A budget of questions is never exceeded: a round has at most as many pairs as are possible when each needs
    ``questions_per_pair``. It is spent until fewer are left than that, or no pair is left.
    """

    def __init__(
        self,
        priorities: Iterable[tuple[Pair, float]],
        budget: Budget | None,
        *,
        questions_per_pair: int,
        above: float = 0.0,
        minutes: float = 0.0,
    ) -> None:
        """:param priorities: of all pairs of the run, in [0, 1], video by video in the order of time, text by text.

        :param budget: None: every pair above ``above``. :param questions_per_pair: the most that one may need, at
            least 1. :param above: in [0, 1). :param minutes: length of all videos, for a budget per minute.
        """
        self._pairs: list[Pair] = []
        self._priorities: list[float] = []
        spread: list[int] = []  # position of the segment among all segments
        segments: dict[tuple[str, int], int] = {}
        for pair, priority in priorities:
            self._pairs.append(pair)
            self._priorities.append(priority)
            spread.append(segments.setdefault((pair.video, pair.segment), len(segments)))
        self._numbers = {pair: number for number, pair in enumerate(self._pairs)}
        n_bits = len(segments).bit_length()
        self._ties = [(_reverse_bits(position, n_bits), number) for number, position in enumerate(spread)]
        candidates = [number for number, priority in enumerate(self._priorities) if priority > above]
        self._candidates = set(candidates)
        self._order = sorted(candidates, key=lambda number: (-self._priorities[number], self._ties[number]))
        self._next = 0  # of the order; those before it are chosen
        self._chosen: set[int] = set()
        self._scores: dict[int, float] = {}  # of recorded pairs; none that is NaN
        self.questions_per_pair = questions_per_pair
        self._reserved: set[int] = set()  # pairs that are chosen and not recorded
        self.n_questions = 0
        """Questions of the recorded pairs."""
        self.max_questions, self._max_pairs = _limits(budget, len(self._pairs), minutes)
        by_questions = math.inf if self.max_questions is None else self.max_questions // questions_per_pair
        self.n_expected = int(min(len(candidates), self._max_pairs, by_questions))
        """Pairs that will be asked about when each needs the most questions."""
        self._round_size = float(max(SMALLEST_ROUND, self.n_expected // FIRST_SHARE))

    @property
    def n_pairs(self) -> int:
        """Number of all pairs."""
        return len(self._pairs)

    @property
    def n_free(self) -> int | None:
        """Questions that are neither spent nor kept for the pairs of the round; None: any number."""
        if self.max_questions is None:
            return None
        return self.max_questions - self.n_questions - len(self._reserved) * self.questions_per_pair

    def next_round(self) -> list[Pair]:
        """Return the pairs to ask about next, the most urgent first; none: the budget is spent, or no pair is left."""
        size = min(int(self._round_size), self._n_possible())
        self._round_size = max(
            self._round_size, min(self._round_size * GROWTH, float(self.n_expected // LARGEST_SHARE))
        )
        numbers = self._most_urgent((size + 1) // 2)
        self._chosen.update(numbers)
        highest = self._highest(size - len(numbers))
        self._chosen.update(highest)
        self._reserved.update(numbers, highest)
        return [self._pairs[number] for number in (*numbers, *highest)]

    def record(self, pair: Pair, score: float, n_questions: int) -> None:
        """Note what came of a pair of the last round.

        :param score: the mean of its contexts' scores; NaN: it has none. :param n_questions: that were asked about it;
            0: none could be, for example because its video has vanished.
        """
        number = self._numbers[pair]
        self._reserved.discard(number)
        self.n_questions += n_questions
        if not math.isnan(score):
            self._scores[number] = score

    def _n_possible(self) -> int:
        """Return how many pairs may be chosen, whatever each of them needs."""
        n_possible = min(len(self._candidates) - len(self._chosen), self._max_pairs - len(self._chosen))
        if self.max_questions is not None:
            n_possible = min(n_possible, (self.n_free or 0) // self.questions_per_pair)
        return int(max(0, n_possible))

    def _highest(self, size: int) -> list[int]:
        """Return the pairs of the highest priorities that are not chosen."""
        while self._next < len(self._order) and self._order[self._next] in self._chosen:
            self._next += 1
        numbers: list[int] = []
        for position in range(self._next, len(self._order)):
            if len(numbers) == size:
                break
            if self._order[position] not in self._chosen:
                numbers.append(self._order[position])
        return numbers

    def _most_urgent(self, size: int) -> list[int]:
        """Return the pairs of the highest urgency that are not chosen."""
        raises = self._raises()
        numbers = {*raises, *self._highest(size)}
        return sorted(numbers, key=lambda number: (-self._urgency(number, raises), self._ties[number]))[:size]

    def _urgency(self, number: int, raises: dict[int, float]) -> float:
        priority = self._priorities[number]
        return priority + (1 - priority) * raises.get(number, 0.0)  # exactly the priority where nothing raises it

    def _raises(self) -> dict[int, float]:
        """Return how much the scores of neighbours raise pairs that are not chosen, in [0, 1]."""
        usual = self._usual_scores()
        raises: dict[int, float] = {}
        for number, score in self._scores.items():
            pair = self._pairs[number]
            if score <= usual[pair.text]:
                continue
            rise = (min(score, 1.0) - usual[pair.text]) / (1 - usual[pair.text])
            for segment in (pair.segment - 1, pair.segment + 1):
                neighbour = self._numbers.get(pair._replace(segment=segment))
                if neighbour in self._candidates and neighbour not in self._chosen:
                    raises[neighbour] = max(raises.get(neighbour, 0.0), rise)
        return raises

    def _usual_scores(self) -> dict[str, float]:
        """Return the lower quartile of the scores of each text so far, at most just below 1."""
        scores: dict[str, list[float]] = {}
        for number, score in self._scores.items():
            scores.setdefault(self._pairs[number].text, []).append(score)
        return {text: min(_lower_quartile(values), math.nextafter(1, 0)) for text, values in scores.items()}


def _limits(budget: Budget | None, n_pairs: int, minutes: float) -> tuple[int | None, float]:
    """Return the most questions (None: any number) and the most pairs that a budget allows."""
    if budget is None:
        return None, math.inf
    if budget.unit == "share":
        return None, max(1, math.floor(budget.amount * n_pairs + 1e-9))
    amount = budget.amount * minutes if budget.unit == "per-minute" else budget.amount
    return math.floor(amount + 1e-9), math.inf


def _lower_quartile(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 4]


def _reverse_bits(number: int, n_bits: int) -> int:
    return int(f"{number:0{max(1, n_bits)}b}"[::-1], 2)
