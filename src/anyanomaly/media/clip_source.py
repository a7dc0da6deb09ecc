"""The source of clips: the file, folder or animation that a run has read, by the times of its results."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from anyanomaly.api.reader import Reader
from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import ImageReaderOptions, VideoReaderOptions
from anyanomaly.builtin.suffixes import IMAGE_SUFFIXES
from anyanomaly.builtin.video_clock import Clock
from anyanomaly.builtin.video_decoder import prepare_decoder, read_packets
from anyanomaly.builtin.video_file import choose_stream, clock_may_jump, frame_rate, open_video
from anyanomaly.builtin.video_frames import ShownFrames
from anyanomaly.builtin.video_report import Damage
from anyanomaly.builtin.video_skip import SkipError, find_entry
from anyanomaly.errors import VideoError
from anyanomaly.results.run_header import image_rate, video_stream
from anyanomaly.types import Frame, Video

MAX_SIDE = 1920
"""Larger frames of encoded clips are scaled down to this side, in pixels."""

TOLERANCE_S = 2e-6
"""Results hold times with six decimals."""

MAX_REORDERED = 16
"""Frames that a picture may be stored ahead of those before it: the bound of H.264 and HEVC."""


class CannotCopy(Exception):
    """The packets of a part cannot be copied: it must be encoded."""


class ClipSource:
    """A source that clips are cut from. Times are those of the results: the first frame is at 0."""

    def __init__(self, video: Video, header: Mapping[str, Any], max_side: int = MAX_SIDE) -> None:
        """:param video: as the run has read it. :param header: of the run, with the options of its readers.
        :param max_side: frames that are decoded are scaled down to this side, pixels.

        :raises VideoError: when it is not a file or folder here, or cannot be read.
        """
        if video.live or not video.uri or "://" in video.uri:
            raise VideoError(f"{video.uri or video.id} is a live source: its video is not stored, so there is no clip.")
        if not os.path.exists(video.uri) and not any(character in video.uri for character in "*?["):
            raise VideoError(f"There is no file {video.uri} here, so there is no clip. Put the video there.")
        self.uri = video.uri
        self.is_file = Path(video.uri).is_file() and Path(video.uri).suffix.lower() not in IMAGE_SUFFIXES
        self._stream_number = video_stream(header)
        self._reader: Reader[Any]
        if self.is_file:
            self._reader = VideoReader(
                VideoReaderOptions(stream=self._stream_number, max_side=max_side, threads=1)  # the run needs the rest
            )
        else:
            self._reader = ImageReader(ImageReaderOptions(max_side=max_side, fps=image_rate(header) or video.fps))
        self._video = self._reader.probe(video.uri)
        self._first_s: float | None = None

    @property
    def fps(self) -> float:
        """Nominal frames per second."""
        return self._video.fps

    def frames(self, start_s: float, stop_s: float) -> Iterator[Frame]:
        """Yield the frames of a part as players show them, scaled down to the source's ``max_side``.

        :raises VideoError: at the end, when some could not be read.
        """
        section = (max(0.0, start_s - TOLERANCE_S), stop_s - TOLERANCE_S)
        return self._reader.frames(replace(self._video, section=section))

    @contextmanager
    def open(self) -> Iterator[tuple[InputContainer, VideoStream]]:
        """Open the file and choose its video stream.

        :raises VideoError: when that fails.
        """
        with open_video(self.uri) as container:
            yield container, choose_stream(container, self.uri, self._stream_number)

    def offset_s(self, start_s: float) -> float:
        """Return what is added to a time of the results, to get the container's time of the frame, both in seconds.

        :param start_s: where it is needed: in MPEG streams, the clock may change before. NaN: it is not known.
        """
        with self.open() as (container, stream):
            assert stream.time_base is not None  # every demuxer sets it
            if clock_may_jump(container):
                clock = Clock(stream.time_base, 1 / frame_rate(stream), may_jump=True)
                try:
                    entry = find_entry(read_packets(container, stream, Damage()), stream, clock, start_s, 0)
                except SkipError:
                    return math.nan
                return float(entry.stamp * stream.time_base) - entry.clock.time(entry.stamp, None)
            if self._first_s is None:
                prepare_decoder(stream, n_threads=1)
                frame = next(iter(ShownFrames(container, stream, self.uri, frame_rate(stream))), None)
                stamp = frame.picture.pts if frame else None
                self._first_s = math.nan if stamp is None else float(stamp * stream.time_base)
            return self._first_s


def codec_name(stream: Stream) -> str:
    """Return FFmpeg's name of the codec of a stream; empty: FFmpeg does not know it."""
    return stream.codec_context.codec.canonical_name if stream.codec_context else ""


def seek(container: InputContainer, stream: VideoStream, time_s: float) -> bool:
    """Go to a key frame at or before a container time in seconds; False: the container is at its beginning."""
    assert stream.time_base is not None  # every demuxer sets it
    try:
        container.seek(math.floor(time_s / stream.time_base), stream=stream, backward=True)
    except av.FFmpegError:
        return False
    return True


def stamped(container: InputContainer, streams: list[Any]) -> Iterator[Any]:
    """Yield the packets of streams, those of video with decoding times.

    Matroska files store none. FFmpeg derives them, but not for the first packets of a group of pictures.

    :raises CannotCopy: when a packet of video has no times.
    """
    waiting: list[Any] = []  # packets without a decoding time
    for packet in container.demux(streams):
        if packet.size == 0:  # at the end of each stream
            continue
        if packet.stream.type != "video":
            yield packet
            continue
        waiting.append(packet)
        if packet.dts is not None:
            for number, early in enumerate(waiting):
                early.dts = packet.dts - (len(waiting) - 1 - number) * max(packet.duration or 0, 1)
                if early.pts is None or early.pts < early.dts:
                    raise CannotCopy("its packets have no timestamps")
            yield from waiting
            waiting.clear()
        elif len(waiting) > MAX_REORDERED:
            raise CannotCopy("its packets have no timestamps")
    if waiting:
        raise CannotCopy("its packets have no timestamps")
