"""Real videos and folders of frames in the archives' layouts, checked and evaluated from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from anyanomaly.cli import main
from anyanomaly.testing.videos import synthetic_frames, synthetic_video

PLUGIN = """
from anyanomaly import EncoderSpec, hookimpl

@hookimpl
def anyanomaly_register_encoders():
    return [EncoderSpec(name="colours", summary="Mean colours", target="anyanomaly.testing.fakes:FakeEncoder")]
"""
N_FRAMES, EVENT_S = 48, (0.6, 1.4)
SHORT = {"n_frames": N_FRAMES, "event_s": EVENT_S}
RED = np.zeros(N_FRAMES, np.uint8)
RED[15:35] = 1


def c_avenue(root: Path, n_labels: int = N_FRAMES) -> list[str]:
    """Write two test videos and the labels of two classes; return the flags."""
    (root / "testing_videos").mkdir(parents=True)
    for name in ("01", "15"):
        synthetic_video(root / "testing_videos" / f"{name}.avi", **SHORT)
    labels = root / "c-avenue_labels"
    labels.mkdir()
    for name, values in (("too_close", RED), ("bicycle", 1 - RED)):
        with h5py.File(labels / f"avenue_{name}_label.h5", "w") as file:
            file["01"] = values[:n_labels].astype(np.int8)
            file["15"] = np.zeros(N_FRAMES, np.int8)
    (root / "c-avenue.json").write_text(json.dumps({"too_close": ["01"], "bicycle": ["01"]}))
    return []


def c_shanghaitech(root: Path) -> list[str]:
    (root / "c-shtech_labels").mkdir(parents=True)
    with h5py.File(root / "c-shtech_labels" / "shtech_hand_truck_label.h5", "w") as file:
        for name in ("01_0014", "12_0175"):
            synthetic_frames(root / "testing" / "frames" / name, suffix=".jpg", **SHORT)
            file[name] = RED
    return []


def avenue(root: Path) -> list[str]:
    (root / "testing_videos").mkdir(parents=True)
    (root / "ground_truth_demo" / "testing_label_mask").mkdir(parents=True)
    for number in (1, 21):
        synthetic_video(root / "testing_videos" / f"{number:02d}.avi", **SHORT)
        masks = np.empty((1, N_FRAMES), object)
        masks[0] = [np.full((3, 4), value, np.uint8) for value in RED]
        savemat(root / "ground_truth_demo" / "testing_label_mask" / f"{number}_label.mat", {"volLabel": masks})
    return ["--dataset.texts", "a red thing"]


def shanghaitech(root: Path) -> list[str]:
    (root / "testing" / "test_frame_mask").mkdir(parents=True)
    for name in ("01_0014", "12_0175"):
        synthetic_frames(root / "testing" / "frames" / name, suffix=".jpg", **SHORT)
        np.save(root / "testing" / "test_frame_mask" / f"{name}.npy", RED)
    return ["--dataset.texts", "a red thing"]


def ubnormal(root: Path) -> list[str]:
    name, normal = "abnormal_scene_1_scenario_1", "normal_scene_1_scenario_2"
    (root / "Scene1" / f"{name}_annotations").mkdir(parents=True)
    (root / "Scene1" / f"{name}_annotations" / f"{name}_tracks.txt").write_text("1,15,34\n")
    synthetic_video(root / "Scene1" / f"{name}.mp4", **SHORT)
    synthetic_video(root / "Scene1" / f"{normal}.mp4", n_frames=N_FRAMES, event_s=(9, 9))
    (root / "abnormal_test_video_names.txt").write_text(name)
    (root / "normal_test_video_names.txt").write_text(normal)
    return ["--dataset.texts", "a red thing"]


def ucf_crime(root: Path) -> list[str]:
    for folder, name in (("Abuse", "Abuse028_x264"), ("Testing_Normal_Videos_Anomaly", "Normal_Videos_003_x264")):
        (root / "Videos" / folder).mkdir(parents=True)
        event_s = EVENT_S if folder == "Abuse" else (9, 9)
        synthetic_video(root / "Videos" / folder / f"{name}.mp4", n_frames=N_FRAMES, event_s=event_s)
    lines = "Abuse028_x264.mp4  Abuse  16  35  -1  -1\nNormal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1\n"
    (root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt").write_text(lines)
    return ["--dataset.texts", "a red thing"]


def xd_violence(root: Path) -> list[str]:
    (root / "videos").mkdir(parents=True)
    brick, calm = "Brick.Mansions.2014__#00-41-25_00-42-36_label_B1-0-0", "v=lyZxvgPD4gM__#1_label_A"
    synthetic_video(root / "videos" / f"{brick}.mp4", **SHORT)
    synthetic_video(root / "videos" / f"{calm}.mp4", n_frames=N_FRAMES, event_s=(9, 9))
    (root / "annotations.txt").write_text(f"{brick}.mp4 15 35\n")
    return ["--dataset.texts", "a red thing"]


def folder(root: Path) -> list[str]:
    root.mkdir(parents=True)
    synthetic_video(root / "gate.mp4", **SHORT)
    synthetic_frames(root / "yard", **SHORT)
    (root / "gate.csv").write_text("start_s,stop_s\n0.6,1.4\n")
    np.save(root / "yard.npy", RED)
    (root / "manifest.csv").write_text("video,text,labels\ngate.mp4,a red thing,gate.csv\nyard,a red thing,yard.npy\n")
    return []


MAKERS: dict[str, tuple[Callable[[Path], list[str]], dict[str, int]]] = {
    "c-avenue": (c_avenue, {"too_close": 20, "bicycle": 28}),
    "c-shanghaitech": (c_shanghaitech, {"hand_truck": 40}),
    "avenue": (avenue, {"anomaly": 40}),
    "shanghaitech": (shanghaitech, {"anomaly": 40}),
    "ubnormal": (ubnormal, {"anomaly": 20}),
    "ucf-crime": (ucf_crime, {"anomaly": 20}),
    "xd-violence": (xd_violence, {"anomaly": 20}),
    "folder": (folder, {"a red thing": 40}),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_check_counts_videos_frames_and_positives(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, positive = MAKERS[name]
    flags = make(tmp_path / "data")
    report = tmp_path / "report.json"
    assert main(["eval", name, "--root", str(tmp_path / "data"), "--check", "-o", str(report), *flags]) == 0
    out = capsys.readouterr().out
    assert out.startswith("2 videos, 96 frames\n")
    check = json.loads(report.read_text())
    assert {row["name"]: row["n_positive"] for row in check["classes"]} == positive
    for class_name, count in positive.items():
        (row,) = [line for line in out.splitlines() if line.startswith(f"{class_name}  ")]
        assert row.split()[-2:] == [str(count), f"{count / 96:.1%}"]


@pytest.mark.parametrize("name", MAKERS)
def test_eval_from_files_to_an_auc(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "colours.py").write_text(PLUGIN)
    make, positive = MAKERS[name]
    flags = make(tmp_path / "data")
    components = ["--selector", "middle", "--context", "key", "--backend", "similarity", "--encoder", "colours"]
    arguments = [
        "-p",
        str(tmp_path / "colours.py"),
        "eval",
        name,
        "--root",
        str(tmp_path / "data"),
        *flags,
        *components,
    ]
    assert main([*arguments, "--segment-frames", "4", "--protocol", "fixed", "-o", str(tmp_path / "out.json")]) == 0
    result = json.loads((tmp_path / "out.json").read_text())
    assert result["videos"] == 2
    classes = result["protocols"]["fixed"]["classes"]
    assert {class_name: row["positives"] for class_name, row in classes.items()} == positive
    assert all(0 <= row["auc"] <= 1 and row["frames"] == 2 * N_FRAMES for row in classes.values())


def test_the_check_reports_labels_of_another_length_as_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    c_avenue(tmp_path, n_labels=40)
    assert main(["eval", "c-avenue", "--root", str(tmp_path), "--check"]) == 4
    assert "error: Video '01' has 48 frames, and 40 labels of 'too_close' in " in capsys.readouterr().out
