"""Similarities of windows: a small heat table per window size, and the attention as colours over the key frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from anyanomaly.pages.text import data_uri

PREFIX = "similarity_"
"""Of the names of `Context.views` that hold a map (rows, columns) of the windows of one size."""

_OVERLAY_SIDE = 32  # pixels; the browser enlarges it smoothly
_MAX_CELLS = 1024  # of a table; more are too small to see


@dataclass(frozen=True, slots=True)
class Cell:
    """The similarity of one window to the event text."""

    text: str
    level: float  # 0 to 1, from the lowest to the highest similarity of all sizes
    is_highest: bool  # of its size


@dataclass(frozen=True, slots=True)
class Scale:
    """The similarities of the windows of one size."""

    name: str
    rows: tuple[tuple[Cell, ...], ...]  # from top to bottom, each from left to right


@dataclass(frozen=True, slots=True)
class Overlay:
    """The attention as a picture that is laid over the key frame."""

    source: str  # a data URI
    lowest: str  # mean similarity where it is dark
    highest: str  # where it is bright


def similarity_maps(views: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the maps (rows, columns) among the views of a context, by the name of the window size."""
    maps = {
        name.removeprefix(PREFIX): np.nan_to_num(np.asarray(view, dtype=np.float64))
        for name, view in views.items()
        if name.startswith(PREFIX)
    }
    return {name: similarity for name, similarity in maps.items() if similarity.ndim == 2 and similarity.size}


def heat_tables(maps: Mapping[str, npt.NDArray[np.float64]]) -> tuple[Scale, ...]:
    """Return a table per map, coloured on one scale from the lowest to the highest value of all.

    A map of very many windows gets no table.
    """
    maps = {name: similarity for name, similarity in maps.items() if similarity.size <= _MAX_CELLS}
    if not maps:
        return ()
    lowest = min(float(similarity.min()) for similarity in maps.values())
    spread = max(float(similarity.max()) for similarity in maps.values()) - lowest
    return tuple(
        Scale(
            name,
            tuple(
                tuple(
                    Cell(
                        f"{value:.3g}",
                        round((value - lowest) / spread, 3) if spread else 0.0,
                        value == float(similarity.max()),
                    )
                    for value in row
                )
                for row in similarity.tolist()
            ),
        )
        for name, similarity in maps.items()
    )


def attention_overlay(maps: Mapping[str, npt.NDArray[np.float64]]) -> Overlay | None:
    """Return the mean of the maps, which is the attention of the position context before it is normalised.

    None when it is the same everywhere, or there is no map: then the model saw the frame unchanged.
    """
    if not maps:
        return None
    import cv2

    size = (_OVERLAY_SIDE, _OVERLAY_SIDE)
    mean = np.mean(
        [cv2.resize(similarity, size, interpolation=cv2.INTER_LINEAR) for similarity in maps.values()], axis=0
    )
    lowest, highest = float(mean.min()), float(mean.max())
    if highest - lowest <= 1e-7:  # as in `core.grid.attention_mask`
        return None
    levels = np.round((mean - lowest) / (highest - lowest) * 255).astype(np.uint8)
    _, png = cv2.imencode(".png", cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO))
    return Overlay(data_uri("image/png", png.tobytes()), f"{lowest:.3g}", f"{highest:.3g}")
