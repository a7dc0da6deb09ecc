"""The cache folder, and the limits of the answer store in it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import ByteSize, TypeAdapter, ValidationError

from anyanomaly.engine.store_upkeep import StoreLimits
from anyanomaly.errors import InvalidOption

LIMIT_VARIABLES: Mapping[str, str] = {"ANYANOMALY_CACHE_MAX_SIZE": "2GB", "ANYANOMALY_CACHE_MAX_AGE": "180d"}
"""Variables of the limits that every run applies to the answer store, with their defaults."""

_HOURS = {"h": 1, "d": 24, "w": 7 * 24}
_MAX_HOURS = 24 * 365 * 1000
_SIZE = TypeAdapter(ByteSize)


def cache_folder() -> Path:
    """Return the cache folder: ``ANYANOMALY_CACHE_DIR``, or the one in the user's cache."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("ANYANOMALY_CACHE_DIR") or user_cache_path("anyanomaly"))


def store_path() -> Path:
    """Return the file of the answer store."""
    return cache_folder() / "answers.sqlite"


def run_store_path() -> Path:
    """Return the folder of the scores of earlier runs."""
    return cache_folder() / "runs"


def store_limits() -> StoreLimits:
    """Return the limits of the answer store, from the variables ``LIMIT_VARIABLES`` or their defaults.

    :raises InvalidOption: when a variable is no size, no age and not "off".
    """
    size, age = (os.environ.get(name) or default for name, default in LIMIT_VARIABLES.items())
    size_name, age_name = LIMIT_VARIABLES
    return StoreLimits(
        max_bytes=None if size == "off" else parse_size(size, size_name),
        max_age_s=None if age == "off" else parse_age(age, age_name),
    )


def parse_size(text: str, name: str) -> int:
    """Return a size such as "500MB" or "2GiB" in bytes: KB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024.

    :param name: of the option or variable, for the message. :raises InvalidOption: when it is no size.
    """
    try:
        return int(_SIZE.validate_python(text))
    except ValidationError:
        raise InvalidOption(f"{name}: {text!r} is not a size. Use a number with a unit, for example 2GB.") from None


def parse_age(text: str, name: str) -> float:
    """Return an age such as "12h", "30d" or "4w" in seconds: hours, days or weeks.

    :param name: of the option or variable, for the message. :raises InvalidOption: when it is no age.
    """
    match = re.fullmatch(r"([0-9]{1,9}) ?([hdw])", text.strip())
    if match is None or (hours := int(match[1]) * _HOURS[match[2]]) > _MAX_HOURS:
        raise InvalidOption(f"{name}: {text!r} is not an age. Use hours, days or weeks, for example 12h, 30d, 4w.")
    return hours * 3600.0
