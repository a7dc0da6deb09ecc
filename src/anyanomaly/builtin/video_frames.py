"""The frames of a stream that players show, with number, time and orientation."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from itertools import chain, pairwise

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from anyanomaly.builtin.video_clock import Clock
from anyanomaly.builtin.video_decoder import decode_packets, deinterlace, read_packets
from anyanomaly.builtin.video_geometry import Orientation, orientation
from anyanomaly.builtin.video_report import Changes, Damage, describe_stream

_TS_DISCONT = 0x200
"""FFmpeg's flag AVFMT_TS_DISCONT: the format allows its clock to change."""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A decoded frame with its place in the video."""

    index: int  # 0-based
    time_s: float
    picture: VideoFrame
    orientation: Orientation


class ShownFrames:
    """Iterates over the frames of a stream. What was damaged is in ``damage``, what was unusual in ``notices()``."""

    def __init__(self, container: InputContainer, stream: VideoStream, uri: str, fps: float) -> None:
        """:param fps: nominal frames per second."""
        self._container = container
        self._stream = stream
        self._uri = uri
        self._fps = fps
        may_jump = bool(container.format.flags & _TS_DISCONT)
        assert stream.time_base is not None  # every demuxer sets it
        self._clock = Clock(stream.time_base, 1 / fps, may_jump=may_jump)
        self._changes: Changes | None = None
        self.damage = Damage()

    def __iter__(self) -> Generator[ShownFrame, None, None]:
        packets = read_packets(self._container, self._stream, self.damage)
        decoded = deinterlace(decode_packets(packets, self._stream, self.damage))
        index = 0
        is_clean = False  # a complete frame came: what is damaged before that has no beginning in the file
        for frame, next_frame in pairwise(chain(decoded, (None,))):
            assert frame is not None  # only the last one is
            index += frame.n_lost
            time_s = self._clock.time(frame.stamp, next_frame.stamp if next_frame else None)
            if frame.n_lost and self.damage.first_lost_s is None:
                self.damage.first_lost_s = time_s
            if frame.picture.is_corrupt and is_clean:
                self.damage.first_damaged_s = self.damage.first_damaged_s if self.damage.n_damaged else time_s
                self.damage.n_damaged += 1
            is_clean = is_clean or not frame.picture.is_corrupt
            self._compare_size((frame.picture.width, frame.picture.height), time_s)
            yield ShownFrame(index, time_s, frame.picture, orientation(frame.picture))
            index += 1

    def notices(self) -> list[str]:
        """Return what was unusual so far, one sentence each."""
        return describe_stream(self._clock, self._changes, self._uri, self._fps) if self._changes else []

    def _compare_size(self, size: tuple[int, int], time_s: float) -> None:
        if self._changes is None:
            self._changes = Changes(size)
        new_sizes = self._changes.new_sizes
        if size != (new_sizes[-1][0] if new_sizes else self._changes.size):
            new_sizes.append((size, time_s))
