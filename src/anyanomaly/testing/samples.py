"""Small synthetic inputs for the contracts: segments and queries."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from anyanomaly.types import EventText, Frame, Query, QueryId, Sampling, Segment, Video

COLOURS = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220)}
TEXT = EventText("a red square", ("a red square", "a blue dog"))


def sample_segment(n_frames: int = 24, *, index: int = 0, size: tuple[int, int] = (64, 48)) -> Segment:
    """Return a segment of noisy grey frames in which a red square moves; the same arguments give the same pixels.

    :param index: of the segment in its video. :param size: width and height of the frames in pixels.
    """
    width, height = size
    rng = np.random.default_rng([n_frames, index])
    video = Video("sample", "sample.mp4", 25.0, None, width, height)
    start = index * n_frames
    frames = []
    for position in range(n_frames):
        image = rng.integers(60, 120, (height, width, 3), dtype=np.uint8)
        left = (3 * position) % (width - 12)
        image[height // 4 : height // 2, left : left + 12] = COLOURS["red"]
        frames.append(Frame(video, start + position, (start + position) / 25, image))
    return Segment(video, index, start, start + n_frames, tuple(frames), np.arange(start, start + n_frames) / 25)


def sample_queries(*, n_images: int = 1, sampling: Sampling | None = None) -> Iterator[Query]:
    """Yield queries without end, each with its own id: images of one colour, in three colours and three sizes."""
    names = list(COLOURS)
    number = 0
    while True:
        side = 28 * (2 + number % 3)
        image = np.full((side, side, 3), COLOURS[names[number % 3]], dtype=np.uint8)
        image[: number % side + 1, 0] = number % 256
        yield Query(
            QueryId("sample", number, "red", "key"),
            (image,) * n_images,
            "Evaluate whether the image includes **red** on a scale from 0 to 1.",
            "You are a vision anomaly detector.",
            sampling=sampling or Sampling(max_tokens=8),
        )
        number += 1
