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
from anyanomaly_llamacpp.images import IMAGE, ImageLayout


class Chunk(NamedTuple):
    """A run of text tokens, or an image, or one part of it for models that cut images into tiles."""

    key: Hashable  # equal for chunks of equal content
    tokens: tuple[int, ...]  # of text; empty for an image
    n_tokens: int
    n_positions: int
    handle: Any  # of an image in llama.cpp, valid while the prompt is open


@contextmanager
def open_prompt(
    native: NativeModel, text: str, images: Sequence[ImageArray], layout: ImageLayout | None
) -> Iterator[list[Chunk]]:
    """Give the chunks of ``text``, in which `IMAGE` stands for each of ``images``.

    :param layout: what the model reads for an image; None: llama.cpp sizes and cuts images by its own rules.
    :raises BackendError: when llama.cpp does not take the prompt.
    :raises UsageError: when an image is too elongated for the model.
    """
    with ExitStack() as stack:
        if layout is None:
            yield _read_chunks(_tokenize(stack, native, text, images))
            return
        chunks: list[Chunk] = []
        before, *texts = text.split(IMAGE)
        for number, (image, after) in enumerate(zip(images, texts, strict=True)):
            prepared = layout.prepare(image, number)
            before += prepared.text
            for part in prepared.parts:
                text_before_part, _, before = before.partition(IMAGE)
                chunks += [*_text_chunk(native, text_before_part), _read_part(stack, native, part)]
            before += after
        yield [*chunks, *_text_chunk(native, before)]


def _text_chunk(native: NativeModel, text: str) -> list[Chunk]:
    """Return the chunk of a text, as a list without any for no text."""
    tokens = tuple(native.encode(text))
    return [Chunk(tokens, tokens, len(tokens), len(tokens), None)] if tokens else []


def _read_part(stack: ExitStack, native: NativeModel, part: ImageArray) -> Chunk:
    """Return the chunk of an image part that has the model's size.

    llama.cpp writes the tokens of a complete image around it, and repeats it where it takes it for an overview: only
    the first image chunk counts.
    """
    chunks = _read_chunks(_tokenize(stack, native, IMAGE, [part]))
    return next(chunk for chunk in chunks if not chunk.tokens)


def _tokenize(stack: ExitStack, native: NativeModel, text: str, images: Sequence[ImageArray]) -> Any:
    """Return llama.cpp's chunks of a prompt; ``stack`` frees them."""
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
    return handles


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
