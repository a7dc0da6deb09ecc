"""A way to look at what a run asks and hears, without a part in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anyanomaly.types import Answer, Query, Segment

if TYPE_CHECKING:
    from anyanomaly.engine.plan import Shown


class Observer:
    """Sees every segment with its questions, and every answer; override what is of use.

    ``on_questions`` is called on the thread that looks ahead, ``on_answer`` on the thread of the run.
    """

    def on_questions(self, segment: Segment, shown: Sequence[Shown], queries: Sequence[Query]) -> None:
        """Take a segment, what each event text shows of it, and the questions for its scores, in planned order."""

    def on_answer(self, answer: Answer) -> None:
        """Take an answer to a question for a score."""
