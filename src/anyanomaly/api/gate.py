"""The role that rates segments before the backend is asked about them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence

from anyanomaly.api.component import Component, O_co
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.types import Answer, Crop, EventText, FloatArray, Query, Segment, Video


class Gate(Component[O_co]):
    """Gives each event text a priority in each segment, from what is cheap to compute.

    The engine calls ``begin`` with every video, then ``rate`` with its segments in the order of time, in groups of any
    size. The same segments in the same order have the same priorities, whatever the groups are and whatever videos
    came before. With the rule ``and``, a gate rates only what the gates before it have left.
    """

    encoder: Encoder[Options]
    """Set by the host before ``load`` when the spec says ``needs_encoder``."""
    ask: Callable[[Iterable[Query]], Iterator[Answer]]
    """Set by the host before ``load`` when the spec says ``needs_backend``: asks the backend that the options name.

    Stored answers are reused, and answers come in any order.
    """

    def begin(self, video: Video) -> None:
        """Receive the video whose segments come next; what is known of another camera's background ends here."""

    def crops(self, segment: Segment) -> Sequence[Crop]:
        """Return the crops that ``rate`` will encode; the engine encodes those of many segments in one batch.

        This only saves time: ``rate`` must work without it.
        """
        return ()

    @abstractmethod
    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        """Return a priority per segment and text, float32 (n_segments, n_texts), each in [0, 1].

        At 0 the backend need not be asked; of others the highest are asked first.

        :param segments: one or more of the video of ``begin``, ascending and later than those of calls before; there
            may be gaps. :param texts: one or more of the run's event texts, not the same in every call.
        :raises BackendError: when the encoder or the backend fails.
        """
