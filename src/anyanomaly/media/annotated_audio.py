"""The audio of a source, for an annotated video of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import av
from av.container import InputContainer, OutputContainer

from anyanomaly.media.clip_file import MP4_AUDIO

_LOG = logging.getLogger(__name__)

_COPIED = {
    "mp4": MP4_AUDIO,
    "matroska": MP4_AUDIO | {"vorbis", "dts", "mp2"} | {"pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_u8"},
}
"""By muxer, the codecs that players expect in it. Other audio becomes AAC."""


class AudioCopy:
    """Copies audio packets of a source into a file, in step with its video."""

    def __init__(
        self,
        source: InputContainer | None = None,
        begin_s: float = -math.inf,
        end_s: float = math.inf,
        shift_s: float = 0.0,
        stack: ExitStack | None = None,
    ) -> None:
        """:param source: a container of its own; None: there is no audio.

        :param begin_s: time in the source from which on audio is kept, seconds. :param end_s: until when.
        :param shift_s: what is subtracted from the times of the source, seconds. :param stack: closes the source.
        """
        self._source = source
        self._begin_s, self._end_s, self._shift_s = begin_s, end_s, shift_s
        self._stack = stack or ExitStack()
        self._packets: Iterator[Any] = iter(())
        self._waiting: Any = None

    def add_streams(self, target: OutputContainer) -> None:
        """Add a stream to a file for each audio stream of the source, before anything is written to it."""
        if self._source is None:
            return
        outputs: dict[int, _Copied | _Encoded] = {}
        muxer = target.format.name.split(",")[0]
        for stream in self._source.streams.audio:
            try:
                name = stream.codec_context.codec.canonical_name
                if name in _COPIED[muxer] and (muxer == "mp4" or not _has_packet_headers(stream)):
                    outputs[stream.index] = _Copied(target, stream)
                else:
                    outputs[stream.index] = _Encoded(target.add_stream("aac", rate=stream.rate), stream)
            except (av.FFmpegError, ValueError, TypeError, AttributeError):
                _LOG.warning("The annotated video has no audio: FFmpeg cannot decode that of the source.")
        if outputs:
            self._packets = self._read(self._source, outputs)
            self._waiting = next(self._packets, None)

    def mux_until(self, target: OutputContainer, time_s: float) -> None:
        """Write the packets that begin before a time of the file, seconds."""
        while self._waiting is not None and _begin_s(self._waiting) < time_s:
            target.mux(self._waiting)
            self._waiting = next(self._packets, None)

    def close(self) -> None:
        """Close the source."""
        self._waiting, self._packets = None, iter(())
        self._stack.close()

    def _read(self, source: InputContainer, outputs: dict[int, _Copied | _Encoded]) -> Iterator[Any]:
        """Yield packets for the target. Damage ends the audio, not the video."""
        last_dts: dict[int, int] = {}
        with suppress(av.FFmpegError):
            for packet in source.demux([source.streams[index] for index in outputs]):
                output = outputs[packet.stream.index]
                if packet.dts is None or packet.pts is None:
                    continue
                begin_s = _begin_s(packet)
                if begin_s < self._begin_s or packet.dts <= last_dts.get(packet.stream.index, -math.inf):
                    continue  # before the section, or the clock of the source was set back
                last_dts[packet.stream.index] = packet.dts
                if begin_s >= self._end_s:
                    break
                shift = round(self._shift_s / packet.time_base)
                packet.pts -= shift
                packet.dts -= shift
                yield from output.push(packet)
            for output in outputs.values():
                yield from output.finish()


class _Copied:
    """An audio stream whose packets stay as they are."""

    def __init__(self, target: OutputContainer, source: Any) -> None:
        self._filter: Any = None
        if _has_packet_headers(source):
            self._filter = av.BitStreamFilterContext("aac_adtstoasc", source)
        self._stream: Any = target.add_stream_from_template(source)
        self._cannot_be_negative = target.format.name == "matroska"  # it would delay the video, too

    def push(self, packet: Any) -> list[Any]:
        if self._cannot_be_negative and packet.pts < 0:
            return []
        packets = [packet] if self._filter is None else self._filter.filter(packet)
        for copied in packets:
            copied.stream = self._stream
        return packets

    def finish(self) -> list[Any]:
        return []


class _Encoded:
    """An audio stream that becomes AAC."""

    def __init__(self, stream: Any, source: Any) -> None:
        self._stream = stream
        self._source = source
        layout = "mono" if source.codec_context.channels == 1 else "stereo"
        stream.codec_context.layout = layout
        self._resampler = av.AudioResampler(format="fltp", layout=layout, rate=stream.codec_context.sample_rate)

    def push(self, packet: Any) -> list[Any]:
        packets = []
        for frame in self._source.codec_context.decode(packet):
            for resampled in self._resampler.resample(frame):
                packets += self._stream.encode(resampled)
        return packets

    def finish(self) -> list[Any]:
        return [
            *(p for frame in self._resampler.resample(None) for p in self._stream.encode(frame)),
            *self._stream.encode(None),
        ]


def _has_packet_headers(stream: Any) -> bool:
    """Whether AAC has a header in each packet, as in MPEG streams (ADTS); Matroska needs one in front of all."""
    return stream.codec_context.codec.canonical_name == "aac" and not stream.codec_context.extradata


def _begin_s(packet: Any) -> float:
    return float(packet.pts * packet.time_base) if packet.pts is not None else 0.0
