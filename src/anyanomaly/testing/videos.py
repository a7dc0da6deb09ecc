"""Synthetic clips with a known event, generated in milliseconds, for the tests of components and of complete runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from anyanomaly.builtin.opencv import opencv, opencv_path
from anyanomaly.core.labels import Labels
from anyanomaly.errors import OutputError
from anyanomaly.types import ImageArray

EVENT_TEXT = "a red square"
"""The event text of the synthetic clips."""


def synthetic_video(
    path: str | Path,
    *,
    n_frames: int = 96,
    size: tuple[int, int] = (64, 48),
    fps: float = 25.0,
    event_s: tuple[float, float] = (1.0, 2.0),
) -> Labels:
    """Write an mp4 in which a red square crosses a grey textured background; return its labels.

    The square moves from left to right in the frames with ``event_s[0] <= time < event_s[1]`` (seconds). The same
    arguments write the same bytes.

    :param size: width and height in pixels, even.
    :returns: bool (n_frames,): the frames that show the square.
    :raises OutputError: when the file cannot be written.
    """
    labels = _labels(n_frames, fps, event_s)
    _write_video(path, _pictures(labels, size), size, fps)
    return labels


def synthetic_frames(
    folder: str | Path,
    *,
    n_frames: int = 96,
    size: tuple[int, int] = (64, 48),
    fps: float = 25.0,
    event_s: tuple[float, float] = (1.0, 2.0),
    suffix: str = ".png",
) -> Labels:
    """Write the frames of ``synthetic_video`` as ``frame_0.png``, ``frame_1.png`` ...; return the labels (n_frames,).

    The names have no leading zeros, so that a reader must sort them in natural order.

    :raises OutputError: when an image cannot be written.
    """
    labels = _labels(n_frames, fps, event_s)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for index, picture in enumerate(_pictures(labels, size)):
        write_image(Path(folder, f"frame_{index}{suffix}"), picture)
    return labels


def colour_blocks_video(
    path: str | Path, *, n_frames: int = 8, size: tuple[int, int] = (96, 48), fps: float = 25.0
) -> None:
    """Write an mp4 whose left third is red, the middle third green, the right third blue.

    :raises OutputError: when the file cannot be written.
    """
    picture = colour_blocks(size)
    _write_video(path, (picture for _ in range(n_frames)), size, fps)


def colour_blocks(size: tuple[int, int] = (96, 48)) -> ImageArray:
    """Return an image (H, W, 3) whose left third is red, the middle third green, the right third blue.

    :param size: width and height in pixels.
    """
    width, height = size
    thirds = np.arange(width) * 3 // width
    row = 255 * np.eye(3, dtype=np.uint8)[thirds]
    return np.ascontiguousarray(np.broadcast_to(row, (height, width, 3)))


def write_image(path: str | Path, image: ImageArray) -> None:
    """Write an RGB image in the format that the suffix names.

    :raises OutputError: when OpenCV cannot encode that format.
    """
    is_encoded, data = opencv().imencode(Path(path).suffix, image[:, :, ::-1])
    if not is_encoded:
        raise OutputError(f"Cannot write {path}: OpenCV cannot encode that format. Use .png or .jpg.")
    Path(path).write_bytes(data.tobytes())


def _labels(n_frames: int, fps: float, event_s: tuple[float, float]) -> Labels:
    times_s = np.arange(n_frames) / fps
    return (event_s[0] <= times_s) & (times_s < event_s[1])


def _pictures(labels: Labels, size: tuple[int, int]) -> Iterator[ImageArray]:
    """Yield one RGB image per label; where it is true, a red square moves from the left to the right edge."""
    background = _background(size)
    width, height = size
    side = height // 3
    top = (height - side) // 2
    lefts = iter(np.linspace(0, width - side, num=max(int(labels.sum()), 1)).round().astype(int))
    for label in labels:
        picture = background.copy()
        if label:
            left = next(lefts)
            picture[top : top + side, left : left + side] = (220, 20, 20)
        yield picture


def _background(size: tuple[int, int]) -> ImageArray:
    """Return grey texture: noise in blocks of four pixels, which survives video compression."""
    width, height = size
    rng = np.random.default_rng(0)
    coarse = rng.integers(80, 176, (-(-height // 4), -(-width // 4)), dtype=np.uint8)
    grey = coarse.repeat(4, axis=0).repeat(4, axis=1)[:height, :width]
    return np.repeat(grey[:, :, None], 3, axis=2)


def _write_video(path: str | Path, pictures: Iterator[ImageArray], size: tuple[int, int], fps: float) -> None:
    cv2 = opencv()
    writer = cv2.VideoWriter(opencv_path(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*"mp4v"), fps, size)
    if not writer.isOpened():
        raise OutputError(f"Cannot write {path}. Check that its folder exists and that its name ends in .mp4.")
    try:
        for picture in pictures:
            writer.write(picture[:, :, ::-1])
    finally:
        writer.release()
