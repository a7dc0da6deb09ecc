"""The parts of an animated WebP (source: RFC 9649)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from mmap import mmap

from anyanomaly.builtin.animation import Part

_CHUNK_HEADER, _FRAME_HEADER = 8, 16
_ALPHA = 0x10
_NO_BLENDING, _CLEAR = 2, 1


def read_parts(data: bytes | mmap) -> Iterator[Part]:
    """Yield the frames of an animated WebP; a still image has none.

    :param data: the content of the file, which starts with a valid header.
    """
    position, end_of_file = 12, 8 + struct.unpack_from("<I", data, 4)[0]
    is_animated = False
    while position + _CHUNK_HEADER <= len(data):
        kind, n_bytes = struct.unpack_from("<4sI", data, position)
        start, end = position + _CHUNK_HEADER, position + _CHUNK_HEADER + n_bytes
        if kind == b"ANMF":
            is_animated = True
            yield _part(bytes(data[start:end]), damaged=end > len(data) or n_bytes <= _FRAME_HEADER)
        position = end + n_bytes % 2
    if is_animated and position <= len(data) < end_of_file:
        yield _part(b"", damaged=True)  # cut between two frames


def canvas_size(data: bytes | mmap) -> tuple[int, int]:
    """Return (width, height) in pixels, of an animated WebP."""
    return _read_24_bits(data, 24) + 1, _read_24_bits(data, 27) + 1


def _part(frame: bytes, damaged: bool) -> Part:
    if damaged:
        return Part(b"", 0, 0, 0.0, damaged=True)
    image = frame[_FRAME_HEADER:]
    chunks = b"WEBPVP8X" + struct.pack("<IB3x", 10, _ALPHA) + frame[6:12] + image
    return Part(
        content=b"RIFF" + struct.pack("<I", len(chunks)) + chunks,
        left=2 * _read_24_bits(frame, 0),
        top=2 * _read_24_bits(frame, 3),
        duration_s=_read_24_bits(frame, 12) / 1000,
        disposal="clear" if frame[15] & _CLEAR else "keep",
        replace=bool(frame[15] & _NO_BLENDING),
    )


def _read_24_bits(data: bytes | mmap, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "little")
