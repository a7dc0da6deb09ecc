"""A prompt as llama.cpp reads it: chunks of text tokens and images, each identified by its content."""

from __future__ import annotations

import ctypes
import hashlib
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from llama_cpp import mtmd_cpp

from anyanomaly.errors import BackendError
from anyanomaly.types import ImageArray
from anyanomaly_llamacpp.engine import NativeModel, take_error


class Chunk(NamedTuple):
    """A run of text tokens, or an image (one of its slices, for models that slice images)."""

    key: Hashable  # equal for chunks of equal content
    tokens: tuple[int, ...]  # of text; empty for an image
    n_tokens: int
    n_positions: int
    handle: Any  # of llama.cpp, valid while the prompt is open


@contextmanager
def open_prompt(native: NativeModel, text: str, images: Sequence[ImageArray]) -> Iterator[list[Chunk]]:
    """Give the chunks of ``text``, in which `IMAGE` stands for each of ``images``.

    :raises BackendError: when llama.cpp does not take the prompt.
    """
    with ExitStack() as stack:
        bitmaps = (ctypes.c_void_p * len(images))()
        for index, image in enumerate(images):
            bitmaps[index] = _new_bitmap(image)
            stack.callback(mtmd_cpp.mtmd_bitmap_free, bitmaps[index])
        handles = mtmd_cpp.mtmd_input_chunks_init()
        stack.callback(mtmd_cpp.mtmd_input_chunks_free, handles)
        encoded = text.encode()
        text_input = mtmd_cpp.mtmd_input_text(encoded, len(encoded), False, True)
        if mtmd_cpp.mtmd_tokenize(native.vision, handles, ctypes.byref(text_input), bitmaps, len(images)):
            raise BackendError(f"llama.cpp does not take the question: {take_error()}.")
        yield _read_chunks(handles)


def _new_bitmap(image: ImageArray) -> Any:
    height, width = image.shape[:2]
    pixels = image.tobytes()
    bitmap = mtmd_cpp.mtmd_bitmap_init(width, height, (ctypes.c_uint8 * len(pixels)).from_buffer_copy(pixels))
    name = hashlib.blake2b(pixels, digest_size=16, person=f"{width}x{height}".encode()).hexdigest()
    mtmd_cpp.mtmd_bitmap_set_id(bitmap, name.encode())
    return bitmap


def _read_chunks(handles: Any) -> list[Chunk]:
    n_slices: Counter[bytes] = Counter()  # per image, so far
    chunks = []
    for index in range(mtmd_cpp.mtmd_input_chunks_size(handles)):
        handle = mtmd_cpp.mtmd_input_chunks_get(handles, index)
        n_tokens = mtmd_cpp.mtmd_input_chunk_get_n_tokens(handle)
        key: Hashable
        if mtmd_cpp.mtmd_input_chunk_get_type(handle) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_TEXT:
            key = tokens = tuple(
                mtmd_cpp.mtmd_input_chunk_get_tokens_text(handle, ctypes.byref(ctypes.c_size_t()))[:n_tokens]
            )
        else:
            name = mtmd_cpp.mtmd_input_chunk_get_id(handle)
            key, tokens = (name, n_slices[name]), ()
            n_slices[name] += 1
        chunks.append(Chunk(key, tokens, n_tokens, mtmd_cpp.mtmd_input_chunk_get_n_pos(handle), handle))
    return chunks
