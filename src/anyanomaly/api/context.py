"""The role that makes the images a backend sees."""

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
    """Options of every context."""

    weight: float = Field(default=1.0, ge=0, description="Weight of this context's score in the fusion.")


C_co = TypeVar("C_co", bound=ContextOptions, covariant=True)


class ContextGenerator(Component[C_co]):
    """Makes the images that queries show. The same input gives the same output."""

    encoder: Encoder[Options]
    """Set by the host before ``load`` when the spec says ``needs_encoder``."""

    def crops(self, segment: Segment, key_frames: KeyFrames) -> Sequence[Crop]:
        """Return the crops that ``build`` will encode; the engine encodes those of many segments in one batch.

        This only saves time: ``build`` must work without it.
        """
        return ()

    @abstractmethod
    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> Sequence[Context]:
        """Return at least one context. There is one query for each; the highest of their scores counts.

        Every context has the component's name, and a hint when it shows more than one frame.

        :raises BackendError: when the encoder fails.
        """
