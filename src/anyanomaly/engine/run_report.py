"""What a run did, in numbers, while it goes on and at its end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from anyanomaly.api.activity import Times
from anyanomaly.engine.clock import Speed
from anyanomaly.engine.collect import ONLY_THOUGHTS
from anyanomaly.errors import BackendError
from anyanomaly.types import Notice

Phase = Literal["", "rate", "ask"]


@dataclass(slots=True)
class RunReport:
    """Counts of what a run did, for the display while it goes on and for the summary at its end."""

    n_segments: int = 0
    n_frames: int = 0
    n_events: int = 0
    n_asked: int = 0  # queries that reached the backend
    n_reused: int = 0  # queries answered from the store, or by an equal query of this run
    n_answers: int = 0  # to questions for a score
    n_unreadable: int = 0  # of these, how many have no readable score
    unreadable_example: str = ""  # the beginning of the first unreadable answer; ONLY_THOUGHTS: it ends in its thoughts
    mean_mass: float | None = None  # mean probability of the allowed answers, 0 to 1; None: scores are read from words
    problems: list[Notice] = field(default_factory=list)  # one per video that could not be read in full
    notices: list[Notice] = field(default_factory=list)  # what readers noticed, though nothing failed
    finished_videos: list[str] = field(default_factory=list)  # ids of the videos that the run went through
    speed: Speed | None = None  # None: no clock ran
    backend_times: Times = field(default_factory=Times)  # from the first query to the last answer
    has_gates: bool = False
    n_pairs: int = 0  # scores of a segment and text
    n_unasked: int = 0  # of these, how many the backend was not asked about
    phase: Phase = ""  # of a run with a budget over recordings: it rates all segments, then it asks; otherwise empty
    n_videos: int = 0  # of the run
    n_texts: int = 1  # of the run
    n_rated_videos: int = 0  # videos that were rated to their end
    n_rated_frames: int = 0  # frames that were rated
    n_budget: int | None = None  # questions that the budget allows; with `counts_pairs`: segments and texts
    counts_pairs: bool = False  # the budget is a share of the segments
    n_spent: int = 0  # of these, how many are spent

    def describe_asked(self) -> str:
        """Return about how many segments the backend was asked, in words; empty without gates."""
        if not self.has_gates or not self.n_pairs:
            return ""
        n_asked = self.n_pairs - self.n_unasked
        noun = "segments" if self.n_pairs == self.n_segments else "segments and texts"
        percent = 100 * n_asked / self.n_pairs
        digits = 0 if percent >= 1 or not n_asked else 1
        return f"asked about {n_asked} of {self.n_pairs} {noun} ({percent:.{digits}f} %)"

    def describe_progress(self) -> str:
        """Return what a run with a budget over recordings does before its first outcome; empty: it has outcomes."""
        if not self.phase or self.n_pairs:
            return ""
        if self.phase == "rate":
            return f"rating all segments; {self.n_rated_videos} of {self.n_videos} videos done"
        noun = "segments" if self.counts_pairs else "questions"
        return f"asking where it is likely; {self.n_spent} of {self.n_budget} {noun} of the budget"

    def fraction_done(self, n_expected: int | None) -> float | None:
        """Return how much of the phase is done, 0 to 1; None: unknown.

        :param n_expected: frames of all videos times their texts; None: unknown.
        """
        if self.phase == "ask":
            return self.n_spent / self.n_budget if self.n_budget else None
        return min(1.0, self.n_rated_frames * self.n_texts / n_expected) if n_expected else None

    def check_readable(self, max_unreadable: float) -> None:
        """Check how many answers have no readable score.

        :param max_unreadable: largest allowed fraction of them, 0 to 1.
        :raises BackendError: when it is exceeded.
        """
        if self.n_unreadable > max_unreadable * self.n_answers:
            example, advice = repr(self.unreadable_example), "--scoring expected, another prompt or model"
            if self.unreadable_example == ONLY_THOUGHTS:
                example = "thoughts that end before an answer"
                advice = "a larger --max-tokens, or --backend.thinking off"
            raise BackendError(
                f"{self.n_unreadable} of {self.n_answers} answers have no readable score, for example {example}. The "
                f"results are written without these scores. Try {advice}, or allow it with --max-unreadable 1."
            )
