"""A model of what a fixed camera sees when nothing happens, in small pictures.

A picture is float32 (3 * h / 2, w): the grey levels (h, w), below them the two colour differences at half the size,
side by side, 0 where there is no colour. So a red thing before a grey wall differs from it, whatever its brightness.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from anyanomaly.builtin.opencv import opencv
from anyanomaly.types import FloatArray

Mask: TypeAlias = npt.NDArray[np.uint8]
"""uint8 (H, W): 255 where something is true, else 0."""

LIGHT_S = 5.0
"""Time constant with which the background follows slow changes of light, seconds."""
NOISE_S = 20.0
"""Time constant of the noise of a pixel, seconds."""
FIRST_NOISE = 3.0
"""Noise, in grey levels, where a single picture says nothing about it."""
MAX_BUSY_NOISE = 4.0
"""Largest noise, in grey levels, that changes which count can teach: that of leaves, but not of the cars of a road."""
BUSY_S = 60.0
"""Time constant of the share of time in which a pixel changes, seconds."""
STANDING_S = 5.0
"""A change that lasts for so many seconds is a thing that stands, and makes no place busy."""
BUSY_SHARE, MAX_BUSY_AREA = 0.35, 0.02
"""A place that changes for more than this share of the time, and is smaller than this fraction of the picture, is a
clock or a lamp: its changes do not count."""
MIN_SHAKEN = 16
"""Pixels that change when the camera may have moved a little."""
CUT_SHARE = 0.5
"""Fraction of pixels that change when the scene is another one."""


class Background:
    """Per pixel a grey level, its noise, and what has stood before it without moving.

    What is subtracted before a picture is compared: a change of gain and brightness of the whole picture, bands of
    brightness along the rows (flicker of lamps with a rolling shutter), and a small shift of the camera.
    """

    def __init__(self, pictures: Sequence[FloatArray], *, contrast: float, noise_factor: float) -> None:
        """:param pictures: one or more of the first moments, as `blurred` returns them.
        :param contrast: smallest change that counts, grey levels. :param noise_factor: and in units of the noise.
        """
        self._cv2 = opencv()
        self._height = pictures[0].shape[0] * 2 // 3  # of the grey levels
        self._contrast, self._noise_factor = contrast, noise_factor
        self._variance = np.full(pictures[0].shape, _first_noise(pictures) ** 2, np.float32)
        self._start(np.median(np.stack(pictures), axis=0).astype(np.float32))

    def _start(self, picture: FloatArray) -> None:
        self._level = picture
        self._n_pictures = 1
        self._candidate = picture.copy()
        self._age_s = np.zeros_like(picture)
        self._busy_share = np.zeros_like(picture)

    def compare(self, picture: FloatArray, elapsed_s: float, absorb_s: float) -> Mask | None:
        """Return where a picture differs from the background, and learn from it.

        :param elapsed_s: since the picture before, at least 0. :param absorb_s: a thing that has not moved for so long
            becomes background.
        :returns: None when the whole scene is another one: after a cut, or when the camera has turned.
        """
        expected = self._light(picture)
        limit = self._limit()
        borders = self._borders(expected, limit)
        mask = self._outside(picture, borders)
        if self._cv2.countNonZero(mask) >= MIN_SHAKEN:
            steady = self._steady(picture, expected)
            if steady is not None:
                steady_mask = self._outside(steady, borders)
                if self._share(steady_mask) < 0.5 * self._share(mask):
                    picture, mask = steady, steady_mask
        if self._share(mask) > CUT_SHARE:
            self._start(picture)
            return None
        self._learn(expected, picture, limit, elapsed_s, absorb_s)
        return self._without_clocks(mask)

    def _without_clocks(self, mask: Mask) -> Mask:
        """Return the changes outside small places that change most of the time."""
        busy = self._fold(self._cv2.compare(self._busy_share, BUSY_SHARE, self._cv2.CMP_GT))
        if not self._cv2.countNonZero(busy):
            return mask
        busy = self._cv2.dilate(busy, np.ones((7, 7), np.uint8))
        _, labels, stats, _ = self._cv2.connectedComponentsWithStats(busy)
        is_small = stats[:, self._cv2.CC_STAT_AREA] < MAX_BUSY_AREA * mask.size
        is_small[0] = False  # what is not busy
        return np.where(is_small[labels], np.uint8(0), mask)

    def _light(self, picture: FloatArray) -> FloatArray:
        """Return the background in the light of a picture."""
        sample = self._level[: self._height : 4, ::4], picture[: self._height : 4, ::4]
        bright = sample[0] > 16
        gain = float(np.median(sample[1][bright] / sample[0][bright])) if bright.sum() > bright.size / 4 else 1.0
        expected: FloatArray = self._level * np.float32(np.clip(gain, 0.5, 2.0))
        rest = picture[:, ::4] - expected[:, ::4]
        offset = float(np.median(rest[::4]))
        # a thing may fill a row, so a row may differ from the others by no more than bands of light do
        rows = np.clip(np.median(rest, axis=1), offset - self._contrast, offset + self._contrast)
        expected += self._cv2.blur(rows.astype(np.float32)[:, None], (1, 5))
        return expected

    def _limit(self) -> FloatArray:
        """Return the smallest change of each pixel that counts, grey levels (H, W)."""
        noise = self._cv2.sqrt(self._cv2.blur(self._variance, (7, 7)))
        limit: FloatArray = np.maximum(self._noise_factor * noise, self._contrast)
        return limit

    def _borders(self, expected: FloatArray, limit: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the darkest and the brightest grey level of each pixel that is no change.

        A pixel may be as its neighbours are expected to be, because the camera is never quite still.
        """
        square = np.ones((3, 3), np.uint8)
        return self._cv2.erode(expected, square) - limit, self._cv2.dilate(expected, square) + limit

    def _outside(self, picture: FloatArray, borders: tuple[FloatArray, FloatArray]) -> Mask:
        return self._fold(self._cv2.bitwise_not(self._cv2.inRange(picture, *borders)))

    def _fold(self, mask: Mask) -> Mask:
        """Return where grey level or colour is marked, uint8 (h, w)."""
        colours, middle = mask[self._height :], mask.shape[1] // 2
        colour = self._cv2.bitwise_or(colours[:, :middle], colours[:, middle:])
        colour = self._cv2.resize(colour, (mask.shape[1], self._height), interpolation=self._cv2.INTER_NEAREST)
        folded: Mask = self._cv2.bitwise_or(mask[: self._height], colour)
        return folded

    def _share(self, mask: Mask) -> float:
        return float(self._cv2.countNonZero(mask)) / mask.size

    def _steady(self, picture: FloatArray, expected: FloatArray) -> FloatArray | None:
        """Return a picture moved back by the shift of the camera; None when there is no clear small shift."""
        height, width = self._height, picture.shape[1]
        window = self._cv2.createHanningWindow((width, height), self._cv2.CV_32F)
        products = expected[:height] * window, picture[:height] * window  # new arrays: the function alters its inputs
        (dx, dy), response = self._cv2.phaseCorrelate(*products)
        shift = max(abs(dx), abs(dy))
        if response < 0.1 or not 0.05 < shift < width / 10:
            return None
        moved = expected.copy()  # what the shift leaves open is as expected
        middle = width // 2
        parts = (np.s_[:height, :], 1.0), (np.s_[height:, :middle], 0.5), (np.s_[height:, middle:], 0.5)
        for part, scale in parts:
            matrix = np.array([[1, 0, dx * scale], [0, 1, dy * scale]], np.float32)
            moved[part] = self._cv2.warpAffine(
                picture[part],
                matrix,
                picture[part].shape[::-1],
                flags=self._cv2.INTER_LINEAR | self._cv2.WARP_INVERSE_MAP,
                borderMode=self._cv2.BORDER_TRANSPARENT,
                dst=expected[part].copy(),
            )
        return moved

    def _learn(
        self,
        expected: FloatArray,
        picture: FloatArray,
        limit: FloatArray,
        elapsed_s: float,
        absorb_s: float,
    ) -> None:
        """Follow light and noise where nothing changed, and absorb what has stood still for long enough."""
        self._n_pictures += 1
        first_rate = 1 / self._n_pictures  # the mean of the first pictures
        light_rate = np.float32(max(1 - np.exp(-elapsed_s / LIGHT_S), first_rate))
        noise_rate = np.float32(max(1 - np.exp(-elapsed_s / NOISE_S), min(first_rate, 0.1)))
        busy_rate = np.float32(1 - np.exp(-elapsed_s / BUSY_S))
        change = picture - expected
        is_changed = (
            np.abs(change) > limit
        )  # not the mask: through neighbours, a thing would spread into the background
        squares = np.square(change)
        is_same = is_changed & (np.abs(picture - self._candidate) <= limit)
        is_quieter = self._variance < MAX_BUSY_NOISE**2
        busy = np.where(is_quieter & ~is_same, np.minimum(squares, MAX_BUSY_NOISE**2), self._variance)
        self._variance += noise_rate * (np.where(is_changed, busy, squares) - self._variance)
        self._age_s = np.where(is_same, self._age_s + np.float32(elapsed_s), 0)
        self._busy_share += busy_rate * ((is_changed & (self._age_s < STANDING_S)) - self._busy_share)
        self._candidate = np.where(is_same, self._candidate, picture)
        self._level += light_rate * (expected + np.where(is_changed, 0, change) - self._level)
        is_absorbed = self._age_s >= max(absorb_s, 1e-6)
        self._level[is_absorbed] = picture[is_absorbed]


