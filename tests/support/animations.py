"""GIF and APNG files written byte by byte, and what a browser shows of them on a white page."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]

CLEAR, RESTORE = 2, 3
"""Disposals as GIF numbers them; APNG's are one less."""


@dataclass
class Part:
    """One stored frame."""

    pixels: Pixels  # GIF: (h, w), indices into the palette; APNG: (h, w, 4), RGBA
    left: int = 0
    top: int = 0
    disposal: int = 0
    duration_cs: int = 10
    transparent: int | None = None  # GIF: index of the transparent colour
    palette: Pixels | None = None  # GIF: (8, 3), in place of the palette of the file
    replace: bool = False  # APNG: transparent pixels replace, too


def write_gif(width: int, height: int, palette: Pixels, parts: Sequence[Part], background: int = 0) -> bytes:
    """Return a GIF with 8 colours."""
    content = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x82, background, 0) + palette.tobytes()
    for part in parts:
        flags = part.disposal << 2 | (part.transparent is not None)
        content += b"!\xf9\x04" + struct.pack("<BHBx", flags, part.duration_cs, part.transparent or 0)
        part_height, part_width = part.pixels.shape
        size = (part.left, part.top, part_width, part_height)
        content += b"," + struct.pack("<4HB", *size, 0 if part.palette is None else 0x82)
        content += (b"" if part.palette is None else part.palette.tobytes()) + _lzw(part.pixels)
    return content + b";"


def write_apng(width: int, height: int, parts: Sequence[Part], default: Pixels | None = None) -> bytes:
    """Return an animated PNG.

    :param default: (height, width, 4), a still image that is no frame of the animation.
    """
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">II5B", width, height, 8, 6, 0, 0, 0))
    content += chunk(b"acTL", struct.pack(">II", len(parts), 0))
    if default is not None:
        content += chunk(b"IDAT", _deflate(default))
    sequence = 0
    for index, part in enumerate(parts):
        part_height, part_width, _ = part.pixels.shape
        control = (sequence, part_width, part_height, part.left, part.top)
        disposal, blending = max(part.disposal - 1, 0), int(not part.replace)
        content += chunk(b"fcTL", struct.pack(">5I2H2B", *control, part.duration_cs, 100, disposal, blending))
        sequence += 1
        if index or default is not None:
            content += chunk(b"fdAT", struct.pack(">I", sequence) + _deflate(part.pixels))
            sequence += 1
        else:
            content += chunk(b"IDAT", _deflate(part.pixels))
    return content + chunk(b"IEND", b"")


def shown(width: int, height: int, parts: Sequence[Part], palette: Pixels | None = None) -> list[Pixels]:
    """Return the frames (height, width, 3) that a browser shows.

    :param palette: of a GIF.
    """
    canvas = np.zeros((height, width, 4))  # RGBA from 0 to 1, alpha not premultiplied
    frames = []
    for part in parts:
        pixels = (part.pixels if palette is None else _colours(part, palette)) / 255
        area = canvas[part.top : part.top + len(pixels), part.left : part.left + pixels.shape[1]]
        previous = area.copy()
        area[:] = pixels if part.replace else _over(area, pixels)
        frames.append(np.round(255 * _over(np.ones_like(canvas), canvas)[..., :3]).astype(np.uint8))
        if part.disposal == CLEAR or (part is parts[0] and part.disposal == RESTORE):
            area[:] = 0
        elif part.disposal == RESTORE:
            area[:] = previous
    return frames


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _deflate(pixels: Pixels) -> bytes:
    return zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))


def _colours(part: Part, palette: Pixels) -> npt.NDArray[np.float64]:
    colours = (palette if part.palette is None else part.palette)[part.pixels]
    alpha = np.full(part.pixels.shape, 255) if part.transparent is None else 255 * (part.pixels != part.transparent)
    return np.dstack([colours, alpha]).astype(np.float64)


def _over(below: npt.NDArray[np.float64], above: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    alpha = above[..., 3:] + below[..., 3:] * (1 - above[..., 3:])
    colour = above[..., :3] * above[..., 3:] + below[..., :3] * below[..., 3:] * (1 - above[..., 3:])
    return np.concatenate([colour / np.where(alpha == 0, 1, alpha), alpha], axis=2)


def _lzw(pixels: Pixels) -> bytes:
    """Return indices below 8 as GIF's blocks of LZW codes of 4 bits; clear codes keep the codes at this size."""
    codes = [8]
    for number, index in enumerate(pixels.ravel().tolist()):
        codes += [8, index] if number % 6 == 5 else [index]
    codes += [9] + [0] * (len(codes) % 2 == 0)
    data = bytes(low | high << 4 for low, high in zip(codes[::2], codes[1::2], strict=True))
    blocks = [data[start : start + 255] for start in range(0, len(data), 255)]
    return b"\x03" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"
