"""Hostile inputs that several classes share: bytes, texts, names and numbers."""

from __future__ import annotations

import random
from collections.abc import Callable

BIDI = "\u202e\u2066\u200f\u061c"
CONTROLS = "\x00\x07\x08\x1b\x7f\x80\x9b\x85"
SEPARATORS = "\u2028\u2029\x0b\x0c\x1c\x1d\x1e\r\n"
SURROGATES = "\ud800\udc80\udfff"
ODD_LETTERS = "aZ é\u0301 日本 🚲 \U0001f469\u200d\U0001f467 ﷽ ß İ ı Ω ٠ ५ \ufeff \u00ad \u200b \uffff \U0010ffff"
ESCAPES = (
    "\x1b]0;owned\x07",
    "\x1b[2J\x1b[1;1H",
    "\x1b]8;;http://evil\x1b\\x",
    "\x9b31m",
    "\x1bP0;0|x\x1b\\",
    "\r    ok",
)
FORMULAS = ("=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", '=HYPERLINK("http://evil")', "＝1+1")
TEMPLATE_TRAPS = (
    "{text}",
    "{0}",
    "{text.__class__}",
    "%s%n",
    "${HOME}",
    "$(touch canary)",
    "`touch canary`",
    "{{x}}",
    "{",
)
NUMBERS = (
    "0",
    "-1",
    "-0.0",
    "1e308",
    "1e309",
    "-1e400",
    "nan",
    "inf",
    "-inf",
    "9" * 400,
    "2147483648",
    "9223372036854775808",
    "18446744073709551616",
    "0x10",
    "1_000",
    "１２",
    "1e-320",
    "0.1.2",
    "",
    " ",
    "null",
    "true",
    "1,5",
    "1/0",
)


def hostile_text(rng: random.Random, max_parts: int = 6) -> str:
    """Return a text of ordinary words mixed with what terminals, parsers and templates may stumble over."""
    pools = (
        lambda: rng.choice(("red", "a bicycle", "Score", "0.5", "yes", "人")),
        lambda: "".join(rng.choices(CONTROLS, k=rng.randint(1, 4))),
        lambda: "".join(rng.choices(BIDI, k=rng.randint(1, 3))),
        lambda: "".join(rng.choices(SEPARATORS, k=rng.randint(1, 3))),
        lambda: "".join(rng.choices(SURROGATES, k=rng.randint(1, 2))),
        lambda: "".join(rng.choices(ODD_LETTERS, k=rng.randint(1, 12))),
        lambda: rng.choice(ESCAPES),
        lambda: rng.choice(FORMULAS),
        lambda: rng.choice(TEMPLATE_TRAPS),
        lambda: rng.choice(NUMBERS),
        lambda: rng.choice("ab(<[{\"'\\/-=|,;") * rng.choice((1, 2, 50, 3000)),
        lambda: "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randint(1, 5))),
    )
    return "".join(rng.choice(pools)() for _ in range(rng.randint(1, max_parts)))


def _flip(rng: random.Random, data: bytearray) -> bytearray:
    for _ in range(rng.choice((1, 2, 8, 64))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _flip_head(rng: random.Random, data: bytearray) -> bytearray:
    for _ in range(rng.choice((1, 2, 8))):
        data[rng.randrange(min(len(data), 256))] = rng.randrange(256)
    return data


def _truncate(rng: random.Random, data: bytearray) -> bytearray:
    return data[: rng.randrange(len(data))]


def _zero(rng: random.Random, data: bytearray) -> bytearray:
    start = rng.randrange(len(data))
    stop = min(len(data), start + rng.choice((4, 64, 1024, len(data))))
    data[start:stop] = bytes(stop - start)
    return data


def _remove(rng: random.Random, data: bytearray) -> bytearray:
    start = rng.randrange(len(data))
    del data[start : start + rng.choice((1, 16, 512))]
    return data


def _repeat(rng: random.Random, data: bytearray) -> bytearray:
    start = rng.randrange(len(data))
    piece = data[start : start + rng.choice((4, 128, 2048))]
    data[start:start] = piece * rng.choice((1, 3, 100))
    return data


def _swap(rng: random.Random, data: bytearray) -> bytearray:
    size = rng.choice((4, 64, 512))
    first, second = rng.randrange(len(data)), rng.randrange(len(data))
    a, b = bytes(data[first : first + size]), bytes(data[second : second + size])
    data[first : first + len(b)] = b
    data[second : second + len(a)] = a
    return data


def _huge_number(rng: random.Random, data: bytearray) -> bytearray:
    """Write a number beyond sense over four or eight bytes that may be a size or a count."""
    width = rng.choice((2, 4, 8))
    start = rng.randrange(max(1, min(len(data), rng.choice((128, 1024, len(data))))))
    value = rng.choice((0, 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 2 ** (8 * width) - 1, 65536))
    value %= 2 ** (8 * width)
    data[start : start + width] = value.to_bytes(width, rng.choice(("big", "little")))
    return data


def _noise(rng: random.Random, data: bytearray) -> bytearray:
    start = rng.randrange(len(data))
    size = min(len(data) - start, rng.choice((16, 256, 4096)))
    data[start : start + size] = rng.randbytes(size)
    return data


def _append(rng: random.Random, data: bytearray) -> bytearray:
    return data + (data if rng.random() < 0.5 else rng.randbytes(rng.choice((1, 100, 5000))))


MUTATIONS: dict[str, Callable[[random.Random, bytearray], bytearray]] = {
    "flipped": _flip,
    "head flipped": _flip_head,
    "truncated": _truncate,
    "zeroed": _zero,
    "removed": _remove,
    "repeated": _repeat,
    "swapped": _swap,
    "huge number": _huge_number,
    "noise": _noise,
    "appended": _append,
}


def mutate(rng: random.Random, content: bytes) -> tuple[str, bytes]:
    """Return the name of a mutation and the bytes after it; a third of the time, after a second one."""
    name = rng.choice(list(MUTATIONS))
    data = MUTATIONS[name](rng, bytearray(content))
    if data and rng.random() < 0.33:
        data = rng.choice(list(MUTATIONS.values()))(rng, data)
    return name, bytes(data)
