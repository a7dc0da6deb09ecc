"""The seed with which one query samples its answer."""

from __future__ import annotations

import hashlib

from anyanomaly.types import Query


def sampling_seed(query: Query, bits: int = 64) -> int:
    """Return a seed that depends only on the query's content and on ``sampling.seed``.

    A sampled answer then does not depend on the batch of its query or on earlier queries.

    :param bits: width of the seed, 1 to 64, for engines that take less: torch takes 63.
    :returns: an integer in ``[0, 2**bits)``.
    """
    digest = hashlib.blake2b(digest_size=8)
    digest.update(repr((query.system, query.prompt, query.text_first, query.sampling)).encode())
    for image in query.images:
        digest.update(repr(image.shape).encode())
        digest.update(image.data)
    return int.from_bytes(digest.digest(), "big") >> (64 - bits)
