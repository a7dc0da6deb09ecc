"""The source video in the report: linked, embedded, or the reason why it cannot be played."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from anyanomaly.errors import OutputError, VideoError
from anyanomaly.masking import mask_url
from anyanomaly.media.clip_encode import encode_part
from anyanomaly.media.clip_source import ClipSource
from anyanomaly.outside_files import open_regular
from anyanomaly.pages.text import data_uri
from anyanomaly.types import Video

VideoMode = Literal["link", "embed", "convert", "none"]

COPY_SIDE = 640
"""Longest side of a converted copy, pixels."""
MAX_COPY_S = 120.0
"""A video that browsers cannot play is converted without being asked up to this length, seconds."""

_CONTAINERS = {
    ".mp4": ("video/mp4", "mov"),
    ".m4v": ("video/mp4", "mov"),
    ".mov": ("video/mp4", "mov"),  # browsers refuse video/quicktime, and play most of these files
    ".webm": ("video/webm", "matroska"),
    ".mkv": ("video/webm", "matroska"),  # Chromium plays them as such
    ".ogv": ("video/ogg", "ogg"),
}
"""Suffixes that browsers play: the type to name, and FFmpeg's name of the format."""

_CODECS = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "theora"})  # that some browser plays

_ADVICE = "To get a player, embed a small copy: --sink.html.video convert"


@dataclass(frozen=True, slots=True)
class Player:
    """A player, or why there is none."""

    source: str = ""  # of the video element: a data URI, or a percent-encoded address; empty: no player
    reason: str = ""  # why there is none, or what to know; one or two sentences
    is_convertible: bool = False  # browsers cannot play the video, but a copy of it


def make_player(video: Video, report: str, mode: VideoMode, embed_max_mb: float) -> Player:
    """Return the player of a video.

    :param report: path of the report; ``-``: standard output. :param mode: whether the file is linked or embedded.
    :param embed_max_mb: largest file to embed, millions of bytes; a larger one is linked.
    """
    if mode == "none":
        return Player()
    if not video.uri:
        return Player(reason="The results do not name the video's file, so there is no player.")
    if "://" in video.uri:
        return Player(
            reason=f"No player: the video is at {mask_url(video.uri)}, and this page requests nothing from a network."
        )
    try:
        return _make_local_player(video.uri, report, mode, embed_max_mb)
    except OSError as error:  # a name that is too long, a folder that may not be searched
        return Player(reason=f"No player: {video.uri} cannot be read: {error.strerror}.")


def _make_local_player(uri: str, report: str, mode: VideoMode, embed_max_mb: float) -> Player:
    """:raises OSError: when the file cannot be read."""
    path = Path(uri)
    if path.is_dir() or (any(character in uri for character in "*?") and not path.exists()):
        return Player(reason=f"No player: the source is a folder of images. {_ADVICE}.", is_convertible=True)
    beside_report = Path(report).parent / path.name
    if not path.is_file() and path.name and report != "-" and beside_report.is_file():
        path = beside_report  # somebody has sent both
    if not path.is_file():
        return Player(reason=f"No player: {path} was not there when this report was written.")
    kind, container = _CONTAINERS.get(path.suffix.lower(), ("", ""))
    codec = _codec(path, container) if kind else ""
    if not kind or (codec and codec not in _CODECS):
        content = f"{codec} video" if codec else f"{path.suffix} files" if path.suffix else "such files"
        return Player(reason=f"No player: browsers cannot play {content}. {_ADVICE}.", is_convertible=True)
    if mode == "convert":
        return Player(is_convertible=True)
    if mode == "embed":
        size_mb = path.stat().st_size / 1e6
        if size_mb <= embed_max_mb:
            return _embedded(path, kind)
        reason = f"The video is linked, not embedded: it has {size_mb:.0f} MB, and the limit is {embed_max_mb:g} MB "
        return Player(_address(path, report), f"{reason}(--sink.html.embed-max-mb).")
    return Player(_address(path, report))


def _codec(path: Path, container: str) -> str:
    """Return FFmpeg's name of the codec of a file's first video stream; empty when it is unknown.

    Only the named format is read: others, such as playlists, may refer to further files.
    """
    import av

    try:
        with open_regular(path) as file, av.open(file, format=container, metadata_errors="replace") as source:
            return source.streams.video[0].codec_context.name if source.streams.video else ""
    except (OSError, ValueError, av.FFmpegError):
        return ""  # the browser may know better, and says what it cannot play


def convert(video: Video, header: Mapping[str, Any], max_mb: float) -> Player | None:
    """Return a player with a copy of the video that browsers play, at most 640 pixels wide and high.

    :param header: of the run. :param max_mb: largest copy, millions of bytes.
    :returns: None: the video cannot be read, or there is no encoder that makes what browsers play.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            path, _ = encode_part(ClipSource(video, header, COPY_SIDE), (0.0, math.inf), Path(folder, "copy"))
            if _codec(path, "mov") not in _CODECS:
                return None
            size_mb = path.stat().st_size / 1e6
            if size_mb > max_mb:
                return Player(
                    reason=f"No player: a copy has {size_mb:.0f} MB, and the limit is {max_mb:g} MB "
                    f"(--sink.html.embed-max-mb)."
                )
            return replace(_embedded(path, "video/mp4"), reason="The player has a small copy of the video.")
        except (OSError, VideoError, OutputError):
            return None


def _embedded(path: Path, kind: str) -> Player:
    """:raises OSError: when the file cannot be read."""
    with open_regular(path) as file:
        data = file.read()
    return Player(data_uri(kind, data))


def _address(path: Path, report: str) -> str:
    """Return the address of a file relative to the report, percent-encoded: no part of it is a scheme or a query."""
    if report == "-":
        return path.resolve().as_uri()
    try:
        relative = os.path.relpath(path.resolve(), Path(report).resolve().parent)
    except ValueError:  # another drive
        return path.resolve().as_uri()
    address = quote(os.fsencode(Path(relative).as_posix()), safe="/")
    return f"./{address}"
