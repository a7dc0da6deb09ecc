"""The role that selects key frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from anyanomaly.api.component import Component, O_co
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.types import Crop, EventText, KeyFrames, Segment


class Selector(Component[O_co]):
    """Selects the frames that represent a segment. The same input gives the same output."""

    encoder: Encoder[Options]
    """Set by the host before ``load`` when the spec says ``needs_encoder``."""

    def crops(self, segment: Segment) -> Sequence[Crop]:
        """Return the crops that ``select`` will encode; the engine encodes those of many segments in one batch.

        This only saves time: ``select`` must work without it.
        """
        return ()

    @abstractmethod
    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the key frames, as positions in ``segment.frames``, which holds one frame or more.

        :raises BackendError: when the encoder fails.
        """
