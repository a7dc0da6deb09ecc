"""Key-frame selection (paper, section 3.2, and its ablation), for segments of one frame or more."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from anyanomaly.api.selector import Selector
from anyanomaly.builtin.options import NearestOptions, RandomSelectorOptions, SelectorOptions
from anyanomaly.builtin.windows import boxes_of_sizes, resize_frame, window_crops
from anyanomaly.types import Crop, EventText, FloatArray, KeyFrames, Segment

N_KEYS = 4
"""Number of frames of a sequence: the temporal context is a grid of two by two."""


class RandomSelector(Selector[RandomSelectorOptions]):
    """Four random frames, the first of them primary; they depend on the seed, the video and the segment."""

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return different frames, ascending."""
        rng = np.random.default_rng([self.options.seed, zlib.crc32(segment.video.id.encode()), segment.index])
        n_frames = len(segment.frames)
        positions = np.sort(rng.choice(n_frames, size=min(N_KEYS, n_frames), replace=False))
        return _key_frames(int(positions[0]), positions)


class UniformSelector(Selector[SelectorOptions]):
    """Four evenly spaced frames; the third is primary."""

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the middle frame of each quarter."""
        n_frames = len(segment.frames)
        n_keys = min(N_KEYS, n_frames)
        positions = ((np.arange(n_keys) + 0.5) * n_frames / n_keys).astype(int)
        return _key_frames(int(positions[n_keys // 2]), positions)


class MiddleSelector(Selector[SelectorOptions]):
    """The middle frame only."""

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the middle frame as primary frame and as sequence."""
        middle = len(segment.frames) // 2
        return KeyFrames(middle, (middle,))


class _NearestSelector(Selector[NearestOptions]):
    """Selectors by the cosine similarity of the event text to frames, as published, or to windows of frames."""

    def crops(self, segment: Segment) -> Sequence[Crop]:
        """Return all frames, or all windows of all frames."""
        if not self.options.windows:
            return [Crop(frame) for frame in segment.frames]
        windows = boxes_of_sizes(self.options.windows, self.encoder)
        return [crop for frame in segment.frames for crop in window_crops(resize_frame(frame, self.encoder), windows)]

    def _similarities(self, segment: Segment, text: EventText) -> FloatArray:
        """Return the cosine similarity (n_frames,) of each frame, or of its nearest window, to the text."""
        vectors = self.encoder.encode_crops(self.crops(segment))
        similarities: FloatArray = vectors @ self.encoder.encode_texts([text.text])[0]
        nearest: FloatArray = similarities.reshape(len(segment.frames), -1).max(axis=1)
        return nearest


class TopSelector(_NearestSelector):
    """The four frames nearest the text, of equally near ones the later ones, as published; the nearest is primary."""

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the nearest frame, and the four nearest, ascending.

        :raises BackendError: when the encoder fails.
        """
        ranked = np.argsort(self._similarities(segment, text), kind="stable")[::-1][:N_KEYS]
        return _key_frames(int(ranked[0]), np.sort(ranked))


class GroupThenTopSelector(_NearestSelector):
    """The frame nearest the text in each of four groups of frames; the nearest frame of the segment is primary.

    As published, a group has L // 4 of the segment's L frames. The last L mod 4 frames are in no group, and only the
    primary frame can be one of them. A segment of fewer than four frames is its own sequence.
    """

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the first maximum of the segment, and the first maximum of each group.

        :raises BackendError: when the encoder fails.
        """
        similarities = self._similarities(segment, text)
        primary = int(np.argmax(similarities))
        groups = _groups(len(similarities))
        return _key_frames(primary, [group[int(np.argmax(similarities[group.start : group.stop]))] for group in groups])


class TopThenGroupSelector(_NearestSelector):
    """The frame nearest the text, and the frame at its position in each of four groups: the published default.

    Groups are those of ``GroupThenTopSelector``. A segment of fewer than four frames is its own sequence.
    """

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the first maximum m of the segment, and frame ``m mod g`` of each group of g frames.

        :raises BackendError: when the encoder fails.
        """
        primary = int(np.argmax(self._similarities(segment, text)))
        return _key_frames(primary, [group[primary % len(group)] for group in _groups(len(segment.frames))])


def _groups(n_frames: int) -> list[range]:
    """Return four groups of ``n_frames // 4`` positions each, or one group per frame of a shorter segment."""
    size = max(1, n_frames // N_KEYS)
    return [range(start * size, (start + 1) * size) for start in range(min(N_KEYS, n_frames))]


def _key_frames(primary: int, sequence: Sequence[int] | np.ndarray[tuple[int, ...], np.dtype[np.int_]]) -> KeyFrames:
    return KeyFrames(primary, tuple(int(position) for position in sequence))
