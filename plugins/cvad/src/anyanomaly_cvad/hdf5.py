"""Arrays from HDF5 files of strangers: only what is in the file itself, and only as much as labels can be."""

from __future__ import annotations

from math import prod
from typing import Any

import h5py

MAX_BYTES = 2**28
"""Largest array, and largest block of one that is stored compressed."""


def datasets(file: h5py.File) -> dict[str, h5py.Dataset]:
    """Return the datasets at the top of a file, sorted by name.

    :raises ValueError: for a link, which may lead to another file.
    """
    items: dict[str, h5py.Dataset] = {}
    for name in sorted(file, key=str):
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):  # looking at the link follows none
            raise ValueError(f"'{name}' is a link to another place or file. Store the labels themselves")
        if isinstance(item := file[name], h5py.Dataset):
            items[_decode_key(name)] = item
    return items


def _decode_key(name: str | bytes) -> str:
    """Return a key of an HDF5 file; h5py gives bytes for one that is not UTF-8."""
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def read_array(item: h5py.Dataset) -> Any:
    """Return the content of a dataset: an array of numbers or of references.

    :raises ValueError: when it is stored in another file, is too large, or holds no numbers.
    """
    name = item.name
    if item.external or item.is_virtual:
        raise ValueError(f"'{name}' is stored in another file. Store the labels themselves")
    if item.dtype.kind not in "buif" and h5py.check_ref_dtype(item.dtype) is None:
        raise ValueError(f"'{name}' holds no numbers, but values of type {item.dtype}")
    if max(prod(item.shape or ()), prod(item.chunks or ())) * item.dtype.itemsize > MAX_BYTES:
        raise ValueError(f"'{name}' declares the shape {item.shape}, more than {MAX_BYTES // 2**20} MiB")
    return item[()]
