"""Pictures on a page: each is stored once, and any number of figures show it with marks of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from anyanomaly.evidence import Picture
from anyanomaly.pages.similarity import Overlay
from anyanomaly.pages.text import data_uri


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture of the page."""

    source: str  # a data URI or a file name
    width: int
    height: int
    is_file: bool


@dataclass(frozen=True, slots=True)
class WindowMark:
    """A window to mark in a figure, in fractions of its width and height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def words(self) -> str:
        """Where it is, for those who cannot see it."""
        right, bottom = self.x + self.width, self.y + self.height
        return f"from {self.x:.0%} to {right:.0%} of the width and {self.y:.0%} to {bottom:.0%} of the height"


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with what is drawn over it."""

    picture: int  # position among the pictures of the page
    alt: str
    caption: str
    window: WindowMark | None = None
    overlay: Overlay | None = None


class PictureList:
    """The pictures of a view, each once."""

    def __init__(self, source_of: Callable[[Picture], str] | None) -> None:
        """:param source_of: returns the file name of a picture; None: pictures are data URIs."""
        self._source_of = source_of
        self._views: dict[str, PictureView] = {}  # by source

    @property
    def views(self) -> tuple[PictureView, ...]:
        """The pictures in the order in which they were added."""
        return tuple(self._views.values())

    def add(self, picture: Picture) -> int:
        """Return the position of a picture, which is added if it is new."""
        source = self._source_of(picture) if self._source_of else data_uri("image/jpeg", picture.jpeg)
        self._views.setdefault(source, PictureView(source, picture.width, picture.height, self._source_of is not None))
        return list(self._views).index(source)


def frame_caption(picture: Picture) -> str:
    """Return the number and the time of the frame in a picture: "frame 312, 13.00 s"; empty when they are unknown."""
    if picture.frame is None:
        return ""
    return f"frame {picture.frame}" + ("" if picture.time_s is None else f", {picture.time_s:.2f} s")


def window_mark(views: Mapping[str, npt.NDArray[Any]]) -> WindowMark | None:
    """Return the window of a grid, from the views of its context; None when it has none.

    ``window`` is a box in a square of ``side`` pixels into which the frame was stretched, so that the same fractions
    hold for the frame, whatever its aspect ratio.
    """
    if "window" not in views or "side" not in views:
        return None
    numbers = [*views["window"].ravel().tolist(), *views["side"].ravel().tolist()]
    if len(numbers) != 5 or not all(map(math.isfinite, numbers)) or numbers[4] <= 0:
        return None
    *box, side = numbers
    x0, y0, x1, y1 = (min(max(float(edge) / side, 0.0), 1.0) for edge in box)
    return WindowMark(*(round(value, 4) for value in (x0, y0, max(x1 - x0, 0.0), max(y1 - y0, 0.0))))


def sequence_figures(frames: Sequence[Picture], pictures: PictureList, window: WindowMark | None) -> tuple[Figure, ...]:
    """Return the frames that show motion, with a window marked on each."""
    return tuple(
        Figure(
            pictures.add(frame),
            f"frame {number} of {len(frames)} of the sequence, {frame_caption(frame)}"
            + (f"; the window of the grid is {window.words}" if window else ""),
            frame_caption(frame),
            window,
        )
        for number, frame in enumerate(frames, start=1)
        if frame.jpeg
    )
