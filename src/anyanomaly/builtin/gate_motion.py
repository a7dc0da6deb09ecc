"""The gate that looks for motion: a still scene has the priority 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from anyanomaly.api.gate import Gate
from anyanomaly.builtin.background import Background, Mask, blurred
from anyanomaly.builtin.gate_options import MotionOptions
from anyanomaly.builtin.opencv import opencv
from anyanomaly.builtin.spread import spread
from anyanomaly.types import EventText, FloatArray, Segment, Video

LOWEST = 0.5
"""Priority of the smallest motion that counts."""
LARGE_SHARE = 0.25
"""Fraction of the picture from which a moving thing has the priority 1."""
MIN_PICTURES = 3
"""From so many frames on, a thing has to be seen in two of them: one may be damaged."""


class MotionGate(Gate[MotionOptions]):
    """The size of the largest thing that differs from the background, the same for every text.

    Noise of the sensor and of the compression, a flicker of the whole picture, slow changes of light and small shakes
    of the camera do not count. The background of the first segment is the median of its own frames. A segment in which
    the scene becomes another one, at a cut or when the camera turns, has the priority 1.
    """

    _background: Background | None = None
    _last_s = 0.0

    def begin(self, video: Video) -> None:
        """Forget the background: another camera has another one."""
        self._background = None

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        """Return 0 for a still segment; else 0.5 for the smallest motion that counts, up to 1 for a large one."""
        column = np.array([self._rate(segment) for segment in segments], np.float32)
        return np.repeat(column[:, None], len(texts), axis=1)

    def _rate(self, segment: Segment) -> float:
        frames = spread(segment.frames, self.options.frames)
        pictures = [blurred(frame.image, self.options.width) for frame in frames]
        options = self.options
        if self._background is None:
            self._background = Background(pictures, contrast=options.contrast, noise_factor=options.noise_factor)
            self._last_s = frames[0].time_s
        areas = []
        for frame, picture in zip(frames, pictures, strict=True):
            elapsed_s = max(0.0, frame.time_s - self._last_s)
            self._last_s = frame.time_s
            mask = self._background.compare(picture, elapsed_s, options.absorb_seconds)
            if mask is None:
                areas += [picture.size] * MIN_PICTURES  # counts, though it is in one frame
            else:
                areas.append(_largest_area(mask))
        areas.sort()
        area = areas[-2] if len(areas) >= MIN_PICTURES else areas[-1]
        return self._priority(area, pictures[0].shape)

    def _priority(self, area: int, shape: tuple[int, ...]) -> float:
        """Return the priority of a thing of ``area`` pixels."""
        height, width = shape
        smallest = max(4.0, (self.options.smallest * width) ** 2)
        if area < smallest:
            return 0.0
        large = max(LARGE_SHARE * height * width, 2 * smallest)
        return min(1.0, LOWEST + (1 - LOWEST) * math.log(area / smallest) / math.log(large / smallest))


def _largest_area(mask: Mask) -> int:
    """Return the pixels of the largest connected change."""
    cv2 = opencv()
    if not cv2.countNonZero(mask):
        return 0
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return int(stats[1:, cv2.CC_STAT_AREA].max())
