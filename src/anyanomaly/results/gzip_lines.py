"""Compressed lines, readable while they are written: gzip whose content so far is complete at regular places."""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO

MAGIC = b"\x1f\x8b"
"""The first bytes of a gzip file."""
FLUSH_BYTES = 1 << 14
"""Bytes of text after which what was compressed is complete: one in a thousand larger than a whole file at once."""
_GZIP = 31  # the window of zlib, with the header and checksum of gzip; its time stamp is 0
_CHUNK = 1 << 16


class LineCompressor:
    """Compresses lines. What was flushed can be unpacked, also when no more comes."""

    def __init__(self) -> None:
        self._compressor = zlib.compressobj(wbits=_GZIP)
        self._n_pending = 0

    def add(self, text: bytes, *, flush: bool) -> bytes:
        """Return compressed data that follow those before. ``flush``: complete up to ``text``, whatever its length."""
        self._n_pending += len(text)
        data = self._compressor.compress(text)
        if flush or self._n_pending >= FLUSH_BYTES:
            self._n_pending = 0
            data += self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return data

    def finish(self) -> bytes:
        """Return the end of the data."""
        return self._compressor.flush()


class DamagedGzip(Exception):
    """Data that cannot be unpacked."""


def open_gzip(file: BinaryIO) -> io.BufferedReader:
    """Return the content of an open gzip file, unpacked piece by piece; one that is cut ends where its data end.

    Reading raises `DamagedGzip` for what is not gzip.
    """
    return io.BufferedReader(_GzipReader(file), _CHUNK)


class _GzipReader(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._decompressor = zlib.decompressobj(_GZIP)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Unpack as much as fits."""
        view = memoryview(buffer)
        try:
            data = self._unpack(len(view))
        except zlib.error as error:
            raise DamagedGzip(str(error).rpartition(": ")[2]) from error
        view[: len(data)] = data
        return len(data)

    def _unpack(self, size: int) -> bytes:
        while True:
            packed = self._decompressor.unconsumed_tail
            if self._decompressor.eof:  # another gzip file may follow
                packed = self._decompressor.unused_data
                self._decompressor = zlib.decompressobj(_GZIP)
            packed = packed or self._file.read(_CHUNK)
            data = self._decompressor.decompress(packed, size)  # also of nothing: it may have more than was asked for
            if data or not packed:
                return data
