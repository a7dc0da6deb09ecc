"""A question as llama.cpp reads it: pieces of text tokens and images, each known by its content."""

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
from anyanomaly_llamacpp.engine import Native, reason


class Chunk(NamedTuple):
    """A run of text tokens, or an image (one of its slices, for models that cut images up)."""

    key: Hashable  # equal for pieces of equal content
    tokens: tuple[int, ...]  # of text; empty: an image
    n_tokens: int
    n_positions: int
    handle: Any  # llama.cpp's, alive while the prompt is open


@contextmanager
def open_prompt(native: Native, text: str, images: Sequence[ImageArray]) -> Iterator[list[Chunk]]:
    """Give the pieces of ``text``, in which a mark stands for each of ``images``.

    :raises BackendError: when llama.cpp cannot take an image.
    """
    with ExitStack() as close:
        bitmaps = (ctypes.c_void_p * len(images))()
        for place, image in enumerate(images):
            bitmaps[place] = _bitmap(image)
            close.callback(mtmd_cpp.mtmd_bitmap_free, bitmaps[place])
        chunks = mtmd_cpp.mtmd_input_chunks_init()
        close.callback(mtmd_cpp.mtmd_input_chunks_free, chunks)
        raw = text.encode()
        wanted = mtmd_cpp.mtmd_input_text(raw, len(raw), False, True)
        if mtmd_cpp.mtmd_tokenize(native.vision, chunks, ctypes.byref(wanted), bitmaps, len(images)):
            raise BackendError(f"llama.cpp cannot take the question: {reason()}.")
        yield _pieces(chunks)


def _bitmap(image: ImageArray) -> Any:
    height, width = image.shape[:2]
    raw = image.tobytes()
    bitmap = mtmd_cpp.mtmd_bitmap_init(width, height, (ctypes.c_uint8 * len(raw)).from_buffer_copy(raw))
    name = hashlib.blake2b(raw, digest_size=16, person=f"{width}x{height}".encode()).hexdigest()
    mtmd_cpp.mtmd_bitmap_set_id(bitmap, name.encode())
    return bitmap


def _pieces(chunks: Any) -> list[Chunk]:
    slices: Counter[bytes] = Counter()
    pieces = []
    for place in range(mtmd_cpp.mtmd_input_chunks_size(chunks)):
        chunk = mtmd_cpp.mtmd_input_chunks_get(chunks, place)
        n_tokens = mtmd_cpp.mtmd_input_chunk_get_n_tokens(chunk)
        key: Hashable
        if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_TEXT:
            key = tokens = tuple(
                mtmd_cpp.mtmd_input_chunk_get_tokens_text(chunk, ctypes.byref(ctypes.c_size_t()))[:n_tokens]
            )
        else:
            name = mtmd_cpp.mtmd_input_chunk_get_id(chunk)
            key, tokens = (name, slices[name]), ()
            slices[name] += 1
        pieces.append(Chunk(key, tokens, n_tokens, mtmd_cpp.mtmd_input_chunk_get_n_pos(chunk), chunk))
    return pieces
