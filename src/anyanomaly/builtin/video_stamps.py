"""Stamps of the packets that a decoder holds: which frame has which stamp, and which frames were lost."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from heapq import heappop, heappush
from statistics import median

from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

HOLE = 1.5
"""A frame is lost where a packet gave none and the time between its neighbours is this many usual steps or more."""


class PacketStamps:
    """Follows packets into a decoder and frames out of it.

    The stamp of a frame is its presentation time. Where a container has decoding times only (AVI), it is the decoding
    time of the packet with which the decoder gave the frame out: they are as far apart as the frames.
    """

    def __init__(self, *, by_decoding_time: bool) -> None:
        """:param by_decoding_time: presentation times of the container are guesses, its decoding times are not."""
        self._by_decoding_time = by_decoding_time
        self._runs: deque[list[int]] = deque([[]])  # presentation times, a heap per run of ascending decoding times
        self._last_decoding_time: int | None = None
        self._last_stamp: int | None = None
        self._steps: deque[int] = deque(maxlen=15)  # between frames, ticks
        self._damaged: set[int] = set()
        self._has_stamps = False

    @property
    def counts_losses(self) -> bool:
        """Whether `count_lost` knows: the packets have presentation times."""
        return self._has_stamps and not self._by_decoding_time

    def add(self, packet: Packet[VideoStream]) -> None:
        """Follow a packet into the decoder, unless its frame will not be shown."""
        if packet.is_discard:
            return
        if packet.dts is not None:
            if self._last_decoding_time is not None and packet.dts < self._last_decoding_time:
                self._runs.append([])
            self._last_decoding_time = packet.dts
        if packet.pts is not None:
            self._has_stamps = True
            heappush(self._runs[-1], packet.pts)
            if packet.is_corrupt:
                self._damaged.add(packet.pts)

    def stamp(self, frame: VideoFrame) -> int | None:
        """Return the stamp of a frame, in ticks; None: it has none."""
        return frame.pts if self.counts_losses else frame.dts

    def is_damaged(self, stamp: int | None) -> bool:
        """Return whether the demuxer marked the packet of a frame as damaged."""
        if stamp not in self._damaged:
            return False
        self._damaged.discard(stamp)
        return True

    def count_lost(self, stamp: int | None) -> int:
        """Return how many packets with stamps between the last frame and this one gave no frame."""
        if stamp is None:
            return 0
        if any(stamp in run for run in self._runs):
            while stamp not in self._runs[0]:
                self._runs.popleft()
                self._last_stamp = None
        skipped = list(self._pop(stamp))
        last, self._last_stamp = self._last_stamp, stamp
        if last is None or stamp <= last:
            return 0
        usual = self._usual_step()
        self._steps.append(stamp - last)
        if usual is None or stamp - last < HOLE * usual:
            return 0
        return sum(last < stamp_before for stamp_before in skipped)

    def count_lost_at_end(self) -> int:
        """Return how many packets behind the last frame gave none."""
        usual = self._usual_step()
        if usual is None or self._last_stamp is None:
            return 0
        last = self._last_stamp
        return sum(stamp_before - last > usual / HOLE for stamp_before in self._runs[0]) if len(self._runs) == 1 else 0

    def _pop(self, stamp: int) -> Iterator[int]:
        """Yield the stamps below ``stamp`` in its run, and remove them and ``stamp``."""
        run = self._runs[0]
        while run and run[0] <= stamp:
            if (stamp_before := heappop(run)) < stamp:
                yield stamp_before

    def _usual_step(self) -> float | None:
        return median(self._steps) if len(self._steps) >= 2 else None
