"""Rate segments with the gates of a run, before the backend is asked about them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from anyanomaly.api.encoder import Encoder
from anyanomaly.api.gate import Gate
from anyanomaly.api.options import Options
from anyanomaly.core.gate import combine_priorities
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.settings import GateRule
from anyanomaly.types import EventText, Segment, Video

_PriorityLists: TypeAlias = list[dict[str, dict[str, float]]]  # per segment: event text to gate to priority


@dataclass(frozen=True, slots=True)
class SegmentPriorities:
    """The priorities of one segment for one event text, each in [0, 1]."""

    combined: float
    by_gate: Mapping[str, float]  # name of the gate to its priority; a gate that need not be asked is not in it


class GateKeeper:
    """Rates the segments of one video after the other with all gates of a run.

    The gates rate in their order in ``gates``. With the mode ``and``, a gate rates only what can still be asked about:
    the product of the priorities so far is above ``GateRule.above``. Put the cheapest gate first.
    """

    def __init__(
        self,
        gates: Mapping[str, Gate[Options]],
        rule: GateRule,
        texts: Sequence[str],
        encoder: Encoder[Options] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """:param gates: loaded, by name, one or more. :param texts: the event texts of the run.
        :param encoder: the caching encoder of the run; None: no gate needs one.
        """
        self._gates = gates
        self._rule = rule
        self._texts = [EventText(text, tuple(texts)) for text in texts]
        self._encoder = encoder
        self._clock = clock or Clock()

    def begin(self, video: Video) -> None:
        """Tell the gates that the segments of a video come next.

        :raises AnyAnomalyError: when a gate fails.
        """
        with self._clock.stage("gate"):
            for gate in self._gates.values():
                gate.begin(video)

    def rate(self, segments: Sequence[Segment]) -> list[dict[str, SegmentPriorities]]:
        """Return the priorities of each segment, by event text, whatever the sizes of the groups are.

        :param segments: of the video of ``begin``, in the order of time; none gives an empty list.
        :raises AnyAnomalyError: when a gate, the encoder or the backend of a gate fails.
        """
        priorities: _PriorityLists = [{text.text: {} for text in self._texts} for _ in segments]
        with self._clock.stage("gate"):
            for name, gate in self._gates.items():
                self._rate_with(name, gate, segments, priorities)
        return [
            {text: SegmentPriorities(self._combine(of_gates), of_gates) for text, of_gates in of_texts.items()}
            for of_texts in priorities
        ]

    def _rate_with(
        self, name: str, gate: Gate[Options], segments: Sequence[Segment], priorities: _PriorityLists
    ) -> None:
        """Add the priorities of one gate, for the texts that may still be asked about."""
        open_texts = [[text for text in self._texts if self._is_open(of_texts[text.text])] for of_texts in priorities]
        self._encode(gate, [segment for segment, texts in zip(segments, open_texts, strict=True) if texts])
        open_positions = [position for position, texts in enumerate(open_texts) if texts]
        for texts, group in groupby(open_positions, key=lambda position: open_texts[position]):
            positions = list(group)  # neighbours with the same texts
            rows = gate.rate([segments[position] for position in positions], texts)
            for position, row in zip(positions, rows, strict=True):
                for text, priority in zip(texts, row, strict=True):
                    priorities[position][text.text][name] = float(priority)

    def _is_open(self, of_gates: Mapping[str, float]) -> bool:
        """Return whether the next gate can still change whether a segment is asked about."""
        return self._rule.mode != "and" or math.prod(of_gates.values()) > self._rule.above

    def _combine(self, of_gates: Mapping[str, float]) -> float:
        return combine_priorities(of_gates.values(), self._rule.mode)

    def _encode(self, gate: Gate[Options], segments: Sequence[Segment]) -> None:
        """Encode the crops of several segments in one call; the caching encoder keeps the vectors for ``rate``."""
        if self._encoder and (crops := [crop for segment in segments for crop in gate.crops(segment)]):
            self._encoder.encode_crops(crops)
