"""The parts of an animated PNG (source: the PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple

from anyanomaly.builtin.animation import Disposal, Part

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DISPOSALS: dict[int, Disposal] = {1: "clear", 2: "restore"}
_MAX_PALETTE_BYTES = 3 * 256
_FRAME_CONTROL = struct.Struct(">4x4I2H2B")  # sequence number; width, height, left, top; delay; disposal, blending


class _Chunk(NamedTuple):
    kind: bytes
    content: bytes
    is_valid: bool


def read_parts(data: bytes | mmap) -> Iterator[Part]:
    """Yield the frames of an animated PNG, without a default image that is no frame; a still image has none.

    :param data: the content of the file, which starts with a valid header.
    """
    header = b""
    palettes: dict[bytes, bytes] = {}  # a palette and its transparency, by the kind of chunk
    control: bytes | None = None  # of the current frame
    pixels: list[bytes] = []  # compressed, of the current frame
    damaged = False
    n_parts, n_declared = 0, 0
    for kind, content, is_valid in _chunks(data):
        if kind in (b"fcTL", b"IEND") and control is not None:
            yield _part(header, palettes, control, pixels, damaged, n_parts == 0)
            control, pixels, damaged = None, [], False
            n_parts += 1
        if kind == b"IHDR":
            header = content
        elif kind == b"acTL" and len(content) == 8:
            n_declared, _ = struct.unpack(">II", content)
        elif kind in (b"PLTE", b"tRNS") and len(content) <= _MAX_PALETTE_BYTES:
            palettes.setdefault(kind, _pack(kind, content))
        elif kind == b"fcTL" and len(content) == _FRAME_CONTROL.size:
            control, damaged = content, not is_valid
        elif kind == b"IDAT" and not n_declared:
            return
        elif kind in (b"IDAT", b"fdAT") and control is not None:
            pixels.append(content if kind == b"IDAT" else content[4:])
            damaged = damaged or not is_valid
        elif kind == b"IEND":
            return
    if control is not None:
        yield _part(header, palettes, control, pixels, damaged, n_parts == 0)
        n_parts += 1
    if n_parts < n_declared and not damaged:
        yield Part(b"", 0, 0, 0.0, damaged=True)  # cut between two frames


def canvas_size(data: bytes | mmap) -> tuple[int, int]:
    """Return (width, height) in pixels."""
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _part(
    header: bytes, palettes: dict[bytes, bytes], control: bytes, pixels: list[bytes], damaged: bool, is_first: bool
) -> Part:
    width, height, left, top, delay, per_second, disposal, blending = _FRAME_CONTROL.unpack(control)
    content = [
        _SIGNATURE,
        _pack(b"IHDR", struct.pack(">II", width, height) + header[8:]),
        *palettes.values(),
        *(_pack(b"IDAT", piece) for piece in pixels),
        _pack(b"IEND", b""),
    ]
    return Part(
        content=b"".join(content),
        left=left,
        top=top,
        duration_s=delay / (per_second or 100),
        disposal="clear" if is_first and disposal == 2 else _DISPOSALS.get(disposal, "keep"),
        replace=blending == 0,
        damaged=damaged or not pixels,
    )


def _chunks(data: bytes | mmap) -> Iterator[_Chunk]:
    """Yield the chunks; one that the end of the data cuts is not valid."""
    position = len(_SIGNATURE)
    while position + 8 <= len(data):
        n_bytes, kind = struct.unpack_from(">I4s", data, position)
        start, end = position + 8, position + 8 + n_bytes
        content = bytes(data[start:end])
        checksum = bytes(data[end : end + 4])
        yield _Chunk(kind, content, checksum == struct.pack(">I", zlib.crc32(kind + content)))
        position = end + 4


def _pack(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
