"""Labels from MATLAB files, including version 7.3, whose files are HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat

from anyanomaly.errors import DatasetError

PREFERRED = ("volLabel", "labels", "label", "gt")


def read_mat(path: Path, variable: str = "") -> Any:
    """Return an array with a value per frame; from a cell array of masks: whether each mask has a positive pixel.

    :param variable: name of the variable; empty: ``volLabel``, ``labels``, ``label``, ``gt``, or the only one.
    :raises DatasetError: when the file is broken, or has no such variable.
    """
    try:
        variables = _load(path)
    except NotImplementedError:  # version 7.3
        return _read_hdf5(path, variable)
    value = variables[_pick_variable(path, list(variables), variable)]
    if value.dtype == object:
        return np.array([bool(np.any(mask)) for mask in value.ravel(order="F")])
    return value


def read_cells(path: Path, variable: str) -> list[Any]:
    """Return the arrays of a cell array.

    :raises DatasetError: when the file is broken, is of version 7.3, or has no such cell array.
    """
    try:
        value = _load(path).get(variable)
    except NotImplementedError as error:
        raise DatasetError(f"{path} is a MATLAB file of version 7.3. Save it with the option -v7.") from error
    if value is None or value.dtype != object:
        raise DatasetError(f"{path} holds no cell array {variable}. Download it again.")
    return list(value.ravel(order="F"))


def _load(path: Path) -> dict[str, Any]:
    """Return the variables of a MATLAB file.

    :raises NotImplementedError: for version 7.3. :raises DatasetError: when the file is broken.
    """
    try:
        return {name: value for name, value in loadmat(path).items() if not name.startswith("__")}
    except NotImplementedError:
        raise
    except Exception as error:  # scipy raises many types for bytes that are no MATLAB file
        raise DatasetError(
            f"{path} cannot be read as a MATLAB file: it is incomplete or has another format. Download it again."
        ) from error


def _read_hdf5(path: Path, variable: str) -> Any:
    try:
        with h5py.File(path, "r") as file:
            names = [name for name, item in file.items() if isinstance(item, h5py.Dataset) and isinstance(name, str)]
            item = file[_pick_variable(path, names, variable)]
            value = item[()]
            if h5py.check_ref_dtype(item.dtype) is not None:  # MATLAB stores a cell array as references to its cells
                cells = [file[reference] for reference in value.ravel()]
                return np.array([bool(np.any(cell[()])) and "MATLAB_empty" not in cell.attrs for cell in cells])
            return value
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise DatasetError(
            f"{path} cannot be read as a MATLAB file (version 7.3): it is incomplete. Download it again."
        ) from error


def _pick_variable(path: Path, names: list[str], variable: str) -> str:
    preferred = [name for name in PREFERRED if name in names]
    candidates = [variable] if variable else preferred[:1] or names
    if len(candidates) == 1 and candidates[0] in names:
        return candidates[0]
    listing = ", ".join(names) or "none"
    raise DatasetError(
        f"Cannot tell which variable of {path} holds the labels; its variables: {listing}. Name one: FILE#VARIABLE."
    )
