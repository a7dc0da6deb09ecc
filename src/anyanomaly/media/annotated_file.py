"""The file of an annotated video: encoder, muxer, and the audio of the source.

While it grows it is a fragmented MP4, or a Matroska file without an index: players open it at any moment, also after
the process was killed. At the end its packets are copied into a file whose index comes first.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
from av.video.stream import VideoStream

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.errors import OutputError
from anyanomaly.media.annotated_audio import AudioCopy
from anyanomaly.media.encoders import choose_encoder, tag_hd_colours, to_hd_colours
from anyanomaly.types import ImageArray

_LOG = logging.getLogger(__name__)

_ENCODERS = {
    "mp4": ("libx264", "libopenh264", "mpeg4"),
    "matroska": ("libx264", "libopenh264", "libvpx-vp9", "mpeg4"),
}
"""By muxer, best first: H.264 plays everywhere."""

_ENCODER_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "veryfast", "crf": "23"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "6", "crf": "32", "b": "0"},
    "mpeg4": {"qscale": "3"},
}

_GROWING = {"mp4": {"movflags": "frag_keyframe+empty_moov+delay_moov"}, "matroska": {"live": "0"}}
_FINISHED = {"mp4": {"movflags": "faststart"}, "matroska": {"cues_to_front": "1"}}

MAX_THREADS = 4
KEY_FRAME_S = 2.0
"""Longest time between key frames: what a kill may lose, and where players can seek to."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What the frames of an annotated video have in common."""

    width: int  # pixels, even
    height: int  # pixels, even
    fps: float  # nominal
    time_base: Fraction  # seconds per tick of the stamps


