"""Video files made with FFmpeg's encoders and muxers, through PyAV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from tests.videos.marks import SIZE, Picture, draw

MILLISECOND = Fraction(1, 1000)


def write_video(
    path: Path,
    pictures: Iterable[Picture] | int = 25,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: int = 25,
    times_ms: Sequence[int] | None = None,
    size: tuple[int, int] = SIZE,
    options: Mapping[str, str] | None = None,
    muxer: str | None = None,
    muxer_options: Mapping[str, str] | None = None,
    adjust: Callable[[Any], None] | None = None,
    change_packet: Callable[[int, Any], Any] = lambda _, packet: packet,
) -> Path:
    """Encode pictures and mux them into a file.

    :param pictures: pictures of one size, or how many numbered ones of the given size.
    :param times_ms: presentation times in milliseconds; by default those of a constant rate.
    :param adjust: changes the stream before its encoder is opened.
    :param change_packet: gets each packet's number and the packet, and returns what is muxed.
    """
    if isinstance(pictures, int):
        pictures = [draw(number, size) for number in range(pictures)]
    pictures = list(pictures)
    with av.open(str(path), "w", format=muxer, options=dict(muxer_options or {})) as container:
        stream: Any = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.options = dict(options or {})
        stream.codec_context.time_base = MILLISECOND if times_ms else Fraction(1, rate)
        if adjust:
            adjust(stream)
        packets: list[Any] = []
        times = times_ms or range(len(pictures))
        for picture, time in zip(pictures, times, strict=True):
            frame = to_frame(picture, pix_fmt)
            frame.pts, frame.time_base = time, stream.codec_context.time_base
            packets += stream.encode(frame)
        for number, packet in enumerate([*packets, *stream.encode()]):
            container.mux(change_packet(number, packet))
    return path


def to_frame(picture: Picture, pix_fmt: str) -> av.VideoFrame:
    """Return a picture as a frame of a pixel format, with the colours of BT.601."""
    return av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pix_fmt)


def remux(
    source: Path, target: Path, edit: Callable[[int, Any], bool | None], *, muxer: str | None = None, copies: int = 1
) -> Path:
    """Copy the packets of a file's video stream into another, as ``ffmpeg -c copy`` does.

    :param edit: gets a packet's number and the packet, and may change it; ``False`` drops the packet.
    :param copies: how often the packets are written.
    """
    with av.open(str(target), "w", format=muxer) as output:
        stream = None
        number = 0
        for _ in range(copies):
            with av.open(str(source)) as container:
                stream = stream or output.add_stream_from_template(container.streams.video[0])
                for packet in container.demux(container.streams.video[0]):
                    if packet.dts is None:
                        continue
                    if edit(number, packet) is not False:
                        packet.stream = stream
                        output.mux(packet)
                    number += 1
    return target
