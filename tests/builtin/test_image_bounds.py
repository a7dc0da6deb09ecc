"""Image files of a few kilobytes that would take minutes or gigabytes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.errors import VideoError


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def png_text(kind: bytes) -> bytes:
    text = chunk(kind, b"a\0\0" + zlib.compress(bytes(2**26), 1))
    return png(1, 1, text, chunk(b"PLTE", bytes(3)), chunk(b"IDAT", zlib.compress(bytes(2))))


def gif(width: int, height: int, n_frames: int) -> bytes:
    frame = b"\x21\xf9\x04\0\x0a\0\0\0," + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + frame * n_frames + b";"


def tiff(n_pages: int, size: int = 16) -> bytes:
    tags = ((256, size), (257, size), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, size), (279, size**2))
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    page_bytes = 2 + len(entries) + 4
    parts = [b"II*\0", struct.pack("<I", 8)]
    for page in range(1, n_pages + 1):
        following = 8 + page * page_bytes if page < n_pages else 0
        parts += [struct.pack("<H", len(tags)), entries, struct.pack("<I", following)]
    return b"".join([*parts, bytes(300)])


def jpeg_of_many_scans() -> bytes:
    file = BytesIO()
    Image.new("L", (3000, 3000)).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    scan = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + scan * 200 + content[-2:]


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.png", lambda: png(100_000, 100_000), "million that are decoded"),
        ("a.png", lambda: png_text(b"zTXt"), "too large"),
        ("a.png", lambda: png_text(b"iCCP"), "too large"),
        ("a.gif", lambda: gif(65_535, 65_535, 2), "25 million"),
        ("a.gif", lambda: gif(4000, 4000, 1000), "16,000,000,000 pixels in all"),
        ("a.tif", lambda: tiff(10_002), "more than 10,000 pages"),
        ("a.tif", lambda: tiff(600, 5000), "15,000,000,000 pixels in all"),
        ("a.jpg", jpeg_of_many_scans, "scans, too many"),
        ("a.ppm", lambda: b"P6\n100000 100000\n255\n" + bytes(99), "million that are decoded"),
    ],
)
def test_it_is_refused_and_named(name: str, make: Callable[[], bytes], message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(make())
    with pytest.raises(VideoError, match=message) as caught:
        ImageReader(ImageReaderOptions()).probe(str(tmp_path / name))
    assert name in str(caught.value)


def test_a_repeated_palette_is_not_copied_into_every_frame(tmp_path: Path) -> None:
    palette, control = chunk(b"PLTE", bytes(768)), struct.Struct(">5I2H2B")
    pixels = zlib.compress(bytes(2))
    frames = [chunk(b"acTL", struct.pack(">II", 500, 0))]
    for number in range(500):
        frames += [palette * 50, chunk(b"fcTL", control.pack(number, 1, 1, 0, 0, 1, 10, 0, 0)), chunk(b"IDAT", pixels)]
    (tmp_path / "a.png").write_bytes(png(1, 1, *frames))
    reader = ImageReader(ImageReaderOptions())
    assert sum(1 for _ in reader.frames(reader.probe(str(tmp_path / "a.png")))) == 500
