"""Videos of a manifest, and the errors of rows that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from anyanomaly_cvad.manifest import Folder
from anyanomaly_cvad.options import FolderOptions

from anyanomaly.core.labels import frame_labels, last_labelled_frame
from anyanomaly.errors import DatasetError, DatasetNotFound
from anyanomaly.testing.contracts import DatasetContract

LABELS = np.arange(10) < 4


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with two videos, labels of several kinds, and a manifest."""
    (tmp_path / "cam").mkdir()
    for name in ("a.mp4", "cam/b.mp4"):
        (tmp_path / name).touch()
    np.save(tmp_path / "b.npy", LABELS)
    with h5py.File(tmp_path / "run.h5", "w") as file:
        file["a"] = LABELS
    (tmp_path / "fall.csv").write_text("start_s,stop_s\n0.1,0.3\n")
    manifest(
        tmp_path, "a.mp4,running,run.h5", "a.mp4,a fall,fall.csv", "cam/b.mp4,running,b.npy", "cam/b.mp4,a fall,none"
    )
    return tmp_path


def manifest(root: Path, *rows: str) -> None:
    (root / "manifest.csv").write_text("\n".join(["video,text,labels", *rows]) + "\n")


def folder(root: Path, **options: Any) -> Folder:
    return Folder(FolderOptions(root=str(root), **options))


class TestFolder(DatasetContract):
    @pytest.fixture
    def component(self, root: Path) -> Folder:
        return folder(root)

    def test_the_rows_of_a_video_are_its_texts(self, component: Folder) -> None:
        a, b = component.videos()
        assert (a.id, a.texts, b.id) == ("a", ("running", "a fall"), "cam/b")
        labels = frame_labels(a, np.arange(10) / 10)
        assert labels["running"].tolist() == LABELS.tolist()
        assert labels["a fall"].nonzero()[0].tolist() == [1, 2]
        assert not frame_labels(b, np.arange(10) / 10)["a fall"].any()


def test_a_json_manifest_may_hold_spans(root: Path) -> None:
    rows = [
        {"video": "a.mp4", "text": "running", "labels": [[0.1, 0.3]], "unit": "seconds"},
        {"video": "cam/b.mp4", "text": "running", "labels": []},
    ]
    (root / "spans.json").write_text(json.dumps(rows))
    a, b = folder(root, manifest=str(root / "spans.json")).videos()
    assert (a.spans, a.units) == ({"running": ((0.1, 0.3),)}, {"running": "seconds"})
    assert b.spans == {"running": ()}


def test_a_key_picks_labels_of_a_shared_file(root: Path) -> None:
    manifest(root, "a.mp4,running,run.h5#a")
    assert next(folder(root).videos()).labels["running"].sum() == 4


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("gone.mp4,running,b.npy", r"row 2: there is no video .*gone\.mp4"),
        (
            "cam/b.mp4,running,",
            "row 2: video 'cam/b' has no labels of 'running'. Write none if the event does not happen",
        ),
        ("cam/b.mp4,running,gone.npy", r"Video 'b': there is no label file .*gone\.npy"),
        ("cam/b.mp4,running,run.h5#b", r"has no labels of 'b'\. Its keys: a"),
        ("a.mp4,running,b.npy", "row 2: an earlier row has labels of 'running' for video 'a'"),
        ("a.avi,running,b.npy", r"row 2: two videos have the name 'a': a\.mp4 and a\.avi"),
        (",running,b.npy", "row 2: it has no video"),
        ("cam/b.mp4,,b.npy", "row 2: it has no text"),
    ],
)
def test_a_row_that_cannot_be_used_gives_an_error(row: str, message: str, root: Path) -> None:
    (root / "a.avi").touch()
    manifest(root, "a.mp4,running,run.h5", row)
    with pytest.raises(DatasetError, match=message):
        list(folder(root).videos())


def test_partial_skips_rows_that_cannot_be_used(root: Path) -> None:
    manifest(root, "a.mp4,running,run.h5", "gone.mp4,running,b.npy", "cam/b.mp4,running,")
    assert [video.id for video in folder(root, partial=True).videos()] == ["a"]
    assert len(folder(root, partial=True).survey().findings) == 2


def test_the_unit_of_spans_belongs_to_the_row(root: Path) -> None:
    (root / "frames.csv").write_text("start,stop\n1,3\n")
    manifest(root, "a.mp4,running,frames.csv", "a.mp4,a fall,fall.csv")
    (video,) = folder(root).videos()
    labels = frame_labels(video, np.arange(10) / 10)
    assert labels["running"].nonzero()[0].tolist() == [1, 2]
    assert labels["a fall"].nonzero()[0].tolist() == [1, 2]  # from 0.1 s to 0.3 s
    assert last_labelled_frame(video, "running") == 3
    assert last_labelled_frame(video, "a fall") == 0


@pytest.mark.parametrize("unit", ["[]", "{}", "0", "false", '"Seconds"', '["seconds"]'])
def test_a_unit_that_is_none_gives_an_error(unit: str, root: Path) -> None:
    row = f'{{"video": "a.mp4", "text": "running", "labels": [[1, 3]], "unit": {unit}}}'
    (root / "units.json").write_text(f"[{row}]")
    with pytest.raises(DatasetError, match="unit"):
        list(folder(root, manifest=str(root / "units.json")).videos())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("video,labels\na.mp4,b.npy\n", "no column 'text'"),
        ("video,text,labels,labls\na.mp4,x,b.npy,\n", "column 'labls' is unknown"),
        ("video,text,labels\n", "has no rows"),
    ],
)
def test_a_broken_manifest_gives_an_error(content: str, message: str, root: Path) -> None:
    (root / "manifest.csv").write_text(content)
    with pytest.raises(DatasetError, match=message):
        list(folder(root).videos())


def test_a_missing_manifest_gives_an_error_with_its_columns(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"holds no manifest\.csv or manifest\.json. A manifest has the columns"):
        list(folder(tmp_path).videos())
    with pytest.raises(DatasetNotFound, match="Name the folder of your videos and their manifest with --root"):
        list(Folder(FolderOptions()).videos())
