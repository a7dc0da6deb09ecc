"""Hooks for code that receives the queries and answers of a run, such as `show`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anyanomaly.types import Answer, Query, Segment

if TYPE_CHECKING:
    from anyanomaly.engine.planned import TextContexts


class Observer:
    """Base class whose methods the run calls with every segment's queries and every answer; override those you need.

    ``on_queries`` is called on the look-ahead thread, ``on_answer`` on the thread of the run.
    """

    def on_queries(self, segment: Segment, text_contexts: Sequence[TextContexts], queries: Sequence[Query]) -> None:
        """Receive a segment, its contexts for each event text, and the queries for its scores in planned order."""

    def on_answer(self, answer: Answer) -> None:
        """Receive an answer to a query for a score."""
