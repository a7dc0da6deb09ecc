"""The metadata of a GGUF file, read without loading it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from anyanomaly.errors import BackendError, UsageError
from anyanomaly.outside_files import open_regular

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _LIST = 8, 9
MAX_LENGTH = 2**24
"""Most characters of a string, and items of a list: a vocabulary has some hundred thousand."""


def read_header(path: Path) -> dict[str, Any]:
    """Return the metadata of the GGUF file at ``path``: name to a number, a string, or a list of them.

    :raises UsageError: when it is no GGUF file. :raises BackendError: when it is truncated or damaged.
    """
    try:
        with open_regular(path) as file:
            if file.read(4) != b"GGUF":
                raise UsageError(f"{path.name!r} is not a GGUF file. Give the .gguf file of a model.")
            _, _, n_values = struct.unpack("<IQQ", file.read(20))
            return {_read_string(file): _read_value(file, _read_number(file, "I")) for _ in range(n_values)}
    except (struct.error, UnicodeDecodeError, KeyError, MemoryError, OverflowError, RecursionError) as error:
        raise BackendError(f"The GGUF file {path.name!r} is truncated or damaged. Download it again.") from error
    except OSError as error:
        raise BackendError(f"The GGUF file {path.name!r} cannot be read: {error.strerror}.") from error


@contextmanager
def header_errors(model: str, mmproj: str) -> Iterator[None]:
    """Turn what a value of the wrong type or size causes into a ``BackendError`` that names both files."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, MemoryError) as error:
        raise BackendError(
            f"The header of {model!r} or {mmproj!r} holds a value that makes no sense ({error}). Download them again."
        ) from error


def _read_number(file: BinaryIO, format_code: str) -> Any:
    return struct.unpack(f"<{format_code}", file.read(struct.calcsize(format_code)))[0]


def _read_string(file: BinaryIO) -> str:
    length = _read_number(file, "Q")
    if length > MAX_LENGTH:
        raise struct.error("too long")
    text = file.read(length)
    if len(text) != length:
        raise struct.error("the file ends here")
    return text.decode("utf-8")


def _read_value(file: BinaryIO, value_type: int) -> Any:
    if value_type == _STRING:
        return _read_string(file)
    if value_type != _LIST:
        return _read_number(file, _NUMBERS[value_type])
    item_type, length = _read_number(file, "I"), _read_number(file, "Q")
    if length > MAX_LENGTH:
        raise struct.error("too long")
    if item_type in {_STRING, _LIST}:
        return [_read_value(file, item_type) for _ in range(length)]
    format_code = _NUMBERS[item_type]
    return list(struct.unpack(f"<{length}{format_code}", file.read(length * struct.calcsize(format_code))))