class AnnotatedFile:
    """Encodes frames into a `SafeFile`, with the audio of the source up to the last frame."""

    def __init__(self, file: SafeFile, name: str, video: VideoFormat, audio: Callable[[], AudioCopy]) -> None:
        """:param name: path of the finished file, whose suffix decides the container.

        :param audio: opens the audio of the source; called again for the finished file.
        :raises OutputError: when no encoder or muxer works.
        """
        self._file = file
        self._name = name
        self._muxer = "matroska" if name.lower().endswith(".mkv") else "mp4"
        self._video = video
        self._open_audio = audio
        self._stamps: list[int] = []  # of the frames that the encoder holds
        self._n_frames = 0
        self._end_stamp = 0
        try:
            self._begin(audio)
        except av.FFmpegError:
            _LOG.warning("%s has no audio: FFmpeg cannot put that of the source into it.", name)
            self._open_audio = AudioCopy
            try:
                self._begin(AudioCopy)
            except av.FFmpegError as error:
                raise OutputError(f"Cannot write {name}: {error.strerror}.") from error

    def _begin(self, open_audio: Callable[[], AudioCopy]) -> None:
        """Open encoder and muxer.

        :raises av.FFmpegError: when the muxer refuses the streams. :raises OutputError: when no encoder works.
        """
        options = {**_GROWING[self._muxer], **self._timescale()}
        with ExitStack() as stack:
            self._container = av.open(cast("Any", _Writer(self._file)), "w", format=self._muxer, options=options)
            stack.callback(self._container.close)
            self._stream = self._add_video_stream()
            self._audio = stack.enter_context(closing(open_audio()))
            self._audio.add_streams(self._container)
            self._container.start_encoding()
            stack.pop_all()

    def write(self, image: ImageArray, stamp: int, end_stamp: int) -> None:
        """Encode a frame.

        :param image: uint8 (H, W, 3), RGB. :param stamp: its time in ticks, later than that of the frame before.
        :param end_stamp: the end of the time for which it is shown, in ticks.
        :raises OutputError: when it cannot be written.
        """
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame = to_hd_colours(frame, self._video.width, self._video.height)
        frame.pts, frame.time_base = self._n_frames, self._stream.codec_context.time_base
        self._n_frames += 1
        self._stamps.append(stamp)
        self._end_stamp = end_stamp
        try:
            self._mux(self._stream.encode(frame))
        except av.FFmpegError as error:
            raise OutputError(
                f"Cannot continue writing {self._name}: the encoder failed ({error.strerror})."
            ) from error

    def close(self) -> None:
        """End the file as it is, so that it can be played.

        :raises OutputError: when it cannot be written.
        """
        with closing(self._audio):
            try:
                if self._n_frames:
                    self._mux(self._stream.encode(None))
                self._container.close()
            except av.FFmpegError as error:
                raise OutputError(f"Cannot continue writing {self._name}: {error.strerror}.") from error

    def rebuild(self) -> None:
        """Put the index in front, after ``close``: a browser plays the file while it loads it.

        :raises OutputError: when that fails; the file stays as it is.
        """
        self._file.rebuild(self._build)

    def _build(self, source_path: Path, target_path: Path) -> None:
        """:raises OSError: when it fails."""
        options = {**_FINISHED[self._muxer], **self._timescale()}
        try:
            with (
                av.open(f"file:{source_path}") as source,
                av.open(f"file:{target_path}", "w", format=self._muxer, options=options) as target,
                closing(self._open_audio()) as audio,
            ):
                stream = target.add_stream_from_template(source.streams.video[0])
                audio.add_streams(target)
                for packet in source.demux(source.streams.video[0]):
                    if packet.pts is None or packet.time_base is None:
                        continue
                    packet.stream = stream
                    audio.mux_until(target, float(packet.pts * packet.time_base))
                    if packet.pts * packet.time_base >= self._last_s():
                        packet.duration = round(float((self._end_s() - self._last_s()) / packet.time_base))
                    target.mux(packet)
                audio.mux_until(target, math.inf)  # it may last longer than the video
        except av.FFmpegError as error:
            raise OSError(error.errno, error.strerror) from error

    def _mux(self, packets: list[Any]) -> None:
        """Write packets with the stamps of their frames: without B-frames they come in the same order."""
        for packet in packets:
            stamp = self._stamps.pop(0)
            packet.time_base = self._video.time_base
            packet.pts = packet.dts = stamp
            packet.duration = (self._stamps[0] if self._stamps else self._end_stamp) - stamp
            self._last_stamp = stamp
            self._audio.mux_until(self._container, float(stamp * self._video.time_base))
            self._container.mux(packet)
        if not self._stamps and packets:
            self._audio.mux_until(self._container, float(self._end_s()))

    def _last_s(self) -> Fraction:
        return self._last_stamp * self._video.time_base

    def _end_s(self) -> Fraction:
        return self._end_stamp * self._video.time_base

    def _timescale(self) -> dict[str, str]:
        """Return the options with which MP4 counts in the ticks of the source, so that every time is exact."""
        ticks = self._video.time_base.denominator
        if self._muxer != "mp4":
            return {}
        ticks *= max(1, -(-1000 // ticks))
        return {"video_track_timescale": str(ticks), "movie_timescale": str(ticks)}

    def _add_video_stream(self) -> VideoStream:
        """:raises OutputError: when no encoder works."""
        rate = Fraction(self._video.fps).limit_denominator(1001)
        name = choose_encoder(_ENCODERS[self._muxer])
        if name is None:
            raise OutputError(
                f"Cannot write {self._name}: this FFmpeg has no video encoder for it. Reinstall av (PyAV)."
            )
        if name != _ENCODERS[self._muxer][0]:
            _LOG.warning("%s is written with the encoder %s: this FFmpeg has no libx264.", self._name, name)
        stream: Any = self._container.add_stream(name, rate=rate, options=dict(_ENCODER_OPTIONS.get(name, {})))
        stream.width, stream.height, stream.pix_fmt = self._video.width, self._video.height, "yuv420p"
        context = stream.codec_context
        context.time_base = 1 / rate  # frames are numbered: rate control needs no more, and MPEG-4 takes no other
        context.max_b_frames = 0
        context.gop_size = max(1, round(KEY_FRAME_S * self._video.fps))
        context.thread_count = min(MAX_THREADS, os.cpu_count() or 1)
        tag_hd_colours(context)
        return cast("VideoStream", stream)


class _Writer:
    """The part of a file that a muxer needs which never goes back."""

    def __init__(self, file: SafeFile) -> None:
        self._file = file

    def write(self, data: bytes) -> int:
        self._file.write(data)
        return len(data)
