"""Damage to files, as disks, networks and hostile people do it: seeded, so that each can be made again."""

from __future__ import annotations

import random

HEADER = 600
"""Bytes at the start and at the end of a file that hold most of its structure."""


def mutate(content: bytes, rng: random.Random) -> tuple[bytes, str]:
    """Return content with one to three mutations, and their names."""
    names = []
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        name = rng.choice(list(MUTATIONS))
        MUTATIONS[name](data, rng)
        names.append(name)
    return bytes(data), "+".join(names)


def flip_bits(data: bytearray, rng: random.Random) -> None:
    """Flip 1 to 64 bits anywhere."""
    for _ in range(rng.randint(1, 64)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def change_header(data: bytearray, rng: random.Random) -> None:
    """Overwrite 1 to 8 bytes near the start or the end."""
    for _ in range(rng.randint(1, 8)):
        if data:
            data[_structural(data, rng)] = rng.randrange(256)


def set_extreme_number(data: bytearray, rng: random.Random) -> None:
    """Overwrite a number of 2, 4 or 8 bytes near the start or the end with an extreme one."""
    width = rng.choice((2, 4, 8))
    at = _structural(data, rng) if data else 0
    value = rng.choice((b"\xff" * width, b"\x7f" + b"\xff" * (width - 1), b"\0" * width, b"\x80" + b"\0" * (width - 1)))
    data[at : at + width] = value[: len(data[at : at + width])]


def truncate(data: bytearray, rng: random.Random) -> None:
    """Cut the end off."""
    del data[rng.randint(0, len(data)) :]


def remove_start(data: bytearray, rng: random.Random) -> None:
    """Cut up to a tenth of the start off."""
    del data[: rng.randint(0, len(data) // 10)]


def swap_blocks(data: bytearray, rng: random.Random) -> None:
    """Exchange two blocks of the same length."""
    length = rng.randint(1, max(1, len(data) // 4))
    first, second = sorted(rng.randint(0, max(0, len(data) - length)) for _ in range(2))
    data[first : first + length], data[second : second + length] = (
        data[second : second + length],
        data[first : first + length],
    )


def insert_zeros(data: bytearray, rng: random.Random) -> None:
    """Insert 1 to 4,096 zeros."""
    at = rng.randint(0, len(data))
    data[at:at] = bytes(rng.randint(1, 4096))


def zero_block(data: bytearray, rng: random.Random) -> None:
    """Overwrite up to a tenth with zeros."""
    length = rng.randint(1, max(1, len(data) // 10))
    at = rng.randint(0, max(0, len(data) - length))
    data[at : at + length] = bytes(len(data[at : at + length]))


def repeat_block(data: bytearray, rng: random.Random) -> None:
    """Insert a copy of a block elsewhere."""
    length = rng.randint(1, max(1, len(data) // 4))
    start, at = rng.randint(0, max(0, len(data) - length)), rng.randint(0, len(data))
    data[at:at] = data[start : start + length]


def _structural(data: bytearray, rng: random.Random) -> int:
    """Return a position near the start or, less often, near the end."""
    near = min(HEADER, len(data))
    return rng.randrange(near) if rng.random() < 0.7 else len(data) - 1 - rng.randrange(near)


MUTATIONS = {
    mutation.__name__.replace("_", " "): mutation
    for mutation in (
        flip_bits,
        change_header,
        set_extreme_number,
        truncate,
        remove_start,
        swap_blocks,
        insert_zeros,
        zero_block,
        repeat_block,
    )
}
