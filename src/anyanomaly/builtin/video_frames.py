"""The frames of a stream that players show, with number, time and orientation."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
from itertools import chain, pairwise

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from anyanomaly.builtin.video_clock import Clock
from anyanomaly.builtin.video_decoder import DecodedFrame, decode_packets, deinterlace, read_packets
from anyanomaly.builtin.video_file import clock_may_jump
from anyanomaly.builtin.video_geometry import Orientation, OrientationTracker
from anyanomaly.builtin.video_report import Changes, Damage, describe_damage, describe_stream
from anyanomaly.builtin.video_skip import Entry, SkipError, find_entry
from anyanomaly.builtin.video_stamps import PacketStamps

_DECODING_TIMES = frozenset({"avi"})
"""Containers that count frames in the order of decoding; FFmpeg guesses the order of presentation."""


@dataclass(frozen=True, slots=True)
class ShownFrame:
    """A decoded frame with its place in the video."""

    index: int  # 0-based
    time_s: float
    picture: VideoFrame
    orientation: Orientation
    stamp: int | None = None  # in ticks of the stream; None: the file states none


class ShownFrames:
    """Iterates over the frames of a stream. What was damaged or unusual is told by ``problem`` and ``notices``."""

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        uri: str,
        fps: float,
        skip: tuple[float, int] | None = None,
    ) -> None:
        """:param fps: nominal frames per second.

        :param skip: the first frames may be left out: those before a time in seconds, and those below a number.
        """
        self._container = container
        self._stream = stream
        self._uri = uri
        self._fps = fps
        self._skip = skip
        assert stream.time_base is not None  # every demuxer sets it
        self._clock = Clock(stream.time_base, 1 / fps, may_jump=clock_may_jump(container))
        self._counts_decoding_times = container.format.name in _DECODING_TIMES
        self._changes: Changes | None = None
        self._damage = Damage()
        self._has_complete_frame = False  # damage before the first one: a picture that begins before the file does

    def __iter__(self) -> Generator[ShownFrame, None, None]:
        """:raises SkipError: with ``skip``, when the frames are not those of reading through; before the first of them
        that is not left out.
        """
        packets = read_packets(self._container, self._stream, self._damage)
        entry: Entry | None = None
        if self._skip is not None:
            if self._counts_decoding_times:
                raise SkipError
            entry = find_entry(packets, self._stream, self._clock, *self._skip)
            packets = entry.packets
        stamps = PacketStamps(by_decoding_time=self._counts_decoding_times)
        decoded = deinterlace(decode_packets(packets, self._stream, stamps, self._damage))
        index = 0
        tracker = OrientationTracker()
        is_before_entry = entry is not None
        for frame, next_frame in pairwise(chain(decoded, (None,))):
            assert frame is not None  # only the last one is
            orientation = tracker.follow(frame.picture)
            if entry:
                if is_before_entry and frame.stamp != entry.stamp:
                    continue
                if is_before_entry:
                    index, self._clock, is_before_entry = entry.index, entry.clock, False
                    frame = replace(frame, n_lost=0)  # what was lost before is in the number
                if entry.expected and entry.expected.popleft() != frame.stamp:
                    raise SkipError
            index += frame.n_lost
            time_s = self._clock.time(frame.stamp, next_frame.stamp if next_frame else None)
            self._note_damage(frame, time_s)
            self._compare_size((frame.picture.width, frame.picture.height), time_s)
            yield ShownFrame(index, time_s, frame.picture, orientation, frame.stamp)
            index += 1
        if is_before_entry:
            raise SkipError

    def problem(self) -> str:
        """Return what could not be read so far, in a sentence or two; empty: nothing."""
        return describe_damage(self._damage, self._clock, self._uri)

    def notices(self) -> list[str]:
        """Return what was unusual so far, one sentence each."""
        return describe_stream(self._clock, self._changes, self._uri, self._fps) if self._changes else []

    def _note_damage(self, frame: DecodedFrame, time_s: float) -> None:
        self._damage.n_lost += frame.n_lost
        if frame.n_lost and self._damage.first_lost_s is None:
            self._damage.first_lost_s = time_s
        if frame.is_damaged and self._has_complete_frame:
            self._damage.damaged_s.append(time_s)
        self._has_complete_frame = self._has_complete_frame or not frame.is_damaged

    def _compare_size(self, size: tuple[int, int], time_s: float) -> None:
        if self._changes is None:
            self._changes = Changes(size)
        new_sizes = self._changes.new_sizes
        if size != (new_sizes[-1][0] if new_sizes else self._changes.size):
            new_sizes.append((size, time_s))
