"""Image files as pixels, through Pillow.

Pillow reads the header before the pixels, so that a size can be refused before memory is used, and it reports files
that are incomplete. For JPEG, and for formats without loss, its pixels equal OpenCV's.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.errors import VideoError
from anyanomaly.outside_files import open_regular
from anyanomaly.types import ImageArray

if TYPE_CHECKING:
    from PIL.Image import Image

PixelArray: TypeAlias = npt.NDArray[np.uint8]
"""uint8 (H, W, 3) RGB, or (H, W, 4) RGBA with alpha from 0 (transparent) to 255, not premultiplied."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000")
"""Formats that are read, by content and not by suffix. Pillow reads others by running external programs."""

MAX_PIXELS = 50_000_000
"""Largest number of pixels of an image; decoding takes up to 16 bytes for each."""

MAX_SCANNED_PIXELS = 1_500_000_000
"""Largest number of pixels of a JPEG times its scans. A progressive JPEG has about ten; each is decoded in full."""

ORIENTATION = 0x0112
"""EXIF tag: 1 to 8."""


def pillow() -> Any:
    """Import ``PIL.Image`` and return it; Pillow's warnings about odd files are ignored.

    The filter is set at every call, because others may have reset the filters.
    """
    from PIL import Image

    warnings.filterwarnings("ignore", module=r"PIL\.")
    return Image


def open_binary(path: Path) -> IO[bytes]:
    """Open a file.

    :raises VideoError: when it is missing or may not be read.
    """
    try:
        return open_regular(path)
    except OSError as error:
        raise VideoError(f"{path} cannot be opened: {error.strerror}.") from error


@contextmanager
def open_image(path: Path) -> Iterator[Image]:
    """Open an image file; nothing is decoded yet.

    :raises VideoError: when it is missing, no image, broken, or too large.
    """
    with open_binary(path) as file, opened(file, str(path)) as image:
        yield image


@contextmanager
def opened(file: IO[bytes], name: str) -> Iterator[Image]:
    """Open an image from a stream; an error of Pillow inside the ``with`` block becomes a ``VideoError`` too.

    :param name: of the image, for messages.
    :raises VideoError: when the content is no image, broken, or too large.
    """
    library = pillow()
    with image_errors(name):
        try:
            image = library.open(file, formats=FORMATS)
        except library.UnidentifiedImageError as error:
            raise VideoError(f"{name} {_describe_unknown(file)}") from error
        with image:
            check_size(image.width, image.height, name)
            if image.format in ("JPEG", "MPO"):
                _check_scans(file, image.width * image.height, name)
            yield image


@contextmanager
def image_errors(name: str) -> Iterator[None]:
    """Turn errors of Pillow into a ``VideoError`` that names the image."""
    try:
        yield
    except VideoError:
        raise
    except pillow().DecompressionBombError as error:
        raise VideoError(
            f"{name} has more pixels than the {MAX_PIXELS // 1_000_000} million that are decoded."
        ) from error
    except Exception as error:  # for damaged files Pillow raises nearly every type
        raise VideoError(f"{name} is damaged or incomplete ({error or type(error).__name__}).") from error


def check_size(width: int, height: int, name: str, limit: int = MAX_PIXELS) -> None:
    """Check that an image of this size, in pixels, may be decoded.

    :raises VideoError: when it has more than ``limit`` pixels.
    """
    if width * height > limit:
        raise VideoError(
            f"{name} has {width} x {height} pixels, more than the {limit // 1_000_000} million that are decoded. "
            f"Scale it down first."
        )


def _check_scans(file: IO[bytes], n_pixels: int, name: str) -> None:
    """:raises VideoError: when a JPEG repeats its scans until decoding takes minutes."""
    position = file.tell()
    file.seek(0)
    n_scans = sum(block.count(b"\xff\xda") for block in iter(lambda: file.read(2**20), b""))
    file.seek(position)
    if n_scans * n_pixels > MAX_SCANNED_PIXELS:
        raise VideoError(f"{name} stores its pixels in {n_scans} scans, too many to decode. Save it again.")


