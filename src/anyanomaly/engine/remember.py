"""Wrap an encoder: no crop and no text is encoded twice in a run."""

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


class RememberingEncoder(Encoder[Options]):
    """Keeps vectors of crops by the image's content, box and fit (least recently used out), and of all texts.

    Crops of many frames, windows and segments go to the encoder in one call. At least ``min_kept`` vectors of crops
    are kept, and twice as many as the largest call had. Safe to call from two threads.
    Counts what reached the encoder: ``n_crops``, ``n_texts``, ``n_calls``.
    """

    def __init__(self, encoder: Encoder[Options], *, min_kept: int = 1024, clock: Clock | None = None) -> None:
        super().__init__(encoder.options)
        self._encoder = encoder
        self._clock = clock or Clock()
        self._n_kept = min_kept
        self._crops: OrderedDict[_CropKey, FloatArray] = OrderedDict()
        self._texts: dict[str, FloatArray] = {}
        self._digests: dict[int, tuple[weakref.ref[ImageArray], bytes]] = {}
        self._lock = threading.RLock()
        self.n_crops = self.n_texts = self.n_calls = 0

    @property
    def batch_size(self) -> int:  # type: ignore[override]  # the wrapped encoder decides, perhaps only in load
        """As the wrapped encoder says."""
        return self._encoder.batch_size

    @property
    def fingerprint(self) -> str:
        """The wrapped encoder's."""
        return self._encoder.fingerprint

    @property
    def revision(self) -> str | None:
        """The wrapped encoder's."""
        return self._encoder.revision

    def load(self) -> None:
        """Load the wrapped encoder."""
        self._encoder.load()

    def close(self) -> None:
        """Forget everything and close the wrapped encoder."""
        self._crops.clear()
        self._texts.clear()
        self._encoder.close()

    def encode_crops(self, crops: Sequence[Crop]) -> FloatArray:
        """Encode those crops that are new, in one call, and return all (n, dim)."""
        with self._lock:
            keys = [self._key(crop) for crop in crops]
            found = {key: self._crops[key] for key in keys if key in self._crops}
            new = {key: crop for key, crop in zip(keys, crops, strict=True) if key not in found}
            if new or not crops:
                with self._clock.stage("encode"):
                    rows = self._encoder.encode_crops(list(new.values()))
                self.n_calls += bool(new)
                self.n_crops += len(new)
                found.update(zip(new, rows, strict=True))
                if not crops:
                    return rows
            for key in keys:
                self._crops[key] = found[key]
                self._crops.move_to_end(key)
            # a pass over the frames of some segments, then one over their windows: twice the larger covers both
            self._n_kept = max(self._n_kept, 2 * len(found))
            while len(self._crops) > self._n_kept:
                self._crops.popitem(last=False)
            return np.stack([found[key] for key in keys])

    def encode_texts(self, texts: Sequence[str], *, unit: bool = True) -> FloatArray:
        """Encode those texts that are new, in one call, and return all (n, dim)."""
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
        """Hash an image's pixels once while the array lives; by content, because a context may alter a frame."""
        number = id(image)
        known = self._digests.get(number)
        if known and known[0]() is image:
            return known[1]
        digest = hashlib.blake2b(image.data, digest_size=16, key=str(image.shape).encode()).digest()
        self._digests[number] = weakref.ref(image, lambda _: self._digests.pop(number, None)), digest
        return digest
