"""The role that picks key frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from anyanomaly.api.component import Component, O_co
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.types import Crop, EventText, KeyFrames, Segment


class Selector(Component[O_co]):
    """Picks the frames that speak for a segment. Pure: the same input gives the same output."""

    encoder: Encoder[Options]
    """Set by the host before ``load`` when the spec says ``needs_encoder``."""

    def crops(self, segment: Segment) -> Sequence[Crop]:
        """Name the crops that ``select`` will encode, for the engine to encode those of many segments in one pass.

        Only a matter of speed: ``select`` must be right without it.
        """
        return ()

    @abstractmethod
    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return positions in ``segment.frames``, which holds one frame or more."""