def blurred(image: npt.NDArray[np.uint8], width: int) -> FloatArray:
    """Return an image (H, W, 3) as a small picture with less noise.

    :param width: of the picture, even; a smaller image keeps about its own.
    """
    cv2 = opencv()
    full_height, full_width = image.shape[:2]
    width = max(2, min(width, full_width) // 2 * 2)
    height = max(2, round(full_height * width / full_width / 2) * 2)
    if (width, height) != (full_width, full_height):
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    grey = cv2.blur(planes[..., 0], (3, 3)).astype(np.float32)
    colours = cv2.blur(cv2.resize(planes[..., 1:], (width // 2, height // 2), interpolation=cv2.INTER_AREA), (3, 3))
    return np.vstack([grey, np.hstack([colours[..., 0], colours[..., 1]]).astype(np.float32) - 128])


def _first_noise(pictures: Sequence[FloatArray]) -> float:
    """Return the noise of the first pictures, grey levels: the usual difference of neighbours, whatever moves there."""
    if len(pictures) < 2:
        return FIRST_NOISE
    height = pictures[0].shape[0] * 2 // 3
    pictures = [picture[:height] for picture in pictures]
    differences = [np.median(np.abs(after - before)) for before, after in pairwise(pictures)]
    return float(np.median(differences)) * 1.4826 / 2**0.5
