"""Label files: HDF5, npy, MATLAB, CSV and JSON. A broken file gives a one-line error; no code in a file is run."""

from __future__ import annotations

import csv
import io
import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from anyanomaly.errors import DatasetError
from anyanomaly.outside_files import open_regular, read_bounded
from anyanomaly_cvad.hdf5 import MAX_BYTES, datasets, read_array
from anyanomaly_cvad.matlab import read_mat, rehearse_labels
from anyanomaly_cvad.names import name_key
from anyanomaly_cvad.spans import Labels, Spans, parse_labels, parse_spans

SUFFIXES = (".h5", ".hdf5", ".npy", ".mat", ".csv", ".json")


def read_labels(path: Path, video: str, key: str = "") -> Labels | Spans:
    """Return the labels of a video: bool (n_frames,), or spans.

    :param video: its name, which is the key in a file of several videos.
    :param key: the key or MATLAB variable to read in place of ``video``; empty: none is given.
    :raises DatasetError: when the file is missing, broken, or holds no labels.
    """
    if not path.is_file():
        raise DatasetError(f"Video '{video}': there is no label file {path}. Check its path.")
    where = f"{path}{f'#{key}' if key else ''}"
    match path.suffix.lower():
        case ".h5" | ".hdf5":
            return _pick_labels(read_h5(path), key or video, where)
        case ".npy":
            return parse_labels(read_npy(path), where)
        case ".mat":
            return parse_labels(read_mat(path, key), where)
        case ".csv":
            return _read_csv(path)
        case ".json":
            return _parse_json(read_json(path), key or video, where)
        case suffix:
            raise DatasetError(f"{path}: labels are read from {', '.join(SUFFIXES)} files, not from '{suffix}' files.")


def read_h5(path: Path) -> dict[str, Labels]:
    """Return the labels (n_frames,) per key of an HDF5 file, sorted by key.

    :raises DatasetError: when it is no HDF5 file, is incomplete, or holds no labels.
    """
    rehearse_labels("anyanomaly_cvad.label_files:read_h5_here", path)
    return read_h5_here(path)


def read_h5_here(path: str | Path) -> dict[str, Labels]:
    """Return the labels of an HDF5 file as `read_h5` does, in this process at once."""
    try:
        with h5py.File(path, "r") as file:
            values = {name: read_array(item) for name, item in datasets(file).items()}
    except ValueError as error:
        raise DatasetError(f"{path}: {error}.") from error
    except (OSError, RuntimeError, KeyError, MemoryError) as error:
        raise DatasetError(
            f"{path} cannot be read as HDF5: it is incomplete or has another format. Download it again."
        ) from error
    if not values:
        raise DatasetError(f"{path} holds no labels: there is no HDF5 dataset in it.")
    return {name: parse_labels(value, f"{path}#{name}") for name, value in values.items()}


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    :raises DatasetError: when it cannot be read.
    """
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is no valid JSON: {error}.") from error


def read_text(path: Path) -> str:
    """Return the content of a text file.

    :raises DatasetError: when it cannot be read.
    """
    try:
        content = read_bounded(path)
        return content.decode("utf-16" if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as text: {error}.") from error


def _pick_labels(labels_by_key: dict[str, Labels], key: str, where: str) -> Labels:
    if (name := _find_key(labels_by_key, key)) is not None:
        return labels_by_key[name]
    if len(labels_by_key) == 1 and "#" not in where:
        return next(iter(labels_by_key.values()))
    raise DatasetError(f"{where} has no labels of '{key}'. Its keys: {', '.join(list(labels_by_key)[:5])}.")


def _find_key(keys: Collection[str], key: str) -> str | None:
    """Return a key, or the only one that names the same video; None: there is none."""
    similar = [key] if key in keys else [name for name in keys if name_key(name) == name_key(key)]
    return similar[0] if len(similar) == 1 else None


def read_npy(path: Path) -> Any:
    """Return the array of an npy file.

    :raises DatasetError: when it cannot be read, declares more than it holds, or holds Python objects.
    """
    try:
        with open_regular(path) as file:
            if file.read(2) == b"PK":
                raise ValueError("an archive of arrays")
        array = np.load(path, mmap_mode="r", allow_pickle=False)  # checks the declared size against the file's
        if array.nbytes > MAX_BYTES:  # a sparse file can hold any number of zeros
            raise ValueError("too large")
        return np.array(array) if array.dtype.kind in "buif" else array
    except Exception as error:  # numpy raises many types for a damaged header
        if "Python objects" in str(error) or "allow_pickle" in str(error):
            raise DatasetError(
                f"{path} holds pickled Python objects, which could run code, so it is not read. "
                f"Save it as a plain array of 0 and 1."
            ) from error
        raise DatasetError(
            f"{path} cannot be read as npy: it is incomplete or has another format. Download it again."
        ) from error


def _parse_json(value: Any, key: str, where: str) -> Labels | Spans:
    """Parse [0, 1, ...], [[start, stop], ...], {"spans": ..., "unit": ...}, or one of these per video."""
    if isinstance(value, dict) and "spans" not in value:
        if (name := _find_key(value, key)) is None:
            raise DatasetError(f"{where} has no labels of '{key}'. Its keys: {', '.join(list(value)[:5]) or 'none'}.")
        value = value[name]
    unit = "frames"
    if isinstance(value, dict):
        if unknown_keys := set(value) - {"spans", "unit"}:
            raise DatasetError(f"{where}: the key '{min(unknown_keys)}' is unknown. Use spans and unit.")
        value, unit = value.get("spans"), str(value.get("unit", unit))
    if not isinstance(value, list):
        raise DatasetError(f"{where}: labels must be a list of 0 and 1 or of spans, not {type(value).__name__}.")
    if not value or isinstance(value[0], list):
        return parse_spans(value, unit, where)
    return parse_labels(value, where)


def _read_csv(path: Path) -> Labels | Spans:
    """Read one column of 0 and 1, or columns start and stop (frames), or start_s and stop_s (seconds)."""
    try:
        rows = [
            row for row in csv.reader(io.StringIO(read_text(path), newline="")) if any(cell.strip() for cell in row)
        ]
    except csv.Error as error:
        raise DatasetError(f"{path} cannot be read as CSV: {error}.") from error
    head = [cell.strip().lower() for cell in rows[0]] if rows else []
    for columns, unit in ((["start", "stop"], "frames"), (["start_s", "stop_s"], "seconds")):
        if head == columns:
            return parse_spans(rows[1:], unit, str(path))
    label_rows = rows[1:] if head and not re.match(r"[-+.\d]", head[0]) else rows
    if not label_rows or {len(row) for row in label_rows} != {1}:
        raise DatasetError(
            f"{path}: labels must be one column of 0 and 1, a row per frame, or spans under start,stop (frames) or "
            f"start_s,stop_s (seconds)."
        )
    try:
        return parse_labels([float(row[0]) for row in label_rows], str(path))
    except ValueError as error:
        raise DatasetError(f"{path}: labels must be numbers 0 and 1: {error}.") from error
