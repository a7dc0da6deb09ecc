"""The parts of a GIF (source: the GIF89a specification)."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from mmap import mmap

from anyanomaly.builtin.animation import Disposal, Part

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B
_GRAPHIC_CONTROL = 0xF9
_HAS_PALETTE = 0x80
_BLOCK = re.compile(rb"[^\0]")  # the start of a block; some files have zeros between blocks
_DESCRIPTOR_SIZE = 10
_DISPOSALS: dict[int, Disposal] = {2: "clear", 3: "restore"}


@dataclass(frozen=True, slots=True)
class _Control:
    """The graphic control extension, which holds for the next image."""

    block: bytes = b""  # as stored, with the index of the transparent colour
    disposal: Disposal = "keep"
    delay_s: float = 0.0


def read_parts(data: bytes | mmap) -> Iterator[Part]:
    """Yield the images of a GIF. What follows a damaged block is one damaged part.

    :param data: the content of the file, which starts with a valid header.
    """
    palette_flags, palette, position = _read_palette(data, 10, 13)
    control = _Control()
    while (block := _BLOCK.search(data, position)) and data[block.start()] != _TRAILER:
        start, marker = block.start(), data[block.start()]
        if marker == _IMAGE and start + _DESCRIPTOR_SIZE < len(data):
            left, top, width, height, flags = struct.unpack_from("<HHHHB", data, start + 1)
            _, local_palette, blocks = _read_palette(data, start + 9, start + _DESCRIPTOR_SIZE)
            position = _end_of_blocks(data, blocks + 1)  # behind the code size
            screen = struct.pack("<HHBBB", width, height, palette_flags, 0, 0)
            image = b",\0\0\0\0" + struct.pack("<HHB", width, height, flags) + local_palette
            content = b"GIF89a" + screen + palette + control.block + image + bytes(data[blocks:position]) + b";"
            if not width or not height:
                content = b""
            yield Part(content, left, top, control.delay_s, control.disposal, damaged=not position)
            control = _Control()
            if not position:
                return
        elif marker == _EXTENSION and (position := _end_of_blocks(data, start + 2)):
            if data[start + 1] == _GRAPHIC_CONTROL and data[start + 2] >= 4:
                flags, delay_cs = struct.unpack_from("<BH", data, start + 3)
                control = _Control(bytes(data[start:position]), _DISPOSALS.get(flags >> 2 & 7, "keep"), delay_cs / 100)
        else:
            yield Part(b"", 0, 0, control.delay_s, damaged=True)
            return


def canvas_size(data: bytes | mmap) -> tuple[int, int]:
    """Return (width, height) in pixels: of the logical screen, or of the first image where that is larger."""
    width, height = struct.unpack_from("<HH", data, 6)
    for part in read_parts(data):
        if part.content:
            part_width, part_height = struct.unpack_from("<HH", part.content, 6)
            return max(width, part.left + part_width), max(height, part.top + part_height)
    return width, height


def _read_palette(data: bytes | mmap, flags_at: int, position: int) -> tuple[int, bytes, int]:
    """Return the flags, the palette that they announce at ``position``, and the position behind it."""
    flags = data[flags_at]
    end = position + (3 << (flags & 7) + 1 if flags & _HAS_PALETTE else 0)
    return flags, bytes(data[position:end]), end


def _end_of_blocks(data: bytes | mmap, position: int) -> int:
    """Return the position behind a chain of data blocks; 0: the data end in it."""
    while position < len(data):
        n_bytes = data[position]
        position += 1 + n_bytes
        if not n_bytes:
            return position
    return 0
