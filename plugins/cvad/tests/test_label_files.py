"""Label files: each format gives the same labels; a broken file gives a one-line error that names it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from anyanomaly_cvad.label_files import read_labels
from anyanomaly_cvad.spans import Spans
from scipy.io import savemat

from anyanomaly.errors import DatasetError

LABELS = np.array([0, 0, 1, 1, 0], np.uint8)


def h5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["clip"], file["other"] = LABELS, 1 - LABELS


def mat73(path: Path, cells: bool = False) -> None:
    """Write the format that MATLAB saves with -v7.3: HDF5 after a block of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        if cells:
            kind = h5py.ref_dtype
            refs = file.create_dataset("volLabel", (5, 1), kind)
            for number, positive in enumerate(LABELS):
                mask = np.zeros((6, 4), np.uint8)
                mask[2, 1] = positive
                refs[number, 0] = file.create_dataset(f"#refs#/{number}", data=mask).ref
        else:
            file["labels"] = LABELS.reshape(-1, 1).astype(np.float64)
    content = bytearray(path.read_bytes())
    content[:128] = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM"
    path.write_bytes(content)


def masks() -> np.ndarray:
    cells = np.empty((1, 5), object)
    for number, positive in enumerate(LABELS):
        cells[0, number] = np.full((3, 4), positive, np.uint8)
    return cells


WRITERS: dict[str, Callable[[Path], object]] = {
    "one.h5": lambda path: h5(path),
    "one.npy": lambda path: np.save(path, LABELS),
    "row.npy": lambda path: np.save(path, LABELS.reshape(1, -1).astype(bool)),
    "one.mat": lambda path: savemat(path, {"label": LABELS.reshape(-1, 1), "fps": 25.0}),
    "masks.mat": lambda path: savemat(path, {"volLabel": masks()}),
    "v73.mat": lambda path: mat73(path),
    "v73-masks.mat": lambda path: mat73(path, cells=True),
    "one.csv": lambda path: path.write_text("label\n0\n0\n1\n1\n0\n"),
    "bare.csv": lambda path: path.write_text("0\n0\n1\n1\n0\n"),
    "saved.csv": lambda path: np.savetxt(path, LABELS),  # its first line is a value
    "one.json": lambda path: path.write_text("[0, 0, 1, 1, 0]"),
    "by-video.json": lambda path: path.write_text('{"clip": [0, 0, 1, 1, 0], "other": [1]}'),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_labels(name: str, tmp_path: Path) -> None:
    WRITERS[name](tmp_path / name)
    labels = read_labels(tmp_path / name, "clip")
    assert isinstance(labels, np.ndarray)
    assert labels.dtype == np.bool_
    assert labels.tolist() == LABELS.tolist()
    assert not labels.flags.writeable


@pytest.mark.parametrize(
    ("name", "content", "unit"),
    [
        ("a.csv", "start,stop\n30,40\n2,5\n", "frames"),
        ("a.csv", "start_s,stop_s\n2,5\n30,40\n", "seconds"),
        ("a.json", "[[2, 5], [30, 40]]", "frames"),
        ("a.json", '{"spans": [[2, 5], [30, 40]], "unit": "seconds"}', "seconds"),
        ("a.json", '{"clip": {"spans": [[2, 5], [30, 40]], "unit": "frames"}}', "frames"),
    ],
)
def test_spans_in_frames_or_seconds(name: str, content: str, unit: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    assert read_labels(tmp_path / name, "clip") == Spans(((2.0, 5.0), (30.0, 40.0)), unit)  # type: ignore[arg-type]


def test_a_key_picks_the_labels_of_one_video(tmp_path: Path) -> None:
    h5(tmp_path / "a.h5")
    assert read_labels(tmp_path / "a.h5", "clip", "other").tolist() == (1 - LABELS).tolist()  # type: ignore[union-attr]


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, ("ran",))


def write_half(path: Path, writer: Callable[[Path], object]) -> None:
    writer(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "cut.h5": (lambda path: write_half(path, h5), "cannot be read as HDF5: it is incomplete"),
    "other.h5": (lambda path: path.write_text("hello"), "cannot be read as HDF5"),
    "no-such-video.h5": (
        lambda path: (
            h5py.File(path, "w").create_dataset("x", data=LABELS).file.create_dataset("y", data=LABELS).file.close()
        ),
        r"has no labels of 'clip'\. Its keys: x, y",
    ),
    "empty.h5": (lambda path: h5py.File(path, "w").close(), "holds no labels"),
    "cut.npy": (lambda path: write_half(path, lambda complete: np.save(complete, LABELS)), "cannot be read as npy"),
    "empty.npy": (lambda path: path.touch(), "cannot be read as npy"),
    "pickled.npy": (lambda path: np.save(path, np.array([Evil()], object)), "pickled Python objects"),
    "words.npy": (lambda path: np.save(path, np.array(["a"])), "labels must be numbers 0 and 1"),
    "scores.npy": (lambda path: np.save(path, np.array([0, 0.5, 1])), "1 are not, the first is 0.5"),
    "nan.npy": (lambda path: np.save(path, np.array([0, np.nan])), "1 are not, the first is nan"),
    "square.npy": (lambda path: np.save(path, np.zeros((4, 4))), r"one row.*their shape is \(4, 4\)"),
    "none.npy": (lambda path: np.save(path, np.zeros(0)), "one row"),
    "cut.mat": (lambda path: write_half(path, WRITERS["masks.mat"]), "cannot be read as a MATLAB file"),
    "cut73.mat": (lambda path: write_half(path, mat73), r"MATLAB file \(version 7.3\): it is incomplete"),
    "two.mat": (lambda path: savemat(path, {"a": LABELS, "b": LABELS}), "its variables: a, b. Name one: FILE#VARIABLE"),
    "bad.json": (lambda path: path.write_text("[0, 1"), "no valid JSON"),
    "other.json": (lambda path: path.write_text('{"else": [0]}'), r"has no labels of 'clip'\. Its keys: else"),
    "unit.json": (lambda path: path.write_text('{"spans": [[1, 2]], "unit": "hours"}'), "not 'hours'"),
    "back.json": (lambda path: path.write_text("[[5, 2]]"), "the span 5 to 2 frames does not stop after its start"),
    "three.json": (lambda path: path.write_text("[[1, 2, 3]]"), "a span must be a start and a stop"),
    "number.json": (lambda path: path.write_text("7"), "not int"),
    "wide.csv": (lambda path: path.write_text("0,1\n1,0\n"), "one column of 0 and 1"),
    "word.csv": (lambda path: path.write_text("label\nyes\n"), "labels must be numbers 0 and 1"),
    "empty.csv": (lambda path: path.touch(), "one column of 0 and 1"),
    "latin.csv": (lambda path: path.write_bytes(b"\xff\xfe\x00"), "cannot be read as text"),
    "labels.xml": (lambda path: path.touch(), r"not from '\.xml' files"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_an_error_that_names_it(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write, message = BROKEN[name]
    write(tmp_path / name)
    with pytest.raises(DatasetError, match=message) as caught:
        read_labels(tmp_path / name, "clip")
    assert name in str(caught.value)
    assert not Path("ran").exists()


def test_a_missing_file_gives_an_error_that_names_its_video(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"Video 'clip': there is no label file .*a\.npy"):
        read_labels(tmp_path / "a.npy", "clip")
