"""A cache around an encoder, so that no crop and no text is encoded twice in a run."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.engine.clock import Clock
from anyanomaly.types import Box, Crop, Fit, FloatArray, ImageArray

_CropKey: TypeAlias = tuple[bytes, Box | None, Fit]


class CachingEncoder(Encoder[Options]):
    """Wraps an encoder and keeps its vectors: of crops by the image's content, box and fit, and of all texts.

    It keeps the most recently used vectors of crops, at least ``min_cached`` and twice as many as the largest call had.
    It may be called from two threads. ``n_crops``, ``n_texts`` and ``n_calls`` count what the wrapped encoder encoded,
    ``n_dense_windows`` those of the crops that have the fit ``dense``, ``n_dense_frames`` the frames they come from.
    """

    def __init__(self, encoder: Encoder[Options], *, min_cached: int = 1024, clock: Clock | None = None) -> None:
        super().__init__(encoder.options)
        self._encoder = encoder
        self._clock = clock or Clock()
        self._n_cached = min_cached
        self._crops: OrderedDict[_CropKey, FloatArray] = OrderedDict()
        self._texts: dict[str, FloatArray] = {}
        self._digests: dict[int, tuple[weakref.ref[ImageArray], bytes]] = {}
        self._lock = threading.RLock()
        self.n_crops = self.n_texts = self.n_calls = self.n_dense_windows = self.n_dense_frames = 0

    @property
    def batch_size(self) -> int:  # type: ignore[override]  # the wrapped encoder may change it in load
        """Crops per pass of the wrapped encoder."""
        return self._encoder.batch_size

    @property
    def image_size(self) -> int:  # type: ignore[override]  # the wrapped encoder may change it in load
        """Input size of the wrapped encoder's model."""
        return self._encoder.image_size

    @property
    def dense_windows(self) -> bool:  # type: ignore[override]  # the wrapped encoder may know it after load
        """Whether the wrapped encoder takes crops with the fit ``dense``."""
        return self._encoder.dense_windows

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the wrapped encoder."""
        return self._encoder.fingerprint

    @property
    def revision(self) -> str | None:  # type: ignore[override]  # the wrapped encoder sets it in load
        """Version of the wrapped encoder's weights; None: unknown."""
        return self._encoder.revision

    def load(self) -> None:
        """Load the wrapped encoder."""
        self._encoder.load()

    def close(self) -> None:
        """Remove all vectors and close the wrapped encoder."""
        self._crops.clear()
        self._texts.clear()
        self._encoder.close()

    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Return float32 (n, dim), unit rows; crops that are new are encoded in one call."""
        with self._lock:
            keys = [self._key(crop) for crop in crops]
            vectors = {key: self._crops[key] for key in keys if key in self._crops}
            new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in vectors}
            if new or not crops:
                with self._clock.stage("encode"):
                    rows = self._encoder.encode_crops(list(new.values()))
                self.n_calls += bool(new)
                self.n_crops += len(new)
                dense_frames = [key[0] for key in new if key[2] == "dense"]
                self.n_dense_windows += len(dense_frames)
                self.n_dense_frames += len(set(dense_frames))
                vectors.update(zip(new, rows, strict=True))
                if not crops:
                    return rows
            for key in keys:
                self._crops[key] = vectors[key]
                self._crops.move_to_end(key)
            # a pass over the frames of some segments, then one over their windows: twice the larger covers both
            self._n_cached = max(self._n_cached, 2 * len(vectors))
            while len(self._crops) > self._n_cached:
                self._crops.popitem(last=False)
            return np.stack([vectors[key] for key in keys])

    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Return float32 (n, dim), unit rows where ``unit``; texts that are new are encoded in one call."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._texts]
            if new or not texts:
                with self._clock.stage("encode"):
                    rows = self._encoder.encode_texts(new, unit=False)
                self.n_texts += len(new)
                self._texts.update(zip(new, rows, strict=True))
                if not texts:
                    return rows
            rows = np.stack([self._texts[text] for text in texts])
            return rows / np.linalg.norm(rows, axis=1, keepdims=True) if unit else rows

    def _key(self, crop: Crop) -> _CropKey:
        return self._digest(crop.frame.image), crop.box, crop.fit

    def _digest(self, image: ImageArray) -> bytes:
        """Return a hash of an image's pixels, computed once while the array lives.

        The key is the content and not the frame, because a context may alter a frame.
        """
        number = id(image)
        cached = self._digests.get(number)
        if cached and cached[0]() is image:
            return cached[1]
        digest = hashlib.blake2b(image.data, digest_size=16, key=str(image.shape).encode()).digest()
        self._digests[number] = weakref.ref(image, lambda _: self._digests.pop(number, None)), digest
        return digest
