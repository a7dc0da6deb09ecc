"""A video file that appears under its own name when it is whole, and the containers that clips are written to."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import av
from av.container import OutputContainer

from anyanomaly.api.safe_file import check_plain
from anyanomaly.errors import DISK_FULL, OutputError

PARTIAL = ".partial"
"""Added to the name of a file until it is whole."""

MP4_VIDEO = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})
"""Codecs that players expect in MP4."""


def clip_suffix(video_codec: str, audio_codecs: Iterable[str]) -> str:
    """Return the suffix of a clip with these codecs: ``.mp4`` or ``.mkv``."""
    return ".mp4" if video_codec in MP4_VIDEO and MP4_AUDIO.issuperset(audio_codecs) else ".mkv"


@contextmanager
def new_video(path: Path) -> Iterator[OutputContainer]:
    """Open a video file for writing; it replaces ``path`` at the end, unless an exception leaves the block.

    :param path: ends in ``.mp4`` or ``.mkv``. No other run writes to its folder.
    :raises OutputError: when it cannot be written. :raises av.FFmpegError: when FFmpeg refuses what is written.
    """
    partial = path.with_name(path.name + PARTIAL)
    check_plain(path)
    try:
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        is_mp4 = path.suffix == ".mp4"
        # without bitexact, Matroska files get random numbers
        options = {"fflags": "+bitexact", **({"movflags": "+faststart"} if is_mp4 else {})}
        name = f"file:{partial.absolute()}"
        with av.open(name, "w", format="mp4" if is_mp4 else "matroska", options=options) as container:
            yield container
        _sync(partial)
        os.replace(partial, path)
    except OSError as error:  # FFmpeg's own errors of the system, too
        if isinstance(error, av.FFmpegError) and error.errno not in (*DISK_FULL, errno.EROFS):
            raise
        raise OutputError(f"Cannot write {path}: {error.strerror}. Free some space, or use another folder.") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def new_track(output: OutputContainer, source: Any) -> Any:
    """Add a stream for the packets of a stream of another file, with its language and title, and return it."""
    track = output.add_stream_from_template(source)
    track.metadata.update({key: text for key, text in source.metadata.items() if key in ("language", "title")})
    return track


def mux_from(packet: Any, output: OutputContainer, track: Any, start_s: float) -> None:
    """Write a packet of another file to a track; its times then count from ``start_s`` of that file, seconds."""
    start = round(start_s / packet.time_base)
    packet.pts -= start
    packet.dts = packet.pts if packet.dts is None else packet.dts - start
    packet.stream = track
    output.mux(packet)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
