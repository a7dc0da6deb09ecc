"""The size of images, and JPEG files of them."""

from __future__ import annotations

import numpy as np

from anyanomaly.builtin.opencv import opencv
from anyanomaly.types import ImageArray


def scaled_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return (width, height) in pixels, scaled down so that neither exceeds ``max_side``; 0: unchanged."""
    side = max(width, height)
    if not max_side or side <= max_side:
        return width, height
    return max(1, round(width * max_side / side)), max(1, round(height * max_side / side))


def fit(picture: ImageArray, size: tuple[int, int]) -> ImageArray:
    """Return an image, scaled to fit into ``size`` (width, height) in pixels without distortion, with black borders."""
    cv2 = opencv()
    height, width, _ = picture.shape
    if (width, height) == size:
        return picture
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    if abs(inner[0] - size[0]) <= 1 and abs(inner[1] - size[1]) <= 1:
        inner = size  # the difference is rounding
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled: ImageArray = cv2.resize(picture, inner, interpolation=method)
    if inner == size:
        return scaled
    image = np.zeros((size[1], size[0], 3), np.uint8)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    image[top : top + inner[1], left : left + inner[0]] = scaled
    return image


def encode_jpeg(image: ImageArray, max_side: int, quality: int = 85) -> tuple[bytes, int, int]:
    """Return an image (H, W, 3) as a JPEG file, with its width and height in pixels.

    :param max_side: a larger image is scaled down to this side, in pixels. :param quality: 0 to 100.
    """
    cv2 = opencv()
    width, height = scaled_size(image.shape[1], image.shape[0], max_side)
    picture = image
    if (width, height) != (image.shape[1], image.shape[0]):
        picture = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return jpeg.tobytes(), width, height
