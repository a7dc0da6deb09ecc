"""Still images of every kind: their pixels as a viewer shows them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.errors import VideoError
from tests.support.animations import Pixels, chunk
from tests.support.shared import shared

HEIGHT, WIDTH = 24, 40
RAMP = np.linspace(0, 255, WIDTH).round().astype(np.uint8) * np.ones((HEIGHT, 1), np.uint8)


def colourful() -> Pixels:
    """Return an image (HEIGHT, WIDTH, 3) that no rotation or exchange of channels leaves the same."""
    picture = np.dstack([RAMP, RAMP[::-1, ::-1] // 2, np.full_like(RAMP, 90)])
    picture[:8, :8] = (250, 250, 0)
    picture[-8:, -16:] = (0, 0, 250)
    return picture


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def read(tmp_path: Path, content: bytes, name: str = "a.png") -> Pixels:
    (tmp_path / name).write_bytes(content)
    reader = ImageReader(ImageReaderOptions(max_side=0))
    (frame,) = reader.frames(reader.probe(str(tmp_path / name)))
    return frame.image


def png(pixels: np.ndarray, colour_type: int, bits: int = 8, *chunks: bytes) -> bytes:
    """Return a PNG written byte by byte; ``pixels`` (H, W) or (H, W, channels)."""
    rows = [b"\0" + row.astype(">u2" if bits == 16 else np.uint8).tobytes() for row in pixels]
    head = chunk(b"IHDR", struct.pack(">II5B", pixels.shape[1], pixels.shape[0], bits, colour_type, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(b"".join(rows)))
    return b"".join([b"\x89PNG\r\n\x1a\n", head, *chunks, data, chunk(b"IEND", b"")])


SHOWN_AS = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: np.rot90(stored, 2),
    4: lambda stored: stored[::-1],
    5: lambda stored: np.rot90(stored[:, ::-1]),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored[:, ::-1], -1),
    8: lambda stored: np.rot90(stored),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", SHOWN_AS)
def test_exif_orientation_is_applied(kind: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    image = read(tmp_path, encode(Image.fromarray(colourful()), kind, exif=exif, **options))
    truth = SHOWN_AS[orientation](colourful())
    assert image.shape == truth.shape
    assert np.abs(image.astype(int) - truth).max() <= (3 if kind == "JPEG" else 0)


@pytest.mark.parametrize("exif", [b"?", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"])
def test_damaged_exif_data_do_not_cost_the_picture(exif: bytes, tmp_path: Path) -> None:
    assert read(tmp_path, encode(Image.fromarray(colourful()), "JPEG", exif=b"Exif\0\0" + exif)).shape == (
        HEIGHT,
        WIDTH,
        3,
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    n_bits=st.integers(1, 16),
    n_channels=st.integers(1, 4),
    kind=st.sampled_from(["png", "tiff"]),
)
def test_16_bit_values_keep_their_brightness(
    tmp_path: Path, seed: int, n_bits: int, n_channels: int, kind: str
) -> None:
    values = np.random.default_rng(seed).integers(0, 2**n_bits, (9, 11, n_channels), np.uint16)
    if n_channels in (2, 4):
        values[..., -1] = 65535
    if kind == "png":
        content = png(values.squeeze(), {1: 0, 2: 4, 3: 2, 4: 6}[n_channels], 16)
    else:
        values = values[..., : {1: 1, 2: 1, 3: 3, 4: 4}[n_channels]]
        stored = values[..., [2, 1, 0, 3][: values.shape[2]]] if values.shape[2] > 1 else values
        content = cv2.imencode(".tiff", stored)[1].tobytes()
    truth = np.broadcast_to(values[..., :3] if values.shape[2] > 2 else values[..., :1], (9, 11, 3)) / 257
    assert np.abs(read(tmp_path, content) - truth).max() <= 1


def tiff(pixels: bytes, bits: int, photometric: int) -> bytes:
    """Return an uncompressed grey TIFF of 40x24 pixels."""
    entries = [(256, 3, WIDTH), (257, 3, HEIGHT), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8)]
    entries += [(277, 3, 1), (278, 3, HEIGHT), (279, 4, len(pixels))]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    start = 8 + len(pixels)
    return b"II*\0" + struct.pack("<I", start) + pixels + struct.pack("<H", len(entries)) + directory + b"\0" * 4


def test_a_16_bit_tiff_whose_zero_is_white(tmp_path: Path) -> None:
    content = tiff((65535 - RAMP.astype("<u2") * 257).tobytes(), 16, photometric=0)
    assert np.abs(read(tmp_path, content, "a.tif")[..., 1].astype(int) - RAMP).max() <= 1


def test_a_tiff_of_packed_12_bits_uses_their_full_range(tmp_path: Path) -> None:
    values = [round(value) for value in np.linspace(0, 4095, WIDTH * HEIGHT)]
    pairs = zip(values[::2], values[1::2], strict=True)
    packed = b"".join((first << 12 | second).to_bytes(3, "big") for first, second in pairs)
    image = read(tmp_path, tiff(packed, 12, photometric=1), "a.tif")
    assert np.abs(image[..., 0].ravel() - np.array(values) / 4095 * 255).max() <= 1


def test_values_without_a_defined_white_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VideoError, match=r"a\.tif holds values without a defined white.*Convert it to 8 or 16 bits"):
        read(tmp_path, encode(Image.fromarray(RAMP / np.float32(255)), "TIFF"), "a.tif")


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_every_depth_of_colour(mode: str, kind: str, tmp_path: Path) -> None:
    picture = colourful() // 128 * 255  # eight colours
    grey = np.repeat(picture[..., :1], 3, axis=2)
    truth = grey if mode in ("1", "L") else picture
    image = Image.fromarray(picture).quantize(8) if mode == "P" else Image.fromarray(truth).convert(mode)
    assert np.array_equal(read(tmp_path, encode(image, kind)), truth)


def test_transparent_parts_show_white(tmp_path: Path) -> None:
    colours = np.array([[10, 20, 30], [200, 0, 0], [0, 100, 0], [0, 0, 50]], np.uint8)
    alpha = np.array([0, 128, 255, 255], np.uint8)
    indices = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 4
    weights = alpha[indices][..., None] / 255
    truth = colours[indices] * weights + 255 * (1 - weights)
    palette = (chunk(b"PLTE", colours.tobytes()), chunk(b"tRNS", alpha.tobytes()))
    rgba = np.dstack([colours[indices], alpha[indices]])
    contents = {
        "palette": png(indices, 3, 8, *palette),
        "RGBA": png(rgba, 6),
        "RGBA of 16 bits": png(rgba.astype(np.uint16) * 257, 6, 16),
        "WebP": encode(Image.fromarray(rgba), "WEBP", lossless=True, exact=True),
    }
    for name, content in contents.items():
        assert np.abs(read(tmp_path, content) - truth).max() <= 1, name
    grey = png(np.dstack([RAMP, alpha[indices]]), 4)
    truth = RAMP[..., None] * weights + 255 * (1 - weights)
    assert np.abs(read(tmp_path, grey) - truth).max() <= 1
    colour_key = png(np.where(indices == 0, 7, 90), 0, 8, chunk(b"tRNS", struct.pack(">H", 7)))
    assert np.array_equal(read(tmp_path, colour_key)[..., 0], np.where(indices == 0, 255, 90))


def adobe_marker(content: bytes) -> slice:
    start = content.index(b"\xff\xee")
    return slice(start, start + 2 + int.from_bytes(content[start + 2 : start + 4], "big"))


def test_cmyk_jpegs_of_adobe_and_of_others(tmp_path: Path) -> None:
    black = 255 - RAMP[:, ::-1] // 4
    ink = np.dstack([255 - colourful(), 255 - black])  # 255: full
    truth = colourful() * (black[..., None] / 255)
    adobe = encode(Image.fromarray(ink, "CMYK"), "JPEG", quality=100, subsampling=0)
    assert np.abs(read(tmp_path, adobe) - truth).max() <= 4

    exif = Image.Exif()
    exif[0x0112] = 3
    # Pillow inverts it
    plain = encode(Image.fromarray(255 - ink, "CMYK"), "JPEG", quality=100, subsampling=0, exif=exif)
    without = plain.replace(plain[adobe_marker(plain)], b"")
    assert np.abs(read(tmp_path, without)[::-1, ::-1] - truth).max() <= 4

    converted = np.asarray(Image.fromarray(ink[..., :3]).convert("YCbCr"))
    converted = np.dstack([255 - converted, ink[..., 3]])  # Pillow inverts it
    ycck = bytearray(encode(Image.fromarray(converted, "CMYK"), "JPEG", quality=100, subsampling=0))
    ycck[adobe_marker(bytes(ycck)).stop - 1] = 2  # the marker's transform: YCCK
    assert np.abs(read(tmp_path, bytes(ycck)) - truth).max() <= 5


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"quality": 20}, {"optimize": True}]
)
def test_pixels_of_jpegs_equal_those_of_opencv(options: dict[str, Any], tmp_path: Path) -> None:
    capture = cv2.VideoCapture(str(shared("data", "videos", "car-detection.mp4")))
    _, picture = capture.read()
    capture.release()
    for crop in (picture, picture[:101, :77]):
        content = encode(Image.fromarray(crop[..., ::-1]), "JPEG", **options)
        truth = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.array_equal(read(tmp_path, content, "a.jpg"), truth)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "JPEG2000", "AVIF"])
def test_the_content_decides_and_not_the_suffix(kind: str, tmp_path: Path) -> None:
    image = read(tmp_path, encode(Image.new("RGB", (16, 8), (200, 10, 10)), kind), "a.jpg")
    assert np.abs(image.astype(int) - (200, 10, 10)).max() <= 4


def test_the_preview_inside_a_photo_is_no_frame(tmp_path: Path) -> None:
    photo, preview = Image.fromarray(colourful()), Image.new("RGB", (10, 6))
    assert read(tmp_path, encode(photo, "MPO", save_all=True, append_images=[preview]), "a.jpg").shape == (24, 40, 3)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "JPEG"])
def test_an_image_that_is_too_large_is_refused_before_it_is_decoded(kind: str, tmp_path: Path) -> None:
    content = encode(Image.new("1" if kind in ("PNG", "TIFF") else "L", (2000, 3)), kind)
    size, huge = {
        "PNG": (struct.pack(">II", 2000, 3), struct.pack(">II", 60_000, 50_000)),
        "GIF": (struct.pack("<HH", 2000, 3), struct.pack("<HH", 60_000, 50_000)),
        "TIFF": (struct.pack("<HHII", 256, 4, 1, 2000), struct.pack("<HHII", 256, 4, 1, 40_000_000)),
        "JPEG": (struct.pack(">HH", 3, 2000), struct.pack(">HH", 60_000, 50_000)),
    }[kind]
    assert size in content
    content = content.replace(size, huge)
    if kind == "PNG":
        content = content[:29] + struct.pack(">I", zlib.crc32(content[12:29])) + content[33:]
    with pytest.raises(VideoError, match=r"a\.png,?( frame 0,)? has .*more.* million that are decoded"):
        read(tmp_path, content)


def test_damaged_images_give_one_sentence_and_nothing_else(tmp_path: Path) -> None:
    picture = Image.fromarray(colourful())
    kinds = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000")
    contents = [encode(picture, kind) for kind in kinds]
    contents += [encode(picture, kind, save_all=True, append_images=[picture] * 3) for kind in ("GIF", "PNG", "WEBP")]
    generator = random.Random(7)
    messages = []
    for _ in range(400):
        content = bytearray(generator.choice(contents))
        position = generator.randrange(len(content))
        match generator.randrange(4):
            case 0:
                del content[position:]
            case 1:
                del content[position : position + generator.randrange(1, 40)]
            case 2:
                content[position:position] = generator.randbytes(generator.randrange(1, 40))
            case _:
                content[position] ^= generator.randrange(1, 256)
        (tmp_path / "a.png").write_bytes(content)
        reader = ImageReader(ImageReaderOptions())
        try:
            for frame in reader.frames(reader.probe(str(tmp_path / "a.png"))):
                assert frame.image.size
        except VideoError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert all("a.png" in message and "\n" not in message for message in messages)
