"""The gate that asks a small, fast model first: a cascade."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from functools import cached_property
from importlib.resources import files

import numpy as np

from anyanomaly.api.gate import Gate
from anyanomaly.builtin.gate_options import BackendGateOptions
from anyanomaly.core.expected import SCORES, YES_NO, expected_score
from anyanomaly.core.parse import parse_score
from anyanomaly.core.prompt import PromptTemplate, build_prompt
from anyanomaly.types import Answer, EventText, FloatArray, Query, QueryId, Sampling, Segment

CONTEXT = "gate"
"""Name of the context in the ids of its questions: the middle frame of the segment."""
_PROMPTS = {"expected": "consideration", "yes-no": "yes-no", "words": "reason-consideration"}
_CHOICES = {"expected": SCORES, "yes-no": YES_NO}


class BackendGate(Gate[BackendGateOptions]):
    """The score that another backend gives the middle frame of a segment.

    An answer without a readable score has the priority 1, so that the run's own backend is asked: it says nothing about
    the segment. The host replaces the scoring ``auto``.
    """

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        """Return the score of each segment for each text; one question each.

        :raises BackendError: when the backend fails.
        """
        priorities = np.ones((len(segments), len(texts)), np.float32)
        positions = {segment.index: position for position, segment in enumerate(segments)}
        columns = {text.text: column for column, text in enumerate(texts)}
        for answer in self.ask(self._query(segment, text) for segment in segments for text in texts):
            priorities[positions[answer.id.segment], columns[answer.id.text]] = _priority(answer)
        return priorities

    @cached_property
    def _template(self) -> PromptTemplate:
        name = _PROMPTS[self._scoring]
        content = (files("anyanomaly") / "prompts" / f"{name}.toml").read_text(encoding="utf-8")
        return PromptTemplate(name=name, **tomllib.loads(content))

    @property
    def _scoring(self) -> str:
        return "words" if self.options.scoring == "auto" else self.options.scoring

    def _query(self, segment: Segment, text: EventText) -> Query:
        return Query(
            QueryId(segment.video.id, segment.index, text.text, CONTEXT),
            (segment.frames[len(segment.frames) // 2].image,),
            build_prompt(self._template, text.text),
            self._template.system,
            self._template.text_first,
            Sampling(max_tokens=self.options.max_tokens, choices=_CHOICES.get(self._scoring, ())),
        )


def _priority(answer: Answer) -> float:
    """Return the score of an answer, in [0, 1]; 1 when there is none that can be read."""
    if answer.value is not None:
        score = answer.value
    elif answer.logprobs is not None:
        score, _ = expected_score(answer.logprobs)
    else:
        score = parse_score(answer.text)
    return 1.0 if math.isnan(score) else min(max(score, 0.0), 1.0)
