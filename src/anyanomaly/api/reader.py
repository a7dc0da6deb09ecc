"""The role that turns a URI into frames."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from anyanomaly.api.component import Component, O_co
from anyanomaly.types import Frame, Video


class Reader(Component[O_co]):
    """Reads files, folders, cameras. One reader may have several videos open at once."""

    @abstractmethod
    def probe(self, uri: str) -> Video:
        """Describe the video without reading it through.

        :raises VideoError: when it is missing or cannot be opened.
        """

    @abstractmethod
    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield the frames ``start``, ``start + every`` ... in order, times never decreasing.

        Frames are yielded as they are read, so the source may never end. Closing the iterator frees the
        file. Frames that cannot be read are left out (their indices are not used again).

        :raises VideoError: after everything readable was yielded, when something was not; the message says
            what and how much.
        """
