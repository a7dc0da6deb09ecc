"""A fixed camera over flat ground, and a pen that draws in the coordinates of an actor's body, in metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from anyanomaly_demo.scenes.constants import SIZE

Image: TypeAlias = npt.NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]
Point: TypeAlias = tuple[float, float]
Extent: TypeAlias = tuple[float, float, float, float]

ZOOM = 2  # actors are drawn at this scale and averaged: small figures need fractions of a pixel
_SHIFT = 4  # fractional bits of the coordinates that OpenCV draws with
_FIX = ZOOM * (1 << _SHIFT)
_TURN = tuple((math.cos(2 * math.pi * k / 20), math.sin(2 * math.pi * k / 20)) for k in range(20))


@dataclass(frozen=True, slots=True)
class Camera:
    """Maps metres on the ground to pixels. Things are smaller towards the horizon."""

    metre: float  # pixels per metre at row 200
    horizon: float  # row
    pitch: float  # rows per metre of depth, as a fraction of the pixels per metre
    top: float  # the highest row on which anything stands

    def scale(self, row: float) -> float:
        """Return the pixels per metre on ``row``."""
        return max(2.0, self.metre * (row - self.horizon) / (200.0 - self.horizon))

    def row_for(self, scale: float) -> float:
        """Return the row of the ground on which a metre has ``scale`` pixels."""
        row = self.horizon + scale / self.metre * (200.0 - self.horizon)
        return min(max(row, self.top), SIZE[1] + 10.0)


def shade(colour: Colour, factor: float) -> Colour:
    """Return ``colour`` times ``factor``, at most 255 per channel."""
    return (min(255, int(colour[0] * factor)), min(255, int(colour[1] * factor)), min(255, int(colour[2] * factor)))


@dataclass(slots=True)
class Pen:
    """Draws on a canvas ``ZOOM`` times the frame and records the extent of each part, in frame pixels.

    Body coordinates are metres from the point on the ground that ``place`` sets: ``u`` ahead, ``v`` to the left, ``w``
    up. Without a canvas the pen only records extents.
    """

    canvas: Image | None
    pitch: float
    parts: list[tuple[str, Extent]] = field(default_factory=list)
    x: float = 0.0
    y: float = 0.0
    s: float = 1.0
    cos: float = 1.0
    sin: float = 0.0
    _x0: float = math.inf
    _y0: float = math.inf
    _x1: float = -math.inf
    _y1: float = -math.inf

    def place(self, x: float, y: float, scale: float, heading: float) -> None:
        """Set the body's origin to ``x``, ``y`` (pixels) and its heading: 0 is right, pi/2 towards the viewer."""
        self.x, self.y, self.s = x, y, scale
        self.cos, self.sin = math.cos(heading), math.sin(heading)

    def at(self, u: float, v: float, w: float) -> Point:
        """Return the frame pixel of a body point."""
        return (
            self.x + self.s * (u * self.cos - v * self.sin),
            self.y + self.s * ((u * self.sin + v * self.cos) * self.pitch - w),
        )

    def near(self) -> float:
        """Return 1.0 when the body's left side is nearer to the viewer, else -1.0."""
        return 1.0 if self.cos >= 0 else -1.0

    def end(self, name: str) -> None:
        """End a part: everything drawn since the end of the last one gets ``name``."""
        if self._x1 > self._x0:
            self.parts.append((name, (self._x0, self._y0, self._x1, self._y1)))
        self._x0 = self._y0 = math.inf
        self._x1 = self._y1 = -math.inf

    def _extend(self, p: Point, r: float) -> None:
        self._x0 = min(self._x0, p[0] - r)
        self._y0 = min(self._y0, p[1] - r)
        self._x1 = max(self._x1, p[0] + r)
        self._y1 = max(self._y1, p[1] + r)

    def line(self, p: Point, q: Point, width: float, colour: Colour) -> None:
        """Draw a round-ended stroke, ``width`` in metres."""
        r = 0.5 * width * self.s
        self._extend(p, r)
        self._extend(q, r)
        if self.canvas is not None:
            thick = max(1, round(2 * r * ZOOM))
            start, stop = _fixed(p), _fixed(q)
            cv2.line(self.canvas, start, stop, colour, thick, cv2.LINE_AA, _SHIFT)

    def poly(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        for p in points:
            self._extend(p, 0.0)
        if self.canvas is not None:
            corners = np.array([_fixed(p) for p in points], np.int32)
            cv2.fillPoly(self.canvas, [corners], colour, cv2.LINE_AA, _SHIFT)

    def disc(self, p: Point, radius: float, colour: Colour) -> None:
        """Fill a disc that faces the viewer, ``radius`` in metres."""
        r = radius * self.s
        self._extend(p, r)
        if self.canvas is not None:
            cv2.circle(self.canvas, _fixed(p), max(8, int(r * _FIX)), colour, -1, cv2.LINE_AA, _SHIFT)

    def wheel(self, u: float, v: float, w: float, radius: float) -> list[Point]:
        """Return corners of a circle around a body point, upright and along the heading."""
        return [self.at(u + radius * c, v, w + radius * s) for c, s in _TURN]

    def ring(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a closed outline, ``width`` in metres."""
        for p in points:
            self._extend(p, 0.0)
        if self.canvas is not None:
            corners = np.array([_fixed(p) for p in points], np.int32)
            thick = max(1, round(width * self.s * ZOOM))
            cv2.polylines(self.canvas, [corners], True, colour, thick, cv2.LINE_AA, _SHIFT)


def _fixed(p: Point) -> tuple[int, int]:
    return (int(p[0] * _FIX), int(p[1] * _FIX))
