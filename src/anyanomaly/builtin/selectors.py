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
    """Selectors by the cosine similarity of the event text to frames, as published, or to windows of frames.

    With ``stride`` n, only the frames 0, n, 2n, ... of a segment are candidates: they alone are compared with the text.
    """

    def crops(self, segment: Segment) -> Sequence[Crop]:
        """Return the candidates, or all windows of them."""
        frames = [segment.frames[position] for position in self._candidates(segment)]
        if not self.options.windows:
            return [Crop(frame) for frame in frames]
        windows = boxes_of_sizes(self.options.windows, self.encoder)
        squares = [resize_frame(frame, self.encoder) for frame in frames]
        return [crop for square in squares for crop in window_crops(square, windows, self.options.encoding)]

    def _candidates(self, segment: Segment) -> range:
        """Return the positions of the frames that are compared with the text."""
        return range(0, len(segment.frames), self.options.stride)

    def _similarities(self, segment: Segment, text: EventText) -> FloatArray:
        """Return the cosine similarity (n_frames,) of each frame to the text, or of its nearest window.

        That of a frame which is no candidate is minus infinity.
        """
        candidates = self._candidates(segment)
        vectors = self.encoder.encode_crops(self.crops(segment))
        cosines: FloatArray = vectors @ self.encoder.encode_texts([text.text])[0]
        similarities = np.full(len(segment.frames), -np.inf, dtype=cosines.dtype)
        similarities[candidates] = cosines.reshape(len(candidates), -1).max(axis=1)
        return similarities


class TopSelector(_NearestSelector):
    """The four frames nearest the text, of equally near ones the later ones, as published; the nearest is primary.

    With a stride, fewer than four where the segment has fewer candidates.
    """

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the nearest frame, and the four nearest, ascending.

        :raises BackendError: when the encoder fails.
        """
        n_keys = min(N_KEYS, len(self._candidates(segment)))
        ranked = np.argsort(self._similarities(segment, text), kind="stable")[::-1][:n_keys]
        return _key_frames(int(ranked[0]), np.sort(ranked))


class GroupThenTopSelector(_NearestSelector):
    """The frame nearest the text in each of four groups of frames; the nearest frame of the segment is primary.

    As published, a group has L // 4 of the segment's L frames. The last L mod 4 frames are in no group, and only the
    primary frame can be one of them. A segment of fewer than four frames is its own sequence. A group in which a stride
    leaves no candidate is represented as in ``TopThenGroupSelector``.
    """

    def select(self, segment: Segment, text: EventText) -> KeyFrames:
        """Return the first maximum of the segment, and the first maximum of each group.

        :raises BackendError: when the encoder fails.
        """
        similarities = self._similarities(segment, text)
        primary = int(np.argmax(similarities))
        sequence = []
        for group in _groups(len(similarities)):
            in_group = similarities[group.start : group.stop]
            nearest = int(np.argmax(in_group))
            sequence.append(group[nearest if np.isfinite(in_group[nearest]) else primary % len(group)])
        return _key_frames(primary, sequence)


class TopThenGroupSelector(_NearestSelector):
    """The frame nearest the text, and the frame at its position in each of four groups: the published default.

    Groups are those of ``GroupThenTopSelector``, of all frames: with a stride too. A segment of fewer than four frames
    is its own sequence.
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
