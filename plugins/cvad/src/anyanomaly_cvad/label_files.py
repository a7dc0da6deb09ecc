"""Label files: HDF5, npy, MATLAB, CSV and JSON. What is broken is one sentence; nothing in a file can run code."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from anyanomaly.errors import DatasetError
from anyanomaly_cvad.matlab import read_mat
from anyanomaly_cvad.spans import Labels, Spans, checked_labels, checked_spans

SUFFIXES = (".h5", ".hdf5", ".npy", ".mat", ".csv", ".json")


def read_labels(path: Path, video: str, key: str = "") -> Labels | Spans:
    """Return the labels of a video.

    :param video: its name, by which files of several videos are asked. :param key: asked for instead, if given.
    :raises DatasetError: when the file is missing, broken or holds something else.
    """
    if not path.is_file():
        raise DatasetError(f"There is no label file {path}, which video '{video}' should have.")
    where = f"{path}{f'#{key}' if key else ''}"
    match path.suffix.lower():
        case ".h5" | ".hdf5":
            return _picked(read_h5(path), key or video, where)
        case ".npy":
            return checked_labels(_read_npy(path), where)
        case ".mat":
            return checked_labels(read_mat(path, key), where)
        case ".csv":
            return _read_csv(path)
        case ".json":
            return _from_json(read_json(path), key or video, where)
        case other:
            raise DatasetError(f"{path}: labels are read from {', '.join(SUFFIXES)}, not from '{other}' files.")


def read_h5(path: Path) -> dict[str, Labels]:
    """Return the labels per key of an HDF5 file, sorted by key.

    :raises DatasetError: when it is no HDF5 file, cut short, or holds something else than labels.
    """
    try:
        with h5py.File(path, "r") as file:
            values = {name: item[()] for name, item in sorted(file.items()) if isinstance(item, h5py.Dataset)}
    except (OSError, RuntimeError, KeyError) as error:
        raise DatasetError(
            f"{path} cannot be read as HDF5: it is cut short or of another kind. Get it again."
        ) from error
    if not values:
        raise DatasetError(f"{path} holds no labels: it has no data sets.")
    return {name: checked_labels(value, f"{path}#{name}") for name, value in values.items()}


def read_json(path: Path) -> Any:
    """Return a JSON file's value.

    :raises DatasetError: when it cannot be read.
    """
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path} is no valid JSON: {error}.") from error


def read_text(path: Path) -> str:
    """Return a text file's content.

    :raises DatasetError: when it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as text: {error}.") from error


def _picked(found: dict[str, Labels], key: str, where: str) -> Labels:
    if key in found:
        return found[key]
    if len(found) == 1 and "#" not in where:
        return next(iter(found.values()))
    raise DatasetError(f"{where} has no labels of '{key}'; it has {', '.join(list(found)[:5])}.")


def _read_npy(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        if "allow_pickle" in str(error):
            raise DatasetError(
                f"{path} holds pickled Python objects, which could run code, so it is not read. "
                f"Save it as a plain array of 0 and 1."
            ) from error
        raise DatasetError(
            f"{path} cannot be read as npy: it is cut short or of another kind. Get it again."
        ) from error


def _from_json(value: Any, key: str, where: str) -> Labels | Spans:
    """Read [0, 1, ...], [[start, stop], ...], {"spans": ..., "unit": ...}, or one of these per video."""
    if isinstance(value, dict) and "spans" not in value:
        if key not in value:
            raise DatasetError(f"{where} has no labels of '{key}'; it has {', '.join(list(value)[:5]) or 'none'}.")
        value = value[key]
    unit = "frames"
    if isinstance(value, dict):
        if unknown := set(value) - {"spans", "unit"}:
            raise DatasetError(f"{where}: '{min(unknown)}' is unknown beside spans and unit.")
        value, unit = value.get("spans"), str(value.get("unit", unit))
    if not isinstance(value, list):
        raise DatasetError(f"{where}: labels are a list of 0 and 1 or of spans, not {type(value).__name__}.")
    if not value or isinstance(value[0], list):
        return checked_spans(value, unit, where)
    return checked_labels(value, where)


def _read_csv(path: Path) -> Labels | Spans:
    """Read one column of 0 and 1, or columns start and stop (frames), or start_s and stop_s (seconds)."""
    rows = [row for row in csv.reader(read_text(path).splitlines()) if any(cell.strip() for cell in row)]
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    for names, unit in ((["start", "stop"], "frames"), (["start_s", "stop_s"], "seconds")):
        if head == names:
            return checked_spans(rows[1:], unit, str(path))
    cells = rows[1:] if head and not re.match(r"[-+.\d]", head[0]) else rows
    if not cells or {len(row) for row in cells} != {1}:
        raise DatasetError(
            f"{path}: labels are one column of 0 and 1, a row per frame, or spans under start,stop (frames) or "
            f"start_s,stop_s (seconds)."
        )
    try:
        return checked_labels([float(row[0]) for row in cells], str(path))
    except ValueError as error:
        raise DatasetError(f"{path}: labels are numbers 0 and 1: {error}.") from error
