"""The kinds of labels of Avenue that circulate: which one is used, how each is read, and that results say so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from anyanomaly_cvad.avenue_labels import FRAME_COUNTS, NAMES
from anyanomaly_cvad.masks import Avenue
from anyanomaly_cvad.options import LabelledOptions
from scipy.io import savemat

from anyanomaly.cli import main
from anyanomaly.core.labels import frame_labels
from anyanomaly.errors import DatasetError
from anyanomaly.testing.videos import synthetic_video

EVENTS = {0: [(78, 120), (392, 421)], 17: [(100, 294)]}  # by the index of the video; frames from 1, both included
N_SHORT = 48


def positive(root: Path, index: int, labels: Path | str = "") -> list[int]:
    videos = list(Avenue(LabelledOptions(root=str(root), labels=str(labels))).videos())
    times_s = np.arange(FRAME_COUNTS[index]) / 25
    return [int(frame) for frame in frame_labels(videos[index], times_s)["anomaly"].nonzero()[0]]


def labelled_frames(index: int) -> list[int]:
    return [frame for first, last in EVENTS.get(index, ()) for frame in range(first - 1, last)]


def write_videos(root: Path) -> None:
    (root / "testing_videos").mkdir(parents=True)
    for name in NAMES:
        (root / "testing_videos" / f"{name}.avi").touch()


def write_masks(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number, n_frames in enumerate(FRAME_COUNTS, 1):
        masks = np.empty((1, n_frames), object)
        masks[0] = [np.full((2, 2), number == 18, np.uint8)] * n_frames
        savemat(folder / f"{number}_label.mat", {"volLabel": masks})


def write_intervals(path: Path) -> None:
    cells = np.empty((1, len(NAMES)), object)
    for index in range(len(NAMES)):
        cells[0, index] = np.array(EVENTS.get(index, []), np.float64).reshape(-1, 2).T
    savemat(path, {"gt": cells})


def write_array(path: Path) -> None:
    labels = [np.isin(np.arange(n_frames), labelled_frames(index)) for index, n_frames in enumerate(FRAME_COUNTS)]
    np.save(path, np.concatenate(labels).astype(np.int8)[None])


@pytest.mark.parametrize(
    ("write", "name", "kind"),
    [
        (write_intervals, "avenue.mat", "frame intervals"),
        (write_array, "frame_labels_avenue.npy", "labels per frame"),
    ],
)
def test_labels_per_frame_of_all_videos_in_one_file(write, name: str, kind: str, tmp_path: Path) -> None:
    write_videos(tmp_path)
    write(tmp_path / name)
    for index in (0, 1, 17):
        assert positive(tmp_path, index) == labelled_frames(index)
    assert Avenue(LabelledOptions(root=str(tmp_path))).survey().labels.startswith(kind)


def test_masks_come_first_and_the_others_are_named_and_can_be_chosen(tmp_path: Path) -> None:
    write_videos(tmp_path)
    masks = tmp_path / "ground_truth_demo" / "testing_label_mask"
    write_masks(masks)
    write_intervals(tmp_path / "avenue.mat")
    write_array(tmp_path / "frame_labels_avenue.npy")
    assert positive(tmp_path, 17) == list(range(294))
    assert Avenue(LabelledOptions(root=str(tmp_path))).survey().labels == (
        f"official masks, {masks} (not used: frame intervals of Hasan and Liu et al., {tmp_path / 'avenue.mat'} and "
        f"labels per frame of Hasan and Liu et al., {tmp_path / 'frame_labels_avenue.npy'}; --dataset.labels chooses)"
    )
    for name in ("avenue.mat", "frame_labels_avenue.npy"):
        assert positive(tmp_path, 17, tmp_path / name) == labelled_frames(17)


def test_one_npy_file_per_video(tmp_path: Path) -> None:
    write_videos(tmp_path)
    folder = tmp_path / "testing" / "test_frame_mask"
    folder.mkdir(parents=True)
    for index, name in enumerate(NAMES):
        np.save(folder / f"{int(name)}.npy", np.isin(np.arange(FRAME_COUNTS[index]), labelled_frames(index)))
    assert positive(tmp_path, 17) == labelled_frames(17)


def test_files_of_other_videos_are_an_error(tmp_path: Path) -> None:
    write_videos(tmp_path)
    np.save(tmp_path / "frame_labels_avenue.npy", np.zeros((1, 15_240)))
    with pytest.raises(DatasetError, match="has 15240 labels, but Avenue's test videos have 15324"):
        list(Avenue(LabelledOptions(root=str(tmp_path))).videos())
    (tmp_path / "frame_labels_avenue.npy").unlink()
    savemat(tmp_path / "avenue.mat", {"gt": np.array([[np.array([[1], [2]])] * 12], object).reshape(1, 12, 2)})
    with pytest.raises(DatasetError, match="has intervals of 24 videos, but Avenue has 21"):
        list(Avenue(LabelledOptions(root=str(tmp_path))).videos())


def test_results_and_the_terminal_say_which_labels_are_used_and_which_lengths_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    plugin = tmp_path / "colours.py"
    plugin.write_text(
        "from anyanomaly import EncoderSpec, hookimpl\n\n@hookimpl\ndef anyanomaly_register_encoders():\n"
        "    return [EncoderSpec(name='colours', summary='s', target='anyanomaly.testing.fakes:FakeEncoder')]\n"
    )
    folder = tmp_path / "data" / "test_frame_mask"
    folder.mkdir(parents=True)
    for number, n_labels in ((1, N_SHORT - 1), (2, N_SHORT + 2), (3, N_SHORT)):
        synthetic_video(tmp_path / "data" / f"{number:02d}.avi", n_frames=N_SHORT, event_s=(0.6, 1.4))
        np.save(folder / f"{number:02d}.npy", np.isin(np.arange(n_labels), range(15, 35)))
    components = ["--selector", "middle", "--context", "key", "--backend", "similarity", "--encoder", "colours"]
    arguments = ["--root", str(tmp_path / "data"), "--dataset.texts", "a red thing"]
    assert main(["eval", "avenue", *arguments, "--check"]) == 0
    checked = capsys.readouterr().out
    options = ["--segment-frames", "4", "--protocol", "fixed", "-o", str(tmp_path / "out.json")]
    assert main(["-p", str(plugin), "eval", "avenue", *arguments, *components, *options]) == 0
    printed = capsys.readouterr().err
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["dataset"]["labels"] == f"labels per frame, {folder}"
    lengths = "'01' (47 labels, 48 frames), '02' (50 labels, 48 frames)."
    assert [note for note in result["notes"] if lengths in note] == [
        f"Labels and frames with scores differ in number; the longer is truncated at the end: {lengths}"
    ]
    for text in (lengths, f"Labels: labels per frame, {folder}."):
        assert text in printed
    assert f"note: Labels: labels per frame, {folder}." in checked
    assert "Video '01' has 48 frames and 47 labels" in checked
