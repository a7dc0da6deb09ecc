"""Clips that are encoded anew, from any source: they start and stop at the right frame."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, cast

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from anyanomaly.errors import OutputError, VideoError
from anyanomaly.media.clip_file import clip_suffix, mux_from, new_track, new_video
from anyanomaly.media.clip_source import ClipSource, codec_name, seek, stamped
from anyanomaly.media.encoders import choose_encoder, tag_hd_colours, to_hd_colours
from anyanomaly.types import Frame, Span

_TIME_BASE = Fraction(1, 90_000)
"""Ticks of the encoder: fine enough for every frame rate."""

_ENCODERS = ("libx264", "libopenh264", "mpeg4")
_OPTIONS: dict[str, dict[str, object]] = {"libx264": {"preset": "veryfast", "crf": "20"}, "mpeg4": {"qscale": "3"}}
_LEAD_S = 1.0
"""Audio is read from this long before the clip, seconds."""


def encode_part(source: ClipSource, span: Span, stem: Path) -> tuple[Path, Span]:
    """Encode a part of a source as H.264, copy its audio, and return the new file and the part that it shows, seconds.

    :param span: start and stop in the time of the results. :param stem: path of the new file without its suffix.
    :raises VideoError: when the source cannot be read, or has no frame there. :raises OutputError: when the clip cannot
        be written.
    """
    frames = source.frames(*span)
    first = next(frames, None)
    if first is None:
        raise VideoError(f"{source.uri} has no frame from {span[0]:.2f} s to {span[1]:.2f} s.")
    with ExitStack() as stack:
        tracks: list[Any] = []
        offset_s = source.offset_s(span[0]) if source.is_file else math.nan
        if math.isfinite(offset_s):
            container, stream = stack.enter_context(source.open())
            tracks = [track for track in container.streams.audio if codec_name(track)]
            seek(container, stream, first.time_s + offset_s - _LEAD_S)
        path = stem.with_name(stem.name + clip_suffix("h264", map(codec_name, tracks)))
        with new_video(path) as output:
            encoder = _Encoder(output, first, source.fps)
            audio = _Audio(output, stamped(container, tracks), tracks, first.time_s + offset_s) if tracks else None
            last = first
            for last in chain((first,), _until_error(frames)):
                if audio:
                    audio.copy_until(last.time_s - first.time_s)
                encoder.encode(last, last.time_s - first.time_s)
            stop_s = last.time_s + 1 / source.fps
            if audio:
                audio.copy_until(stop_s - first.time_s)
            encoder.finish()
    return path, (first.time_s, stop_s)


def _until_error(frames: Iterator[Frame]) -> Iterator[Frame]:
    """Yield the frames that can be read: damage is reported by the run."""
    with suppress(VideoError):
        yield from frames


class _Encoder:
    """The video stream of a clip: H.264 4:2:0, or MPEG-4 where FFmpeg has no encoder for that."""

    def __init__(self, output: OutputContainer, first: Frame, fps: float) -> None:
        """:raises OutputError: when FFmpeg has no encoder."""
        name = choose_encoder(_ENCODERS)
        if name is None:
            raise OutputError("Cannot encode a clip: this FFmpeg has no video encoder for it. Reinstall av (PyAV).")
        self._output = output
        self._stream = cast("VideoStream", output.add_stream(name, rate=Fraction(fps).limit_denominator(1001)))
        self._stream.options = _OPTIONS.get(name, {})
        height, width, _ = first.image.shape
        self._stream.width, self._stream.height = width + width % 2, height + height % 2  # 4:2:0 needs even sizes
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.time_base = _TIME_BASE
        tag_hd_colours(context)
        self._step = round(1 / fps / _TIME_BASE)

    def encode(self, frame: Frame, time_s: float) -> None:
        """Write a frame.

        :param time_s: in the clip, seconds.
        """
        rgb = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
        picture = to_hd_colours(rgb, self._stream.width, self._stream.height)
        picture.pts, picture.time_base, picture.duration = round(time_s / _TIME_BASE), _TIME_BASE, self._step
        self._output.mux(self._stream.encode(picture))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._output.mux(self._stream.encode())


class _Audio:
    """The audio tracks of a clip, copied in step with its video."""

    def __init__(self, output: OutputContainer, packets: Iterator[Any], tracks: list[Any], start_s: float) -> None:
        """:param packets: of the tracks. :param start_s: of the clip, container time of the source, seconds."""
        self._output, self._packets, self._start_s = output, packets, start_s
        self._targets = {track.index: new_track(output, track) for track in tracks}
        self._waiting: Any = None

    def copy_until(self, time_s: float) -> None:
        """Write the packets that begin before a time of the clip, in seconds."""
        while packet := self._waiting or next(self._packets, None):
            self._waiting = packet
            begin_s = math.nan if packet.pts is None else packet.pts * packet.time_base - self._start_s
            if begin_s >= time_s:
                return
            self._waiting = None
            if begin_s >= 0:
                mux_from(packet, self._output, self._targets[packet.stream.index], self._start_s)
