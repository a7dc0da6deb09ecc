"""Encoded images: computed by the projector, and the last ones kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

import numpy as np
import numpy.typing as npt
from llama_cpp import mtmd_cpp

from anyanomaly.errors import BackendError
from anyanomaly_llamacpp.chunks import Chunk
from anyanomaly_llamacpp.engine import NativeModel, take_error

MAX_BYTES = 2**28  # of the encoded images in the cache: some hundred parts, of large models some twenty


class ImageEncoder:
    """Embeddings of images, from the cache or computed."""

    def __init__(self, native: NativeModel) -> None:
        self._native = native
        self._images: OrderedDict[Hashable, npt.NDArray[np.float32]] = OrderedDict()

    def encode(self, chunk: Chunk) -> npt.NDArray[np.float32]:
        """Return the embeddings (n_tokens, embedding size) of an image.

        :raises BackendError: when llama.cpp fails.
        """
        if chunk.key in self._images:
            self._images.move_to_end(chunk.key)
            return self._images[chunk.key]
        if mtmd_cpp.mtmd_encode_chunk(self._native.vision, chunk.handle):
            raise BackendError(f"llama.cpp failed to encode an image: {take_error()}.")
        values = mtmd_cpp.mtmd_get_output_embd(self._native.vision)
        shape = (chunk.n_tokens, self._native.embedding_size)
        self._images[chunk.key] = np.ctypeslib.as_array(values, shape).copy()
        while len(self._images) > 1 and sum(image.nbytes for image in self._images.values()) > MAX_BYTES:
            self._images.popitem(last=False)
        return self._images[chunk.key]
