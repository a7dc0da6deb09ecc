"""Replies below the level of an answer: compression that lies, and bytes that are no HTTP."""

from __future__ import annotations

import gzip
import random
import zlib

from tests.campaign.server import MODELS, Reply
from tests.campaign.stage import Stage


def compressed(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """A small answer that unpacks to a huge one is refused, and what is no gzip is an error."""
    kind = stage.random.choice(("bomb", "nested bomb", "no gzip", "unknown encoding"))
    bomb = _bomb(stage.random)
    replies = {
        "bomb": Reply(bomb, headers={"Content-Encoding": "gzip"}),
        "nested bomb": Reply(gzip.compress(bomb), headers={"Content-Encoding": "gzip, gzip"}),
        "no gzip": Reply(b"{}", headers={"Content-Encoding": "gzip"}),
        "unknown encoding": Reply(stage.random.randbytes(50), headers={"Content-Encoding": "br"}),
    }
    return f"compressed: {kind}", replies[kind], MODELS, {5}


def _bomb(rng: random.Random) -> bytes:
    """Return gzip of 3 GiB of one byte; the blocks are equal, so that only one is compressed."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(rng.choice((b" ", b"0", b"[")) * (1 << 24)) + packer.flush(zlib.Z_FULL_FLUSH)
    head, last_block, checksum_and_size = b"\x1f\x8b\x08" + bytes(7), b"\x03\x00", bytes(8)
    return head + 192 * block + last_block + checksum_and_size


def raw_bytes(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """Bytes that are no HTTP, or break its rules."""
    rng = stage.random
    kinds = {
        "closed": b"\n",
        "noise": rng.randbytes(200),
        "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
        "no status": b"HTTP/1.1\r\n\r\n",
        "endless header": b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2_000_000,
        "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000,
        "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        "huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nabc",
        "continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000,
        "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 7\r\n\r\nhello",
        "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        "status 999": b"HTTP/1.1 999 \x1b[31m\r\nContent-Length: 0\r\n\r\n",
    }
    kind = rng.choice(list(kinds))
    return f"raw {kind}", Reply(b"", raw=kinds[kind]), MODELS, {5}
