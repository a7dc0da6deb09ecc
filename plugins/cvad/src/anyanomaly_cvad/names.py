"""Names of videos as published lists write them: with blanks, paths, repeated suffixes, in another case."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Collection
from itertools import takewhile
from pathlib import Path

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".wmv"})

_COMMENT = ("#", "//", "%")
_HEADINGS = frozenset({"video", "videos", "videoname", "name", "file", "filename", "videofile", "videopath"})


def video_name(path: Path) -> str:
    """Return the name of a video without its video suffix; other dots are part of the name."""
    return path.name[: -len(path.suffix)] if path.suffix.lower() in VIDEO_SUFFIXES else path.name


def listed_name(entry: str) -> str:
    """Return the name of a video that a list writes as a path, in quotes, or with one or more video suffixes."""
    name = entry.strip().strip("\"'").replace("\\", "/").rstrip("/").rpartition("/")[2].strip()
    while (shorter := video_name(Path(name)).strip()) != name:
        name = shorter
    return name


def name_key(name: str) -> str:
    """Return what two names of the same video have in common: blanks, case and the ending ``_x264`` do not count."""
    words = listed_name(unicodedata.normalize("NFC", name)).casefold().split()
    return " ".join(words).removesuffix("_x264")


def class_key(name: str) -> str:
    """Return what spellings of a class have in common: "RoadAccidents" and "Road_accidents"."""
    return re.sub(r"[\W_]", "", name).casefold()


def is_normal(class_name: str) -> bool:
    """Return whether the videos of a class have no events: "Normal" or "Testing_Normal_Videos_Anomaly"."""
    return "normal" in class_key(class_name).replace("abnormal", "")


def list_lines(text: str) -> list[list[str]]:
    """Return the fields of each line of a list, which blanks, tabs, commas or semicolons separate.

    Empty lines, comments, and a first line of headings are skipped.
    """
    lines = [line for line in io.StringIO(text, newline=None) if line.strip() and not line.strip().startswith(_COMMENT)]
    rows = [fields for line in lines if (fields := [field for field in re.split(r"[\s,;]+", line) if field])]
    if rows and re.sub(r"[^a-z]", "", rows[0][0].lower()) in _HEADINGS:
        del rows[0]
    return rows


def split_name(fields: list[str], n_values: int | None, known_keys: Collection[str]) -> tuple[str, list[str]]:
    """Split the fields of a line into the name of the video, which may have blanks, and the values behind it.

    :param n_values: number of values; None: any number of numbers.
    :param known_keys: ``name_key`` of videos: where several splits are possible, the longest known name is taken.
    """
    if n_values is None:
        n_numbers = len(list(takewhile(_is_number, reversed(fields[1:]))))
        starts = range(len(fields), len(fields) - n_numbers - 1, -1)
    else:
        starts = range(max(1, len(fields) - n_values), 0, -1)
    splits = [(" ".join(fields[:start]), start) for start in starts]
    default = splits[-1] if n_values is None else splits[0]
    name, start = next((split for split in splits if name_key(split[0]) in known_keys), default)
    return listed_name(name), fields[start:]


def _is_number(field: str) -> bool:
    return bool(re.fullmatch(r"[-+]?\d+(\.\d*)?", field))
