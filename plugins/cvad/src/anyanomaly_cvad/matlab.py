"""Labels from MATLAB files, including version 7.3, whose files are HDF5."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.io import loadmat

from anyanomaly.errors import DatasetError
from anyanomaly.outside_files import open_regular
from anyanomaly.rehearsal import rehearse
from anyanomaly_cvad.hdf5 import datasets, read_array

MAX_MEMORY_BYTES = 3 * 2**28
"""Memory in which a label file must be readable."""

PREFERRED = ("volLabel", "labels", "label", "gt")


def rehearse_labels(target: str, path: Path, *arguments: str) -> None:
    """Read a label file in a child process first: its library may crash, or unpack gigabytes.

    :raises DatasetError: when it cannot be opened or read there.
    """
    try:
        open_regular(path).close()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    rehearse(target, str(path), *arguments, name=str(path), error=DatasetError, max_bytes=MAX_MEMORY_BYTES)


def read_mat(path: Path, variable: str = "") -> Any:
    """Return an array with a value per frame; from a cell array of masks: whether each mask has a positive pixel.

    :param variable: name of the variable; empty: ``volLabel``, ``labels``, ``label``, ``gt``, or the only one.
    :raises DatasetError: when the file is broken, or has no such variable.
    """
    rehearse_labels("anyanomaly_cvad.matlab:read_mat_here", path, variable)
    return read_mat_here(path, variable)


def read_mat_here(path: str | Path, variable: str) -> Any:
    """Return an array as `read_mat` does, in this process at once."""
    path = Path(path)
    try:
        variables = _load(path)
    except NotImplementedError:  # version 7.3
        return _read_hdf5(path, variable)
    value = variables[_pick_variable(path, list(variables), variable)]
    if value.dtype == object:
        masks = value.ravel(order="F")
        if any(getattr(mask, "dtype", value.dtype).kind not in "buif" for mask in masks):
            raise DatasetError(f"{path}: the cells of a cell array of labels must be masks of numbers.")
        return np.array([bool(np.any(mask)) for mask in masks])
    return value


def read_cells(path: Path, variable: str) -> list[Any]:
    """Return the arrays of a cell array.

    :raises DatasetError: when the file is broken, is of version 7.3, or has no such cell array.
    """
    rehearse_labels("anyanomaly_cvad.matlab:read_cells_here", path, variable)
    return read_cells_here(path, variable)


def read_cells_here(path: str | Path, variable: str) -> list[Any]:
    """Return the arrays of a cell array as `read_cells` does, in this process at once."""
    path = Path(path)
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
    except (NotImplementedError, MemoryError):
        raise
    except Exception as error:  # scipy raises many types for bytes that are no MATLAB file
        raise DatasetError(
            f"{path} cannot be read as a MATLAB file: it is incomplete or has another format. Download it again."
        ) from error


def _read_hdf5(path: Path, variable: str) -> Any:
    try:
        with h5py.File(path, "r") as file:
            variables = datasets(file)
            item = variables[_pick_variable(path, list(variables), variable)]
            value = read_array(item)
            if h5py.check_ref_dtype(item.dtype) is not None:  # MATLAB stores a cell array as references to its cells
                cells = [file[reference] for reference in value.ravel()]
                return np.array([bool(np.any(read_array(cell))) and "MATLAB_empty" not in cell.attrs for cell in cells])
            return value
    except ValueError as error:
        raise DatasetError(f"{path}: {error}.") from error
    except (OSError, RuntimeError, KeyError, AttributeError, MemoryError) as error:
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
