"""From packets to decoded frames in presentation order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice

import av
from av.container import InputContainer
from av.filter import Graph
from av.packet import Packet
from av.stream import Discard
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from anyanomaly.builtin.video_file import MAX_PIXELS
from anyanomaly.builtin.video_report import Damage
from anyanomaly.builtin.video_stamps import PacketStamps

MAX_THREAD_PIXELS = 2**27
"""Pixels of the frames of all threads of a decoder: 16 frames of 4K."""

MAX_READ_ERRORS = 8
"""After this many errors in a row the demuxer is taken to be at the end of what it can read."""


@dataclass(slots=True)
class DecodedFrame:
    """A frame, its stamp in ticks of the stream, and the frames that were lost before it."""

    picture: VideoFrame
    stamp: int | None
    n_lost: int = 0  # since the frame before
    is_damaged: bool = False  # the demuxer or the decoder says so


def prepare_decoder(stream: VideoStream, n_threads: int) -> None:
    """Set the threads of the decoder of a stream; each of them holds a frame, so large frames get fewer.

    :param n_threads: 0: one per core.
    """
    context = stream.codec_context
    n_pixels = max(context.width * context.height, 1)
    context.thread_count = min(n_threads or os.cpu_count() or 1, max(1, MAX_THREAD_PIXELS // n_pixels))
    context.thread_type = "AUTO"
    context.options = {**context.options, "max_pixels": str(MAX_PIXELS)}


def read_packets(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[Packet[VideoStream]]:
    """Yield the packets of a stream; go on behind unreadable parts. A last packet that is cut short is left out.

    There are at most as many packets as the file has bytes: a damaged index can lead a demuxer in circles.
    """
    for member in container.streams:
        member.discard = Discard.default if member is stream else Discard.all
    waiting: Packet[VideoStream] | None = None
    n_errors, n_packets = 0, 0
    while n_errors < MAX_READ_ERRORS:
        try:
            for packet in islice(container.demux(stream), max(0, container.size - n_packets)):
                n_packets += 1
                if packet.size:  # the last one is empty
                    if waiting:
                        yield waiting
                    waiting, n_errors, damage.breaks_off = packet, 0, False
            break
        except av.FFmpegError:
            n_errors += 1
            damage.breaks_off = True
        except IndexError:  # PyAV fails at the end of a file whose streams were not all known at its beginning
            break
    if waiting and waiting.is_corrupt:
        damage.breaks_off = True
    elif waiting:
        yield waiting
    damage.breaks_off = damage.breaks_off or _ends_before_its_index(container, stream)


def _ends_before_its_index(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the demuxer's index has packets behind the end of the file."""
    entries = stream.index_entries
    return bool(entries) and entries[-1].pos + entries[-1].size > container.size > 0


def decode_packets(
    packets: Iterable[Packet[VideoStream]], stream: VideoStream, stamps: PacketStamps, damage: Damage
) -> Iterator[DecodedFrame]:
    """Yield the frames of packets in presentation order; count what is lost after the first of them.

    Packets that are refused before that belong to pictures that begin before the file does.
    """
    n_refused = 0
    has_frame = False
    for packet in chain(packets, (None,)):  # None: return the frames that the decoder still holds
        if packet is not None:
            stamps.add(packet)
        try:
            pictures = stream.codec_context.decode(packet)
        except av.FFmpegError:
            n_refused += has_frame
            damage.n_refused += has_frame
            continue
        for picture in pictures:
            stamp = stamps.stamp(picture)
            n_lost = stamps.count_lost(stamp) if stamps.counts_losses else n_refused
            is_damaged = stamps.is_damaged(stamp) or picture.is_corrupt
            yield DecodedFrame(picture, stamp, n_lost, is_damaged)
            has_frame, n_refused = True, 0
    damage.n_lost_at_end = stamps.count_lost_at_end() or n_refused


def deinterlace(frames: Iterable[DecodedFrame]) -> Iterator[DecodedFrame]:
    """Yield as many frames, from the first interlaced one on without combing; other frames stay as they are.

    So do frames that the filter does not take, of a few pixels or an unusual format.
    """
    graph: _Deinterlacer | None = None
    for frame in frames:
        if graph and not graph.fits(frame.picture):
            yield from graph.finish()
            graph = None
        if graph is None and frame.picture.interlaced_frame:
            with suppress(av.FFmpegError, ValueError):
                graph = _Deinterlacer(frame.picture)
        if graph is None:
            yield frame
        else:
            yield from graph.push(frame)
    if graph:
        yield from graph.finish()


class _Deinterlacer:
    """FFmpeg's filter bwdif, which keeps one frame back and leaves progressive frames alone."""

    def __init__(self, picture: VideoFrame) -> None:
        self._shape = picture.width, picture.height, picture.format.name
        self._graph = Graph()
        self._graph.threads = 1
        self._graph.link_nodes(
            self._graph.add_buffer(
                width=picture.width, height=picture.height, format=picture.format, time_base=picture.time_base
            ),
            self._graph.add("bwdif", "mode=send_frame:deint=interlaced"),
            self._graph.add("buffersink"),
        ).configure()
        self._waiting: deque[DecodedFrame] = deque()
        self._n_pushed = 0

    def fits(self, picture: VideoFrame) -> bool:
        return self._shape == (picture.width, picture.height, picture.format.name)

    def push(self, frame: DecodedFrame) -> Iterator[DecodedFrame]:
        self._waiting.append(frame)
        frame.picture.pts = self._n_pushed  # the filter needs ascending stamps; ours are kept aside
        self._n_pushed += 1
        self._graph.vpush(frame.picture)
        yield from self._pull()

    def finish(self) -> Iterator[DecodedFrame]:
        self._graph.vpush(None)
        yield from self._pull()

    def _pull(self) -> Iterator[DecodedFrame]:
        while self._waiting:
            try:
                picture = self._graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            frame = self._waiting.popleft()
            yield replace(frame, picture=picture)
