"""Where decoding may start so that a section of a video has the frames, numbers and times of reading it through.

Packets before the section are demultiplexed but not decoded, which is about a hundred times faster. From their stamps
follows which frames they would give, as long as every packet gives one frame. Decoding starts two key frames before the
section, and the first frames are compared with the expected ones. Where anything is in doubt, all of it is decoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import chain

from av.packet import Packet
from av.video.stream import VideoStream

from anyanomaly.builtin.video_clock import Clock

ONE_FRAME_PER_PACKET = (
    *("h264", "hevc", "av1", "libdav1d", "vp9", "mpeg1video", "mpeg2video", "mpeg4", "theora", "flv", "wmv3", "vc1"),
    *("mjpeg", "prores", "dnxhd", "cfhd", "ffv1", "ffvhuff", "huffyuv", "utvideo", "magicyuv", "v210", "rawvideo"),
    *("jpeg2000", "png", "qtrle"),
)
"""Decoders that give one frame per packet. VP8 has packets that are never shown; their share is not in the stamps."""

PROGRESSIVE = (0, 1)
"""FFmpeg's field orders "unknown" and "progressive"; two packets may be one interlaced frame."""

MAX_HELD_BYTES = 2**27
"""Packets since the last but one key frame that are kept; where there are more, decoding starts early."""


class SkipError(Exception):
    """It is not certain what reading through would give: read through."""


@dataclass(slots=True)
class Entry:
    """Where reading starts: at a key frame before the section."""

    packets: Iterator[Packet[VideoStream]]  # from an earlier key frame on
    stamp: int  # of the frame where reading starts, ticks
    index: int  # its number
    clock: Clock  # as it is before this frame
    expected: deque[int] = field(default_factory=deque)  # stamps of the frames from there on, as far as they are known


def find_entry(
    packets: Iterator[Packet[VideoStream]], stream: VideoStream, clock: Clock, begin_s: float, start: int
) -> Entry:
    """Read packets up to the first frame of a section.

    :param begin_s: time where the section begins, seconds. :param start: lowest number of its frames.
    :param clock: of the stream, before its first frame.
    :raises SkipError: when packets do not say which frames they give.
    """
    context = stream.codec_context
    if context.name not in ONE_FRAME_PER_PACKET or context.field_order not in PROGRESSIVE:
        raise SkipError
    if context.name == "mpeg4" and context.has_b_frames:  # two frames may be packed into one packet
        raise SkipError
    scan = _Scan(clock, begin_s, start)
    for packet in packets:
        scan.add(packet)
        if scan.is_past or scan.n_held_bytes > MAX_HELD_BYTES:
            break
    else:
        scan.finish()
    return scan.entry(packets)


class _Scan:
    """The frames that packets would give, in presentation order, and the packets since the last but one key frame."""

    def __init__(self, clock: Clock, begin_s: float, start: int) -> None:
        self._clock = clock
        self._begin_s, self._start = begin_s, start
        self.is_past = False  # a frame of the section came
        self._held: deque[tuple[int, Packet[VideoStream]]] = deque()  # with their numbers in the order of decoding
        self.n_held_bytes = 0
        self._n_packets = 0
        self._waiting: list[int] = []  # stamps of packets that later packets may still precede, a heap
        self._keys: dict[int, int] = {}  # stamps of waiting key frames, to the numbers of their packets
        self._last_dts: int | None = None
        self._first_stamp = 0  # of the run of ascending decoding times
        self._next: int | None = None  # stamp of the next frame; its time depends on the stamp after it
        self._index = 0
        self._key_packets: deque[int] = deque(maxlen=2)
        self._entry: Entry | None = None

    def add(self, packet: Packet[VideoStream]) -> None:
        self._n_packets += 1
        self._held.append((self._n_packets, packet))
        self.n_held_bytes += packet.size
        if packet.is_discard:
            return
        stamp, dts = packet.pts, packet.dts
        if stamp is None or dts is None or stamp < dts or dts == self._last_dts or packet.is_corrupt:
            raise SkipError
        if self._last_dts is None or dts < self._last_dts:
            self._start_run(stamp, packet.is_keyframe)
        self._last_dts = dts
        if stamp < self._first_stamp:  # a picture that may not be decodable
            raise SkipError
        heappush(self._waiting, stamp)
        if packet.is_keyframe:
            self._keys[stamp] = self._n_packets
        while self._waiting and self._waiting[0] <= dts:
            self._show(heappop(self._waiting))

    def finish(self) -> None:
        """Show what is left at the end of the stream."""
        while self._waiting:
            self._show(heappop(self._waiting))
        if self._next is not None:
            self._place(self._next, None)

    def entry(self, packets: Iterable[Packet[VideoStream]]) -> Entry:
        """:raises SkipError: without a frame."""
        if self._entry is None:
            raise SkipError
        self._entry.packets = chain([packet for _, packet in self._held], packets)
        return self._entry

    def _start_run(self, stamp: int, is_key: bool) -> None:
        if not is_key:
            raise SkipError
        while self._waiting:
            self._show(heappop(self._waiting))
        if self._next is not None:
            self._place(self._next, stamp)
            self._next = None
        self._first_stamp = stamp
        self._keys.clear()
        self._key_packets.clear()

    def _show(self, stamp: int) -> None:
        if self._next is not None:
            self._place(self._next, stamp)
        self._next = stamp

    def _place(self, stamp: int, next_stamp: int | None) -> None:
        if self.is_past:
            return
        if stamp in self._keys:
            self._key_packets.append(self._keys.pop(stamp))
            while self._held[0][0] < self._key_packets[0]:
                self.n_held_bytes -= self._held.popleft()[1].size
            self._entry = Entry(iter(()), stamp, self._index, deepcopy(self._clock))
        if self._entry:
            self._entry.expected.append(stamp)
        time_s = self._clock.time(stamp, next_stamp)
        self.is_past = time_s >= self._begin_s and self._index >= self._start
        self._index += 1
