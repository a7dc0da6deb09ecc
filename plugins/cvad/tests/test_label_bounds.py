"""Label files that declare more than they hold, lead to other files, or crash the library that reads them."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from anyanomaly_cvad.label_files import read_labels
from scipy.io import savemat

from anyanomaly.errors import DatasetError


def h5(write: Callable[[h5py.File], object]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(path.with_name("other.h5"), "w") as other:
            other["v"] = [0, 1]
        with h5py.File(path, "w") as file:
            write(file)

    return make


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((2,), "i8")
    layout[:] = h5py.VirtualSource(str(Path(file.filename).with_name("other.h5")), "v", (2,))
    file.create_virtual_dataset("v", layout)


def npy(dtype: str, shape: str, content: bytes = bytes(100)) -> Callable[[Path], None]:
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return lambda path: path.write_bytes(b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header + content) and None


def archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def sparse_npy(path: Path) -> None:
    npy("|u1", "(1099511627776,)")(path)
    os.truncate(path, 2**40 + 4096)


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matlab_array(kind: int, size: tuple[int, int], content: bytes, name: bytes = b"") -> bytes:
    head = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack("<ii", *size)) + element(1, name)
    return element(14, head + content)


def mat(array: bytes) -> Callable[[Path], None]:
    head = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<HH", 0x0100, 0x4D49)
    return lambda path: path.write_bytes(head + array) and None


def nested_cells() -> bytes:
    array = matlab_array(6, (1, 1), element(9, bytes(8)))
    for _ in range(10_000):
        array = matlab_array(1, (1, 1), array)
    return matlab_array(1, (1, 1), array, b"labels")


def text(content: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(content) and None


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.h5", h5(lambda file: file.create_dataset("v", (10**12,), "u1", chunks=(1024,))), "declares the shape"),
        ("a.h5", h5(lambda file: file.create_dataset("v", (2,), "u1", maxshape=(None,), chunks=(2**31,))), "more than"),
        ("a.h5", h5(lambda file: file.__setitem__("v", h5py.ExternalLink("other.h5", "/v"))), "is a link"),
        ("a.h5", h5(lambda file: file.__setitem__("v", h5py.SoftLink("/v"))), "is a link"),
        ("a.h5", h5(lambda file: file.create_dataset("v", (9,), "u1", external=[("/etc/hostname", 0, 9)])), "another"),
        ("a.h5", h5(virtual), "stored in another file"),
        ("a.h5", h5(lambda file: file.create_dataset("v", data=["a", "b"])), "holds no numbers"),
        ("a.h5", h5(lambda file: file.__setitem__("v", file["/"])), "no HDF5 dataset"),
        ("a.npy", npy("|u1", "(1000000000000,)"), "cannot be read"),
        ("a.npy", npy("<f8", "(4611686018427387904, 4)"), "cannot be read"),
        ("a.npy", npy("|S1000000000", "(1000,)"), "cannot be read"),
        ("a.npy", npy("|V0", "(1000000000000,)"), "must be numbers"),
        ("a.npy", npy("|O", "(3,)"), "pickled Python objects"),
        ("a.npy", npy("|u1", "(" * 5000), "cannot be read"),
        ("a.npy", sparse_npy, "cannot be read"),
        ("a.npy", archive, "cannot be read"),
        ("a.mat", mat(matlab_array(6, (2**30, 2**30), element(9, bytes(8)), b"labels")), "cannot be read|memory"),
        ("a.mat", mat(nested_cells()), "SIGSEGV|cannot be read"),
        ("a.json", text("[" * 200_000), "no valid JSON"),
        ("a.json", text(f"[[0, 1{'0' * 400}]]"), "must be a start and a stop"),
        ("a.json", text(f"[[0, 1{'0' * 5000}]]"), "no valid JSON"),
        ("a.json", text("[[0, Infinity]]"), "does not stop"),
        ("a.json", text("[0, [1, 2]]"), "lists of different lengths"),
        ("a.json", text("[" * 90 + "]" * 90), "must be a start and a stop"),
        ("a.csv", text("start,stop\n0,1e400\n"), "does not stop"),
        ("a.csv", text("0" * 200_000), "cannot be read as CSV"),
        ("a.csv", lambda path: os.truncate(path.touch() or path, 2**40), "Larger than"),
    ],
)
def test_it_is_one_sentence_that_names_the_file(
    name: str, make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    make(tmp_path / name)
    with pytest.raises(DatasetError, match=message) as caught:
        read_labels(tmp_path / name, "v")
    assert name in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_file_that_unpacks_to_more_memory_than_labels_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    savemat(tmp_path / "a.mat", {"labels": np.zeros(2**27, "u1")}, do_compression=True)
    monkeypatch.setattr("anyanomaly_cvad.matlab.MAX_MEMORY_BYTES", 2**26)
    with pytest.raises(DatasetError, match=r"a\.mat takes more than 0\.062 GiB of memory"):
        read_labels(tmp_path / "a.mat", "v")