def decode(image: Image, name: str) -> PixelArray:
    """Return the pixels of the current frame of an open image, rotated as its EXIF orientation says.

    16-bit values lose their low byte: they are not stretched to the range that an image uses.

    :param name: of the image, for messages.
    :raises VideoError: for values whose white is not defined: 32 bits, signed, floating point.
    """
    image.load()
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PPM"):
        pixels = _decode_16_bits(image)
    elif image.mode in ("I", "F"):
        raise VideoError(
            f"{name} holds values without a defined white (32 bits, signed, or float). Convert it to 8 or 16 bits."
        )
    elif image.has_transparency_data:
        pixels = np.asarray(image if image.mode == "RGBA" else image.convert("RGBA"))
    elif image.mode == "CMYK" and image.format == "JPEG" and "adobe" not in image.info:
        pixels = np.asarray(_invert(image).convert("RGB"))
    else:
        pixels = np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
    return np.ascontiguousarray(_rotate(pixels, _orientation(image)))


def on_white(pixels: PixelArray) -> ImageArray:
    """Return the pixels as RGB; transparent parts show white, as in a browser."""
    if pixels.shape[2] == 3:
        return pixels
    if pixels[..., 3].min() == 255:
        return np.ascontiguousarray(pixels[..., :3])
    white = np.full(pixels.shape, 255, np.uint8)
    draw_over(white, pixels)
    return np.ascontiguousarray(white[..., :3])


def draw_over(canvas: PixelArray, pixels: PixelArray) -> None:
    """Draw RGBA pixels over RGBA pixels of the same size, in place."""
    library = pillow()
    for top in range(0, len(canvas), 256):  # by strips, to save memory
        rows = slice(top, top + 256)
        below, above = library.fromarray(canvas[rows]), library.fromarray(pixels[rows])
        canvas[rows] = np.asarray(library.alpha_composite(below, above))


def is_dark(image: Image) -> bool:
    """Return whether a decoded 16-bit grey image uses no more than its low 12 bits, which show as almost black."""
    return image.mode.startswith("I;16") and _n_bits(image) == 16 and 0 < int(np.asarray(image).max()) < 4096


def _decode_16_bits(image: Image) -> PixelArray:
    from PIL.TiffImagePlugin import PHOTOMETRIC_INTERPRETATION

    grey = (np.asarray(image) >> (_n_bits(image) - 8)).astype(np.uint8)
    if image.format == "TIFF" and image.tag_v2.get(PHOTOMETRIC_INTERPRETATION) == 0:  # type: ignore[attr-defined]
        grey = 255 - grey  # 0 is white; Pillow inverts only 8 bits and less
    return np.repeat(grey[..., None], 3, axis=2)


def _n_bits(image: Image) -> int:
    """Return the number of bits per value of a 16-bit image: TIFF packs 12 bits too."""
    from PIL.TiffImagePlugin import BITSPERSAMPLE

    return int(image.tag_v2[BITSPERSAMPLE][0]) if image.format == "TIFF" else 16  # type: ignore[attr-defined]


def _invert(image: Image) -> Image:
    """Invert a CMYK image. Pillow takes every CMYK JPEG as inverted, but only those of Adobe are."""
    from PIL import ImageChops

    return ImageChops.invert(image)


def _orientation(image: Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF data are no reason to lose the picture
        return 1


def _rotate(pixels: PixelArray, orientation: int) -> PixelArray:
    """Return pixels as EXIF's ``orientation`` (1 to 8) shows them; other values change nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def _describe_unknown(file: IO[bytes]) -> str:
    file.seek(0)
    head = file.read(12)
    if not head:
        return "is empty (0 bytes)."
    if head[4:8] == b"ftyp" or head.startswith(b"\x1aE\xdf\xa3"):
        return "is a video or a HEIC photo, not an image that is read here. For a video use --reader video."
    return f"is no image, or is damaged at its start. Images that are read: {', '.join(FORMATS)}."
