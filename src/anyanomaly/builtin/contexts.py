"""The images of queries (paper, section 3.3): key frame, position context (WA) and temporal context (GIG)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anyanomaly.api.context import ContextGenerator
from anyanomaly.builtin.options import FramesOptions, KeyOptions, PositionOptions, TemporalOptions
from anyanomaly.builtin.selectors import N_KEYS
from anyanomaly.builtin.windows import (
    boxes_of,
    encode_names,
    frame_side,
    resize_frame,
    resize_image,
    scales_of,
    window_crops,
    wording,
)
from anyanomaly.core.grid import attention_mask, softmax, tile, without_nested
from anyanomaly.types import Box, Context, Crop, EventText, FloatArray, ImageArray, KeyFrames, Segment

CONTEXT_SIDE = 224
"""Side in pixels of the images of the position and the temporal context, as published."""


class KeyContext(ContextGenerator[KeyOptions]):
    """The primary frame, unchanged."""

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Return the frame, without a hint."""
        return [Context("key", (segment.frames[key_frames.primary].image,))]


class PositionContext(ContextGenerator[PositionOptions]):
    """The primary frame, darker where its windows are less similar to the text (the paper's window attention).

    As published there is no hint, because the context is one frame, and the least similar part is black. The option
    ``min_brightness`` keeps a fraction of the brightness there.
    """

    def crops(self, segment: Segment, key_frames: KeyFrames) -> Sequence[Crop]:
        """Return the windows of the primary frame."""
        square = resize_frame(segment.frames[key_frames.primary], self.encoder)
        return window_crops(square, boxes_of(self.options, self.encoder), self.options.encoding)

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Return the frame (224, 224, 3) times the attention: the mean similarity map of the scales, normalised.

        :raises BackendError: when the encoder fails.
        """
        frame = segment.frames[key_frames.primary]
        windows = self.encoder.encode_crops(self.crops(segment, key_frames))
        similarity = self._similarity(windows, text)
        maps: dict[str, FloatArray] = {}
        start = 0
        for scale in scales_of(self.options, self.encoder):
            stop = start + len(scale.boxes)
            maps[scale.name] = similarity[start:stop].reshape(scale.rows, scale.columns)
            start = stop
        mean = np.mean([resize_image(scale_map, CONTEXT_SIDE) for scale_map in maps.values()], axis=0)
        attention = attention_mask(mean, self.options.min_brightness)
        image = (resize_image(frame.image, CONTEXT_SIDE) * attention[:, :, None]).astype(np.uint8)
        views = {f"similarity_{name}": scale_map for name, scale_map in maps.items()}
        return [Context("position", (image,), views={"attention": attention, **views})]

    def _similarity(self, windows: FloatArray, text: EventText) -> FloatArray:
        """Return the similarity (n_windows,) of windows (n_windows, dim) to the text.

        It is the text's softmax probability among the names, as published. With the text as the only name it would be
        1 everywhere, so then it is the cosine similarity.
        """
        run_texts = text.texts if self.options.contrast_run_texts else ()
        names = list(dict.fromkeys((*self.options.contrast, *run_texts, text.text)))
        if not self.options.softmax or len(names) == 1:
            names = [text.text]
        vectors = encode_names(self.encoder, names, templates=self.options.templates)
        cosines: FloatArray = vectors @ windows.T
        similarity: FloatArray = cosines[0] if len(names) == 1 else softmax(cosines)[names.index(text.text)]
        return similarity


class TemporalContext(ContextGenerator[TemporalOptions]):
    """A window of four frames of the sequence, as a 2x2 grid (the paper's grid image generation).

    The window is the one whose crop, in any of the frames, is most similar to the text. The published code has one
    window. The option ``windows`` adds the next best ones, each as a separate context; a window that contains a better
    one, or is inside a better one, is skipped.
    """

    def crops(self, segment: Segment, key_frames: KeyFrames) -> Sequence[Crop]:
        """Return the windows of the four frames."""
        windows = boxes_of(self.options, self.encoder)
        frames = [segment.frames[position] for position in dict.fromkeys(_four_positions(key_frames.sequence))]
        squares = [resize_frame(frame, self.encoder) for frame in frames]
        return [crop for square in squares for crop in window_crops(square, windows, self.options.encoding)]

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Return a grid (224, 224, 3) per window, best window first; of equal ones the first of ``boxes_of``.

        :raises BackendError: when the encoder fails.
        """
        positions = _four_positions(key_frames.sequence)
        squares = {position: resize_frame(segment.frames[position], self.encoder) for position in positions}
        windows = boxes_of(self.options, self.encoder)
        side = frame_side(self.encoder)
        crops = [crop for square in squares.values() for crop in window_crops(square, windows, self.options.encoding)]
        cosines = self.encoder.encode_crops(crops) @ self.encoder.encode_texts([text.text])[0]
        similarity = cosines.reshape(len(squares), len(windows))
        order = np.argsort(-similarity.max(axis=0), kind="stable")
        return [
            Context(
                "temporal",
                (_tile_window([squares[position].image for position in positions], window),),
                hint=wording()["temporal_hint"],
                views={"similarity": similarity.T, "window": np.array(window), "side": np.array(side)},
            )
            for window in without_nested((windows[number] for number in order), self.options.windows)
        ]


class FramesContext(ContextGenerator[FramesOptions]):
    """Frames of the segment in order, for a model that reads several images as a video."""

    def build(self, segment: Segment, text: EventText, key_frames: KeyFrames) -> list[Context]:
        """Return the first frame, the last frame, and evenly spaced ones between them."""
        positions = sorted(
            {round(position) for position in np.linspace(0, len(segment.frames) - 1, self.options.count)}
        )
        hint = wording()["frames_hint"] if len(positions) > 1 else ""
        return [Context("frames", tuple(segment.frames[position].image for position in positions), hint=hint)]


def _four_positions(sequence: Sequence[int]) -> list[int]:
    """Return four positions: evenly spaced ones of a longer sequence, the last repeated in a shorter one."""
    if len(sequence) > N_KEYS:
        return [sequence[round(index)] for index in np.linspace(0, len(sequence) - 1, N_KEYS)]
    return [*sequence, *[sequence[-1]] * (N_KEYS - len(sequence))]


def _tile_window(images: Sequence[ImageArray], window: Box) -> ImageArray:
    """Return one window of four images as a grid (224, 224, 3), resized twice, as published."""
    x0, y0, x1, y1 = window
    crops = [image[y0:y1, x0:x1].astype(np.float32) / 255 for image in images]
    tiles = [resize_image(resize_image(crop, CONTEXT_SIDE), CONTEXT_SIDE // 2) for crop in crops]
    return np.ascontiguousarray((tile(tiles) * 255).astype(np.uint8))
