"""What a GGUF file says about itself, read without loading it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, BinaryIO

from anyanomaly.errors import BackendError, UsageError

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _LIST = 8, 9


def read_header(path: Path) -> dict[str, Any]:
    """Return the metadata of the GGUF file at ``path``: its name to a number, a string, or a list of them.

    :raises UsageError: when it is no GGUF file. :raises BackendError: when it is cut short or broken.
    """
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise UsageError(f"{path.name!r} is not a GGUF file. Give the .gguf file of a model.")
            _, _, n_values = struct.unpack("<IQQ", file.read(20))
            return {_string(file): _value(file, _number(file, "I")) for _ in range(n_values)}
    except (struct.error, UnicodeDecodeError, KeyError, MemoryError, OverflowError) as error:
        raise BackendError(f"The GGUF file {path.name!r} is broken or cut short. Get it again.") from error
    except OSError as error:
        raise BackendError(f"The GGUF file {path.name!r} cannot be read: {error.strerror}.") from error


def _number(file: BinaryIO, kind: str) -> Any:
    return struct.unpack(f"<{kind}", file.read(struct.calcsize(kind)))[0]


def _string(file: BinaryIO) -> str:
    length = _number(file, "Q")
    text = file.read(length)
    if len(text) != length:
        raise struct.error("the file ends here")
    return text.decode("utf-8")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind != _LIST:
        return _number(file, _NUMBERS[kind])
    of, length = _number(file, "I"), _number(file, "Q")
    if of in {_STRING, _LIST}:
        return [_value(file, of) for _ in range(length)]
    return list(struct.unpack(f"<{length}{_NUMBERS[of]}", file.read(length * struct.calcsize(_NUMBERS[of]))))
