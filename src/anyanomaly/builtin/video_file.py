"""Opening of video files with FFmpeg: local files in known containers only, and the choice of the video stream."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from anyanomaly.builtin.video_report import count_noun
from anyanomaly.errors import VideoError
from anyanomaly.outside_files import open_regular

FORMATS = (
    "mov,matroska,avi,mpegts,mpeg,flv,live_flv,kux,asf,asf_o,mxf,ogg,nut,ivf,obu,av1,h264,hevc,vvc,evc,cavsvideo,avs2,"
    "avs3,apv,m4v,mpegvideo,h263,h261,vc1,vc1test,dirac,dnxhd,mjpeg,mjpeg_2000,mpjpeg,smjpeg,yuv4mpegpipe,dv,gxf,lxf,"
    "wtv,ty,pva,nsv,rm,swf,nuv,dhav,ifv,hxvs,nc,luodat,mlv,cine,ser,r3d,rpl,flic,roq,smk,bink,gif,apng"
)
"""FFmpeg's demuxers that may read a file. None opens another file or an address, as playlists do."""

MAX_PIXELS = 36_000_000
"""Frames with more pixels than 8K (8192x4320) are refused: a header of a few bytes could ask for gigabytes."""

READ_TIMEOUT_S = 30.0
"""Longest time for one packet, so that a damaged file cannot keep the demuxer busy without end."""

_TS_DISCONT = 0x200  # FFmpeg's flag AVFMT_TS_DISCONT
_NO_PICTURE = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


@contextmanager
def open_video(uri: str, hwaccel: HWAccel | None = None) -> Iterator[InputContainer]:
    """Open a local video file.

    :raises VideoError: when it is missing, empty, not a file, not readable, or not a video that FFmpeg knows.
    """
    path = check_file(uri)
    try:
        container = av.open(
            f"file:{path.absolute()}",  # the prefix keeps FFmpeg from reading the name as an address or a pattern
            options={"format_whitelist": FORMATS, "protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)},
            metadata_errors="replace",
            timeout=READ_TIMEOUT_S,
            hwaccel=hwaccel,
        )
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(
            f"{uri} cannot be opened as a video: it is another kind of file, or is incomplete. "
            f"Check that a player opens it, or copy or export it again."
        ) from error
    with container:
        yield container


def check_file(uri: str) -> Path:
    """Return the path of a file that can be read and is not empty.

    :raises VideoError: when there is none.
    """
    path = Path(uri)
    try:
        if path.is_dir():
            raise VideoError(f"{uri} is a folder. For a folder of images use --reader images.")
        if not path.exists():
            raise VideoError(f"There is no file {uri}. Check the path.")
        if not path.is_file():
            raise VideoError(f"{uri} is not a regular file. Copy the video to a file.")
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise VideoError(f"{uri} is empty (0 bytes). Copy or record it again.")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise VideoError(f"{uri} cannot be read: {reason}. Check its name and permissions.") from error
    return path


def choose_stream(container: InputContainer, uri: str, number: int | None) -> VideoStream:
    """Return the video stream of a number from 0, or the one that players choose: default flag first, then the largest.

    :raises VideoError: when there is no such stream, or no decoder for it.
    """
    streams = container.streams.video
    if number is not None:
        if number >= len(streams):
            advice = f"Use a number from 0 to {len(streams) - 1}" if len(streams) > 1 else "Omit --reader.stream"
            raise VideoError(
                f"{uri} has {count_noun(len(streams), 'video stream')}, so there is no stream {number}. {advice}."
            )
        stream = streams[number]
    else:
        candidates = _moving_pictures(container)
        if not candidates:
            contents = "a cover picture, but no video" if streams else "no video stream"
            raise VideoError(f"{uri} holds {contents}. Check that it is the right file.")
        stream = max(candidates, key=_preference)
    if stream.codec_context is None:
        raise VideoError(
            f"{uri} holds video in a codec that FFmpeg cannot decode ({_codec_name(container, stream)}). "
            f"Export it again, for example as H.264."
        )
    if len(stream.index_entries) > container.size > 0:
        raise VideoError(
            f"{uri} lists {len(stream.index_entries):,} packets, more than it has bytes, so its index is damaged. "
            f"Copy or export it again."
        )
    if stream.codec_context.width * stream.codec_context.height > MAX_PIXELS:
        raise VideoError(
            f"{uri} declares frames of {stream.codec_context.width}x{stream.codec_context.height} pixels, more than "
            f"{MAX_PIXELS:,} pixels. Scale it down first."
        )
    return stream


def describe_choice(container: InputContainer, stream: VideoStream, uri: str) -> str:
    """Return a notice that the file has several video streams, or nothing."""
    streams = _moving_pictures(container)
    if len(streams) < 2:
        return ""
    number = container.streams.video.index(stream)
    return (
        f"{uri} has {len(streams)} video streams; stream {number} ({stream.width}x{stream.height}) is used. "
        f"--reader.stream names another."
    )


def clock_may_jump(container: InputContainer) -> bool:
    """Return whether the format allows stamps to begin anywhere, and its clock to change, as in MPEG streams."""
    return bool(container.format.flags & _TS_DISCONT)


def frame_rate(stream: VideoStream) -> float:
    """Return the nominal frames per second of a stream; 25 when the file states none that makes sense."""
    rate = stream.guessed_rate or stream.average_rate or Fraction(25)
    return float(rate) if 0 < rate < 1000 else 25.0


def expected_frames(stream: VideoStream) -> int | None:
    """Return how many frames the header promises, without those that an edit list hides; None: it does not say."""
    if not stream.frames:
        return None
    if not stream.duration or not stream.time_base or not stream.average_rate:
        return stream.frames
    return max(1, min(stream.frames, round(stream.duration * stream.time_base * stream.average_rate)))


def _moving_pictures(container: InputContainer) -> list[VideoStream]:
    """Return the video streams without cover pictures and thumbnails."""
    return [stream for stream in container.streams.video if not stream.disposition & _NO_PICTURE]


def _preference(stream: VideoStream) -> tuple[bool, bool, int, int]:
    context = stream.codec_context  # None: no decoder
    pixels = context.width * context.height if context else 0
    return context is not None, bool(stream.disposition & Disposition.default), pixels, -stream.index


def _codec_name(container: InputContainer, stream: VideoStream) -> str:
    """Return the name or the four-letter code of a codec without a decoder; PyAV has it in a log message only."""
    level = av.logging.get_level()
    av.logging.set_level(av.logging.INFO)
    try:
        description = container.dumps_format()  # type: ignore[attr-defined]  # not in PyAV's stubs
    finally:
        av.logging.set_level(level)
    match = re.search(rf"Stream #0:{stream.index}\b.*?Video: (?:none \()?([^\s,]+)", description)
    return match[1] if match else "unknown"
