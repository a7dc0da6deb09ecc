"""What each query shows (paper, section 3.3): the key frame, the position context (WA), the temporal context (GIG)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyanomaly.api.context import ContextGenerator
from anyanomaly.builtin.options import FramesOptions, KeyOptions, PositionOptions, TemporalOptions
from anyanomaly.builtin.selectors import N_KEYS
from anyanomaly.builtin.windows import boxes, name_vectors, resized, scales, squared, window_crops, wording
from anyanomaly.core.grid import without_nested, attention_mask, softmax, tile
from anyanomaly.types import Box, Context, Crop, EventText, FloatArray, ImageArray, KeyFrames, Segment

SHOWN = 224
"""Side of the images that the contexts make, in pixels."""


class KeyContext(ContextGenerator[KeyOptions]):
    """The primary frame as it is."""

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Return the frame, without a hint."""
        return [Context("key", (segment.frames[key_frames.primary].image,))]


class PositionContext(ContextGenerator[PositionOptions]):
    """The primary frame, darker where its windows resemble the text less.

    It has no hint, as published: it is still one frame. Published is black where they resemble it least; the option
    ``min_brightness`` keeps a fraction of the brightness there.
    """

    def crops(self, segment: Segment, key_frames: KeyFrames) -> Sequence[Crop]:
        """The windows of the primary frame."""
        return window_crops(squared(segment.frames[key_frames.primary]), boxes(self.options))

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Multiply the mean of the scales' similarity maps, min-max normalised, into the frame."""
        frame = segment.frames[key_frames.primary]
        windows = self.encoder.encode_crops(self.crops(segment, key_frames))
        similarity = self._similarity(windows, text)
        maps: dict[str, FloatArray] = {}
        done = 0
        for scale in scales(self.options):
            n_windows = len(scale.boxes)
            maps[scale.name] = similarity[done : done + n_windows].reshape(scale.rows, scale.columns)
            done += n_windows
        mean = np.mean([resized(each, SHOWN) for each in maps.values()], axis=0)
        attention = attention_mask(mean, self.options.min_brightness)
        image = (resized(frame.image, SHOWN) * attention[:, :, None]).astype(np.uint8)
        views = {f"similarity_{name}": each for name, each in maps.items()}
        return [Context("position", (image,), views={"attention": attention, **views})]

    def _similarity(self, windows: FloatArray, text: EventText) -> FloatArray:
        """Compare windows (n, dim) with the text: its share among the names, or alone the plain cosine.

        The published softmax over one name would be 1 everywhere.
        """
        others = (*self.options.contrast, *(text.texts if self.options.contrast_run_texts else ()))
        names = list(dict.fromkeys((*others, text.text)))
        if not self.options.softmax or len(names) == 1:
            names = [text.text]
        vectors = name_vectors(self.encoder, names, templates=self.options.templates)
        cosines: FloatArray = vectors @ windows.T
        own: FloatArray = cosines[0] if len(names) == 1 else softmax(cosines)[names.index(text.text)]
        return own


class TemporalContext(ContextGenerator[TemporalOptions]):
    """The window position whose best frame is most like the text, over four frames of the sequence, as a grid.

    Published is one window; with the option ``windows`` the next best ones, none of which holds or lies in one shown
    before, are asked about as well.
    """

    def crops(self, segment: Segment, key_frames: KeyFrames) -> Sequence[Crop]:
        """The windows of the frames shown."""
        shown = dict.fromkeys(_four(key_frames.sequence))
        return [crop for at in shown for crop in window_crops(squared(segment.frames[at]), boxes(self.options))]

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Choose windows (small, middle, large, row by row; the first maximum) and tile each, two by two."""
        squares = {at: squared(segment.frames[at]) for at in _four(key_frames.sequence)}
        windows = boxes(self.options)
        crops = [crop for square in squares.values() for crop in window_crops(square, windows)]
        cosines = self.encoder.encode_crops(crops) @ self.encoder.encode_texts([text.text])[0]
        similarity = cosines.reshape(len(squares), len(windows))  # frames, windows
        order = np.argsort(-similarity.max(axis=0), kind="stable")
        return [
            Context(
                "temporal",
                (_grid([squares[at].image for at in _four(key_frames.sequence)], window),),
                hint=wording()["temporal_hint"],
                views={"similarity": similarity.T, "window": np.array(window)},
            )
            for window in without_nested((windows[at] for at in order), self.options.windows)
        ]


class FramesContext(ContextGenerator[FramesOptions]):
    """Frames of the segment in order, for a model that reads several images as a video."""

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Take the first, the last, and others evenly between them."""
        shown = sorted({round(at) for at in np.linspace(0, len(segment.frames) - 1, self.options.count)})
        hint = wording()["frames_hint"] if len(shown) > 1 else ""
        return [Context("frames", tuple(segment.frames[at].image for at in shown), hint=hint)]


def _four(sequence: Sequence[int]) -> list[int]:
    """Return four positions: evenly chosen from more, the last one repeated after fewer."""
    if len(sequence) > N_KEYS:
        return [sequence[round(at)] for at in np.linspace(0, len(sequence) - 1, N_KEYS)]
    return [*sequence, *[sequence[-1]] * (N_KEYS - len(sequence))]


def _grid(images: Sequence[ImageArray], window: Box) -> ImageArray:
    """Tile a window of four squared frames, two by two."""
    x0, y0, x1, y1 = window
    tiles = [resized(resized(each[y0:y1, x0:x1].astype(np.float32) / 255, SHOWN), SHOWN // 2) for each in images]
    return np.ascontiguousarray((tile(tiles) * 255).astype(np.uint8))
