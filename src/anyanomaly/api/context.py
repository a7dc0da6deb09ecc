"""The role that makes what the backend sees."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from pydantic import Field

from anyanomaly.api.component import Component
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.types import Context, Crop, EventText, KeyFrames, Segment


class ContextOptions(Options):
    """What every context has: its weight in the fusion."""

    weight: float = Field(default=1.0, ge=0, description="Weight of this context's score in the fusion.")


C_co = TypeVar("C_co", bound=ContextOptions, covariant=True)


class ContextGenerator(Component[C_co]):
    """Makes what the backend sees. Pure: the same input gives the same output."""

    encoder: Encoder[Options]
    """Set by the host before ``load`` when the spec says ``needs_encoder``."""

    def crops(self, segment: Segment, key_frames: KeyFrames) -> Sequence[Crop]:
        """Name the crops that ``build`` will encode, for the engine to encode those of many segments in one pass.

        Only a matter of speed: ``build`` must be right without it.
        """
        return ()

    @abstractmethod
    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> Sequence[Context]:
        """Return at least one context, each of which becomes a query; the highest of their scores counts.

        Their ``name`` is the component's. A context has a hint whenever it shows more than one frame.
        """
