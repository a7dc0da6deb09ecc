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
from anyanomaly_cvad.matlab import read_mat
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
    try:
        with h5py.File(path, "r") as file:
            items = sorted((_decode_key(name), item) for name, item in file.items())
            values = {name: item[()] for name, item in items if isinstance(item, h5py.Dataset)}
    except (OSError, RuntimeError, KeyError) as error:
        raise DatasetError(
            f"{path} cannot be read as HDF5: it is incomplete or has another format. Download it again."
        ) from error
    if not values:
        raise DatasetError(f"{path} holds no labels: there is no HDF5 dataset in it.")
    return {name: parse_labels(value, f"{path}#{name}") for name, value in values.items()}


def _decode_key(name: str | bytes) -> str:
    """Return a key of an HDF5 file; h5py gives bytes for one that is not UTF-8."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def read_json(path: Path) -> Any:
    """Return the value of a JSON file.

    :raises DatasetError: when it cannot be read.
    """
    try:
        return json.loads(read_text(path))
    except ValueError as error:
        raise DatasetError(f"{path} is no valid JSON: {error}.") from error


def read_text(path: Path) -> str:
    """Return the content of a text file.

    :raises DatasetError: when it cannot be read.
    """
    try:
        content = path.read_bytes()
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

    :raises DatasetError: when it cannot be read, or holds Python objects.
    """
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        if "allow_pickle" in str(error):
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
    rows = [row for row in csv.reader(io.StringIO(read_text(path), newline="")) if any(cell.strip() for cell in row)]
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
