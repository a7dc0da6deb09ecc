"""Evidence on disk until the report is written: a run may have more of it than fits in memory."""

from __future__ import annotations

import pickle
import tempfile
from dataclasses import replace
from typing import IO

from anyanomaly.builtin.opencv import opencv
from anyanomaly.builtin.pictures import encode_jpeg
from anyanomaly.errors import OutputError
from anyanomaly.evidence import Evidence, Exchange, Picture

MAX_SIDE = 480  # pixels of a picture in the report
THUMBNAIL_SIDE = 288  # pixels of the picture of an event
_JPEG_QUALITY = 80


class EvidenceSpool:
    """Evidence in a temporary file without a name, which ends with the process."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None

    def add(self, evidence: Evidence) -> int:
        """Store evidence, with its pictures scaled down, and return its position.

        :raises OutputError: when it cannot be written.
        """
        try:
            self._file = self._file or tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            position = self._file.seek(0, 2)
            pickle.dump(scale_down(evidence.key_frame, THUMBNAIL_SIDE), self._file)
            pickle.dump(_scaled(evidence), self._file)
        except OSError as error:
            raise OutputError(
                f"Cannot keep pictures for the report in {tempfile.gettempdir()}: {error.strerror}. Free some space "
                f"there, or name another folder with the environment variable TMPDIR."
            ) from error
        return position

    def read(self, position: int) -> tuple[Evidence, Picture]:
        """Return the evidence that `add` stored at a position, and its key frame as a thumbnail.

        :raises OutputError: when it cannot be read.
        """
        assert self._file is not None  # `add` opened it
        try:
            self._file.seek(position)  # what follows was written by this process, to a file that no other can open
            thumbnail: Picture = pickle.load(self._file)
            evidence: Evidence = pickle.load(self._file)
        except (OSError, EOFError) as error:
            raise OutputError(f"Cannot read the report's pictures again: {error}. Run again.") from error
        return evidence, thumbnail

    def close(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _scaled(evidence: Evidence) -> Evidence:
    return replace(
        evidence,
        key_frame=scale_down(evidence.key_frame),
        frames=tuple(map(scale_down, evidence.frames)),
        exchanges=tuple(map(_scaled_exchange, evidence.exchanges)),
    )


def _scaled_exchange(exchange: Exchange) -> Exchange:
    return replace(exchange, pictures=tuple(map(scale_down, exchange.pictures)))


def scale_down(picture: Picture, max_side: int = MAX_SIDE) -> Picture:
    """Return a picture of at most ``max_side`` pixels a side; one that cannot be read unchanged."""
    if max(picture.width, picture.height) <= max_side:
        return picture
    import numpy as np

    cv2 = opencv()
    try:
        image = cv2.imdecode(np.frombuffer(picture.jpeg, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than OpenCV accepts
        image = None
    if image is None:
        return picture
    jpeg, width, height = encode_jpeg(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), max_side, _JPEG_QUALITY)
    return replace(picture, jpeg=jpeg, width=width, height=height)
