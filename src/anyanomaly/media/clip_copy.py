"""Clips without re-encoding: the packets of a part of a file, from the last key frame at or before its start."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from anyanomaly.media.clip_file import clip_suffix, mux_from, new_track, new_video
from anyanomaly.media.clip_source import TOLERANCE_S, CannotCopy, ClipSource, codec_name, seek, stamped
from anyanomaly.types import Span

_LEAD_S = 1.5
"""Reading starts this long before the first packet of a clip: audio may lie before the video of the same time."""

_LEADS_S = (0.0, 2.0, 10.0, 60.0, math.inf)
"""How far before a time its key frame is sought, seconds: demuxers find the one by decoding time, or none."""

_MAX_LAG_S = 5.0
"""Audio that comes later than this behind its video is left out, seconds."""

_MAX_STEP_S = 30.0
"""Frames that are farther apart are two recordings, seconds."""

_DECODING_TIMES = frozenset({"avi"})
"""Containers without presentation times: how their frames are ordered is known after decoding."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a file in container time, seconds."""

    key_stamp: int  # of the key frame at which the clip begins, in ticks of the video stream
    start_s: float
    stop_s: float  # the clip may end a little later


def copy_part(source: ClipSource, span: Span, stem: Path) -> tuple[Path, Span]:
    """Copy a part of a file with its audio, and return the new file and the part that it shows, in seconds.

    It begins at the last key frame at or before ``span[0]``, and may end some frames behind ``span[1]`` where the
    pictures are not stored in the order in which they are shown.

    :param span: start and stop in the time of the results. :param stem: path of the new file without its suffix.
    :raises CannotCopy: when the packets cannot be cut, or fit no container. :raises VideoError: when the file cannot
        be read. :raises OutputError: when the clip cannot be written.
    """
    offset_s = source.offset_s(span[0])
    if math.isnan(offset_s):
        raise CannotCopy("its timestamps are not certain without decoding")
    start_s, stop_s = span[0] + offset_s + TOLERANCE_S, span[1] + offset_s - TOLERANCE_S
    try:
        with source.open() as (container, stream):
            if container.format.name in _DECODING_TIMES:
                raise CannotCopy(f"{container.format.name} files do not store when frames are shown")
            tracks = [track for track in container.streams.audio if codec_name(track)]
            suffix = clip_suffix(codec_name(stream), map(codec_name, tracks))
            key_stamp = _find_key_frame(source, start_s)
            assert stream.time_base is not None  # every demuxer sets it
            part = _Part(key_stamp, float(key_stamp * stream.time_base), stop_s)
            path = stem.with_name(stem.name + suffix)
            with new_video(path) as output:
                stop_s = _Copy(output, stream, tracks, part).run(container, 1 / source.fps)
    except av.FFmpegError as error:
        raise CannotCopy(f"FFmpeg cannot copy its packets ({error.strerror})") from error
    return path, (part.start_s - offset_s, stop_s - offset_s)


def _find_key_frame(source: ClipSource, time_s: float) -> int:
    """Return the stamp of the last key frame at or before a container time in seconds; of the first, if none is.

    :raises CannotCopy: when packets have no stamps, or there is no key frame.
    """
    for lead_s in _LEADS_S:
        with source.open() as (container, stream):  # opened anew: not every demuxer can go to its beginning
            is_at_beginning = not (math.isfinite(lead_s) and seek(container, stream, time_s - lead_s))
            stamp = None
            for packet in stamped(container, [stream]):
                assert stream.time_base is not None  # every demuxer sets it
                is_before = packet.pts * stream.time_base <= time_s
                if packet.is_keyframe and not packet.is_discard and (is_before or (is_at_beginning and stamp is None)):
                    stamp = packet.pts
                if packet.dts * stream.time_base > time_s and (stamp is not None or not is_at_beginning):
                    break
            if stamp is not None:
                return int(stamp)
    raise CannotCopy("it has no key frame")


class _Copy:
    """Writes the packets of one part."""

    def __init__(self, output: OutputContainer, stream: VideoStream, tracks: list[Any], part: _Part) -> None:
        assert stream.time_base is not None  # every demuxer sets it
        self._output, self._stream, self._part = output, stream, part
        self._time_base = stream.time_base
        self._bound = math.ceil(part.stop_s / stream.time_base)  # packets before it are copied, ticks
        self._targets = {source.index: new_track(output, source) for source in (stream, *tracks)}
        self._open_tracks = {track.index for track in tracks}
        self._waiting: list[Any] = []  # packets behind the bound: later ones before it may need them
        self._last_dts: int | None = None  # of the video packets from the key frame on
        self._is_complete = False  # all of the video is written
        self._stop_stamp = part.key_stamp  # end of the last frame that is written

    def run(self, container: InputContainer, step_s: float) -> float:
        """Write the clip and return the end of its last frame, container time in seconds.

        :param container: of the source. :param step_s: duration of a frame that states none, seconds.
        :raises CannotCopy: when the key frame is not found again, or stamps jump.
        """
        seek(container, self._stream, self._part.start_s - _LEAD_S)
        for packet in stamped(container, [container.streams[index] for index in self._targets]):
            if packet.stream.index == self._stream.index:
                self._add_video(packet, round(step_s / self._time_base))
            else:
                self._add_audio(packet)
            if self._is_complete and (not self._open_tracks or self._is_late()):
                break
        if self._last_dts is None:
            raise CannotCopy("its key frame is not found again")
        return float(self._stop_stamp * self._time_base)

    def _add_video(self, packet: Any, step: int) -> None:
        if self._last_dts is None and not (packet.is_keyframe and packet.pts == self._part.key_stamp):
            return
        if (
            self._last_dts is not None
            and not self._last_dts < packet.dts < self._last_dts + _MAX_STEP_S / self._time_base
        ):
            raise CannotCopy("its timestamps jump")
        self._last_dts = packet.dts
        self._is_complete = self._is_complete or packet.dts >= self._bound
        if self._is_complete or packet.pts < self._part.key_stamp:  # the latter need frames before the key frame
            return
        self._waiting.append(packet)
        if packet.pts < self._bound:
            for waiting in self._waiting:
                self._bound = max(self._bound, waiting.pts)  # no gap before the last frame
                self._stop_stamp = max(self._stop_stamp, waiting.pts + (waiting.duration or step))
                self._mux(waiting)
            self._waiting.clear()

    def _is_late(self) -> bool:
        """Whether the video is so far behind the stop that no audio before it is expected."""
        return self._last_dts is not None and self._last_dts * self._time_base > self._part.stop_s + _MAX_LAG_S

    def _add_audio(self, packet: Any) -> None:
        if packet.pts is None:
            return
        time_s = packet.pts * packet.time_base
        if time_s >= self._part.stop_s:
            self._open_tracks.discard(packet.stream.index)
        elif time_s >= self._part.start_s:
            self._mux(packet)

    def _mux(self, packet: Any) -> None:
        mux_from(packet, self._output, self._targets[packet.stream.index], self._part.start_s)
