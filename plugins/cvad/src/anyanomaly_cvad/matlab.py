"""MATLAB files, those of version 7.3 too, which are HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat

from anyanomaly.errors import DatasetError

PREFERRED = ("volLabel", "labels", "label", "gt")


def read_mat(path: Path, variable: str = "") -> Any:
    """Return a label per frame: a row of numbers, or, of a cell per frame, whether its mask has a pixel.

    :param variable: its name; empty: ``volLabel``, ``labels``, ``label``, ``gt``, or the only one.
    :raises DatasetError: when the file is broken, or has no such variable.
    """
    try:
        found = {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except NotImplementedError:  # version 7.3
        return _read_hdf5(path, variable)
    except Exception as error:  # whatever scipy raises for bytes that are none of its own
        raise DatasetError(
            f"{path} cannot be read as a MATLAB file: it is cut short or of another kind. Get it again."
        ) from error
    value = found[_chosen(path, list(found), variable)]
    if value.dtype == object:
        return np.array([bool(np.any(mask)) for mask in value.ravel(order="F")])
    return value


def _read_hdf5(path: Path, variable: str) -> Any:
    try:
        with h5py.File(path, "r") as file:
            names = [name for name, item in file.items() if isinstance(item, h5py.Dataset)]
            item = file[_chosen(path, names, variable)]
            value = item[()]
            if h5py.check_ref_dtype(item.dtype) is not None:  # a cell: MATLAB stores references to its parts
                parts = [file[part] for part in value.ravel()]
                return np.array([bool(np.any(part[()])) and "MATLAB_empty" not in part.attrs for part in parts])
            return value
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be read as a MATLAB file (version 7.3): it is cut short. Get it again."
        ) from error


def _chosen(path: Path, names: list[str], variable: str) -> str:
    preferred = [name for name in PREFERRED if name in names]
    fitting = [variable] if variable else preferred[:1] or names
    if len(fitting) == 1 and fitting[0] in names:
        return fitting[0]
    told = ", ".join(names) or "nothing"
    raise DatasetError(f"{path} does not say which variable holds the labels: it has {told}. Name one: FILE#VARIABLE.")
