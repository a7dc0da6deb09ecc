"""Changes in the bytes of files, for what no muxer writes."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

ONE = 0x10000
"""1.0 as a fixed-point number of MP4."""
MATRICES = {
    "upright": (1, 0, 0, 1),
    "turned right": (0, 1, -1, 0),
    "upside down": (-1, 0, 0, -1),
    "turned left": (0, -1, 1, 0),
    "mirrored": (-1, 0, 0, 1),
    "flipped": (1, 0, 0, -1),
    "mirrored and turned right": (0, -1, -1, 0),
    "mirrored and turned left": (0, 1, 1, 0),
}
"""The a, b, c, d of a track header's matrix (ISO 14496-12, 8.3.2): x' = a x + c y, y' = b x + d y, with y down."""


def patch_box(path: Path, box: str, change: Callable[[bytes], bytes]) -> None:
    """Replace the payload of the first MP4 box of a path such as ``moov/trak/tkhd``; sizes above it follow.

    Use it on files whose ``moov`` is behind ``mdat``: offsets into ``mdat`` then stay right.
    """
    path.write_bytes(_replace(path.read_bytes(), box.split("/"), change))


def set_matrix(path: Path, turn: str) -> None:
    """Set the display matrix of an MP4 file's first track."""
    a, b, c, d = MATRICES[turn]

    def change(header: bytes) -> bytes:
        width, height = struct.unpack(">2I", header[76:84])
        x, y = (-min(0, p * width, q * height, p * width + q * height) for p, q in ((a, c), (b, d)))
        return header[:40] + struct.pack(">9i", a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, x, y, 1 << 30) + header[76:]

    patch_box(path, "moov/trak/tkhd", change)


def set_edits(path: Path, edits: Sequence[tuple[int, int]]) -> None:
    """Set the edit list of an MP4 file's first track, for files of 25 frames per second in which it has one.

    :param edits: first frame (-1: nothing is shown) and number of frames of each edit.
    """
    content = path.read_bytes()
    units = {}
    for header in ("mvhd", "mdhd"):
        at = content.index(header.encode()) + 4
        units[header] = struct.unpack(">I", content[at + 12 : at + 16])[0] // 25
    rows = [
        struct.pack(">Iihh", count * units["mvhd"], -1 if first < 0 else first * units["mdhd"], 1, 0)
        for first, count in edits
    ]
    patch_box(path, "moov/trak/edts/elst", lambda _: struct.pack(">II", 0, len(rows)) + b"".join(rows))


def set_avi_counts(path: Path, count: int) -> None:
    """Set both frame counts in the headers of an AVI file."""
    content = bytearray(path.read_bytes())
    for header, offset in ((b"avih", 16), (b"strh", 32)):
        at = content.index(header) + 8 + offset
        content[at : at + 4] = struct.pack("<I", count)
    path.write_bytes(content)


def _replace(content: bytes, box: Sequence[str], change: Callable[[bytes], bytes]) -> bytes:
    at = 0
    while at < len(content):
        size, kind = struct.unpack(">I4s", content[at : at + 8])
        if kind == box[0].encode():
            payload = content[at + 8 : at + size]
            payload = _replace(payload, box[1:], change) if box[1:] else change(payload)
            return content[:at] + struct.pack(">I4s", len(payload) + 8, kind) + payload + content[at + size :]
        at += size
    raise ValueError(f"the file has no box {box[0]}")
