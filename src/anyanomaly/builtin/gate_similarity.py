"""The gate that compares windows with the texts, relative to what the camera usually sees."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from anyanomaly.api.gate import Gate
from anyanomaly.builtin.gate_options import SimilarityGateOptions
from anyanomaly.builtin.spread import spread
from anyanomaly.builtin.windows import boxes_of_sizes, resize_frame, window_crops
from anyanomaly.types import Crop, EventText, FloatArray, Segment, Video

USUAL = 0.9
"""The quantile of the similarities so far that is the background of a window: what is nearer to the text is unusual."""
N_REMEMBERED = 300
"""Segments that the background is made of."""
FIRST_LEVEL, FIRST_SCALE = 0.25, 0.05
"""Level and scale of similarities before there is a background: in the range of CLIP models, so that none saturates."""
MIN_SCALE = 0.02
"""Smallest scale, as a cosine: smaller differences of CLIP models say little."""
OFFSET = 2.0
"""Scales above the background at which the priority is a half."""


class SimilarityGate(Gate[SimilarityGateOptions]):
    """How far the most similar window of a segment is above the running quantile of this window and text.

    The level of similarities differs between cameras and texts, so it is learned from the segments before. The first
    segments of a video have none before them: they are compared by the similarity itself, and the weight of this first
    level falls as ``exp(-(t / background_seconds) ** 2)``, where ``t`` are the seconds seen so far.
    """

    def begin(self, video: Video) -> None:
        """Forget the background: another camera has another one."""
        self._history: dict[str, deque[FloatArray]] = {}  # by text: similarities (n_windows,) of the latest segments
        self._seen_s: dict[str, float] = {}

    def crops(self, segment: Segment) -> Sequence[Crop]:
        """Return some frames, or all windows of them."""
        frames = spread(segment.frames, self.options.frames)
        if not self.options.windows:
            return [Crop(frame) for frame in frames]
        windows = boxes_of_sizes(self.options.windows, self.encoder)
        return [crop for frame in frames for crop in window_crops(resize_frame(frame, self.encoder), windows, "exact")]

    def rate(self, segments: Sequence[Segment], texts: Sequence[EventText]) -> FloatArray:
        """Return how unusual the similarity of each segment to each text is; always between 0 and 1, never 0.

        :raises BackendError: when the encoder fails.
        """
        vectors = self.encoder.encode_texts([text.text for text in texts])
        priorities = np.empty((len(segments), len(texts)), np.float32)
        for row, segment in zip(priorities, segments, strict=True):
            n_frames = min(len(segment.frames), self.options.frames)
            cosines = self.encoder.encode_crops(self.crops(segment)) @ vectors.T
            cosines = cosines.reshape(n_frames, -1, len(texts))
            for number, text in enumerate(texts):
                row[number] = self._rate(text.text, cosines[..., number], _duration_s(segment))
        return priorities

    def _rate(self, text: str, cosines: FloatArray, duration_s: float) -> float:
        """Return the priority of one segment and text, and add the segment to the background.

        :param cosines: (n_frames, n_windows).
        """
        history = self._history.setdefault(text, deque(maxlen=N_REMEMBERED))
        seen_s = self._seen_s.get(text, 0.0)
        level: FloatArray | float = FIRST_LEVEL
        scale = FIRST_SCALE
        if history:
            first_weight = float(np.exp(-((seen_s / self.options.background_seconds) ** 2)))
            usual, middle = np.quantile(np.stack(history), (USUAL, 0.5), axis=0)
            level = first_weight * FIRST_LEVEL + (1 - first_weight) * usual
            own_scale = max(MIN_SCALE, float(np.mean(usual - middle)))
            scale = first_weight * FIRST_SCALE + (1 - first_weight) * own_scale
        history.append(cosines.mean(axis=0))
        self._seen_s[text] = seen_s + duration_s
        height = float(((cosines - level) / scale).max())
        return float(1 / (1 + np.exp(OFFSET - height)))


def _duration_s(segment: Segment) -> float:
    return float(segment.times_s[-1] - segment.times_s[0]) + 1 / segment.video.fps
