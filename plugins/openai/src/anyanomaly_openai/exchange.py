"""One request and its response, within a total time and a size; nothing of the response is trusted."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass

import httpx

CONNECT_TIMEOUT_S = 10.0
MAX_MESSAGE_BYTES = 65_536
"""Of the body of a response that is no answer; what follows is not read."""


class UnreadableResponse(Exception):
    """A response that cannot be used as it is: too long, or not encoded as it says. The text is the reason."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A response as it arrived, decompressed."""

    status: int
    headers: httpx.Headers
    body: bytes


async def exchange(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, timeout_s: float, max_bytes: int
) -> Reply:
    """Send a request and return the response. The transport follows no redirect and keeps no cookie.

    :param timeout_s: for all of it, seconds, however slowly the bytes arrive.
    :param max_bytes: of the body, compressed and decompressed; of a response that is no answer, the beginning is kept.
    :raises TimeoutError: when the time is over. :raises UnreadableResponse: when the body is too long or damaged.
    :raises httpx.HTTPError: when the connection fails.
    """
    timeout = httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s), pool=None)
    request.extensions = {**request.extensions, "timeout": timeout.as_dict()}
    async with asyncio.timeout(timeout_s):
        response = await transport.handle_async_request(request)
        try:
            is_answer = response.status_code == httpx.codes.OK
            body = await _read_body(response, max_bytes if is_answer else MAX_MESSAGE_BYTES, is_whole=is_answer)
        finally:
            await response.aclose()
    return Reply(response.status_code, response.headers, body)


async def _read_body(response: httpx.Response, max_bytes: int, *, is_whole: bool) -> bytes:
    """Return the body; without ``is_whole`` its beginning where it is longer than ``max_bytes``."""
    too_long = UnreadableResponse(f"it is longer than {max_bytes / 2**20:g} MiB")
    length = response.headers.get("content-length", "")
    if is_whole and length.isdecimal() and int(length) > max_bytes:
        raise too_long
    decoder = _Decoder(response.headers.get("content-encoding", ""))
    body, n_raw_bytes = bytearray(), 0
    assert isinstance(response.stream, httpx.AsyncByteStream)
    async for chunk in response.stream:
        n_raw_bytes += len(chunk)
        body += decoder.decode(chunk, max_bytes - len(body) + 1)
        if max(len(body), n_raw_bytes) > max_bytes:
            if is_whole:
                raise too_long
            return bytes(body[:max_bytes])
    if is_whole:
        decoder.check_end()
    return bytes(body)


class _Decoder:
    """Decompresses step by step, so that a small response cannot fill the memory."""

    def __init__(self, encoding: str) -> None:
        """:raises UnreadableResponse: for an encoding that was not asked for."""
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise UnreadableResponse(f"it is compressed with {name[:40]!r}, which was not asked for")
        either_header = zlib.MAX_WBITS | 32  # gzip or zlib, by the first bytes
        self._inflater = None if name in ("", "identity") else zlib.decompressobj(either_header)

    def decode(self, chunk: bytes, max_bytes: int) -> bytes:
        """Return at most ``max_bytes`` of the content, at least 1."""
        if self._inflater is None:
            return chunk
        try:
            return self._inflater.decompress(chunk, max_bytes)
        except zlib.error:
            damaged = UnreadableResponse("its compression is damaged")
        raise damaged

    def check_end(self) -> None:
        """:raises UnreadableResponse: when the compressed content is not complete."""
        if self._inflater is not None and not self._inflater.eof:
            raise UnreadableResponse("its compressed content is not complete")
