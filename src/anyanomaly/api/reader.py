"""The role that reads frames from a URI."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence

from anyanomaly.api.component import Component, O_co
from anyanomaly.types import Frame, Video


class Reader(Component[O_co]):
    """Reads files, folders or cameras. One reader may have several videos open at the same time."""

    @abstractmethod
    def probe(self, uri: str) -> Video:
        """Describe the video without reading all of it.

        :raises VideoError: when it is missing or cannot be opened.
        """

    @abstractmethod
    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield the frames ``start``, ``start + every`` ... in order; their times never decrease.

        Frames are yielded as they are read, so the source may never end. Closing the iterator closes the file. Frames
        that cannot be read are skipped, and so are their indices.

        Frames outside ``video.section`` may be left out, which saves the engine from reading them; the others keep the
        numbers and times that they have in the whole video. A reader that knows where the video or the section ends
        says so in ``Frame.end`` of its last frame: ``Video.n_frames`` is a hint that nothing relies on.

        :raises VideoError: after all readable frames, when others could not be read; the message says how many.
        """

    def content_digest(self, video: Video) -> str | None:
        """Return a digest of all bytes that the frames of a video come from; None: it cannot be known.

        Where it is known, a run of the same content with the same settings need not read the video again.
        """
        return None

    def notices(self, video: Video) -> Sequence[str]:
        """Return what a user should know about a video though nothing failed, so far, one sentence each.

        For example that timestamps are missing, or which of several streams is used. The engine asks after the last
        frame. A notice is shown and written to result files; it does not change the exit code.
        """
        return ()
