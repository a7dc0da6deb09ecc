"""Image files of many kinds, still and animated, made with Pillow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ANIMATIONS = {
    "animation.gif": {},
    "animation.webp": {"lossless": True},
    "animation-lossy.webp": {"quality": 60},
    "animation.apng": {"format": "PNG"},
    "pages.tiff": {"compression": "tiff_lzw"},
}
"""File name to the options of Pillow's encoder."""

STILLS: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline.jpg": ("RGB", {"quality": 80}),
    "progressive.jpg": ("RGB", {"progressive": True}),
    "grey.jpg": ("L", {}),
    "cmyk.jpg": ("CMYK", {}),
    "turned.jpg": ("RGB", {"exif": "orientation"}),
    "rgb.png": ("RGB", {}),
    "rgba.png": ("RGBA", {}),
    "palette.png": ("P", {}),
    "grey-16-bit.png": ("I;16", {}),
    "bits.png": ("1", {}),
    "lossy.webp": ("RGB", {}),
    "lossless.webp": ("RGBA", {"lossless": True}),
    "rgb.bmp": ("RGB", {}),
    "palette.bmp": ("P", {}),
    "plain.tiff": ("RGB", {}),
    "lzw.tiff": ("RGB", {"compression": "tiff_lzw"}),
    "deflate-16-bit.tiff": ("I;16", {"compression": "tiff_deflate"}),
    "jpeg.tiff": ("RGB", {"compression": "jpeg"}),
    "rgb.ppm": ("RGB", {}),
    "rgb.jp2": ("RGB", {}),
    "rgb.avif": ("RGB", {}),
}
"""File name to Pillow's mode and the options of its encoder."""

SIZE = (160, 120)


def make_image(name: str, folder: Path) -> Path:
    """Make a file of ``ANIMATIONS`` or ``STILLS`` in a folder, unless it is there; return its path."""
    path = folder / name
    if path.exists():
        return path
    if name in ANIMATIONS:
        first, *next_pictures = [_picture(number) for number in range(12)]
        first.save(path, save_all=True, append_images=next_pictures, duration=80, **ANIMATIONS[name])
        return path
    mode, options = STILLS[name]
    picture = _picture(0)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    elif mode != "RGB":
        picture = picture.convert(mode)
    if options.get("exif"):
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif}
    picture.save(path, **options)
    return path


def _picture(number: int) -> Image.Image:
    """Return noise on a gradient, with a square that moves with the number."""
    width, height = SIZE
    pixels = np.random.default_rng(0).integers(0, 60, (height, width, 3), np.uint8)
    pixels += np.linspace(0, 150, width, dtype=np.uint8)[None, :, None]
    pixels[40:70, 8 * number : 8 * number + 30] = (250, 20, 20)
    return Image.fromarray(pixels)
