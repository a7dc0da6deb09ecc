"""Lists of videos as they circulate: names match in spite of blanks, suffixes, paths and case, and a note says so."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
from anyanomaly_cvad.annotations import UBnormal, UcfCrime, XdViolence
from anyanomaly_cvad.c_vad import CAvenue
from anyanomaly_cvad.label_files import read_labels
from anyanomaly_cvad.manifest import Folder
from anyanomaly_cvad.names import listed_name, name_key, split_name
from anyanomaly_cvad.options import CVadOptions, FolderOptions, LabelledOptions, SpanOptions
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.labels import frame_labels
from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo

BRICK = "Brick.Mansions.2014__#00-41-25_00-42-36_label_B1-0-0"
CALM = "v=lyZxvgPD4gM__#1_label_A"


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def positive(video: LabelledVideo) -> list[int]:
    return [int(frame) for frame in frame_labels(video, np.arange(10) / 25)["anomaly"].nonzero()[0]]


@pytest.mark.parametrize(
    "entry",
    [
        "Abuse028_x264",
        "Abuse028_x264.mp4",
        "Abuse028_x264.MP4",
        "Abuse028_x264.mp4.mp4",
        " Abuse028_x264.mp4 \t",
        "Abuse028_x264 .mp4",
        "videos/Abuse/Abuse028_x264.mp4",
        "..\\Videos\\Abuse\\Abuse028_x264.mp4",
        '"Abuse028_x264.mp4"',
        "abuse028_X264.avi",
        "Abuse028",
        "ABUSE028.mp4 ",
    ],
)
def test_entries_of_lists_name_the_same_video(entry: str) -> None:
    assert name_key(entry) == name_key("Abuse028_x264")
    assert " " not in listed_name(entry)


@pytest.mark.parametrize("entry", [BRICK, CALM, "a.b.c", "Salt.2010__#01-06-27"])
def test_dots_that_start_no_video_suffix_belong_to_the_name(entry: str) -> None:
    assert listed_name(f"x/{entry}.mp4") == entry


@given(
    name=st.text("abcXYZ019._-#=é中", min_size=1).filter(lambda name: name.strip("._")),
    before=st.sampled_from(["", " ", "\t", "videos/", "./a b/"]),
    after=st.sampled_from(["", " ", ".mp4", ".mp4.mp4", ".MKV  ", " .mp4"]),
)
def test_what_lists_add_to_a_name_does_not_change_its_key(name: str, before: str, after: str) -> None:
    assert name_key(before + name + after) == name_key(name)


def test_a_name_with_blanks_is_split_from_its_numbers() -> None:
    assert split_name(["my", "clip", "7", "2", "4"], None, {"my clip 7"}) == ("my clip 7", ["2", "4"])
    assert split_name(["my", "clip", "7", "2", "4"], None, ()) == ("my clip", ["7", "2", "4"])
    assert split_name(["my", "clip.mp4", "Abuse", "1", "2", "-1", "-1"], 5, ()) == (
        "my clip",
        ["Abuse", "1", "2", "-1", "-1"],
    )


UCF_LINES = (
    "Abuse028_x264.mp4  Abuse  3  5  8  9  ",
    "RoadAccidents001_x264.mp4  RoadAccidents  1  2  -1  -1",
    "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1",
)
UCF_FORMS = {
    "as published": "\n".join(UCF_LINES).encode(),
    "Windows lines": "\r\n".join(UCF_LINES).encode() + b"\r\n",
    "byte order mark": "\n".join(UCF_LINES).encode("utf-8-sig"),
    "UTF-16": "\r\n".join(UCF_LINES).encode("utf-16"),
    "tabs": "\n".join("\t".join(line.split()) + "\t" for line in UCF_LINES).encode(),
    "commas": "\n".join(",".join(line.split()) for line in UCF_LINES).encode(),
    "comments and blank lines": ("# test videos\n\n" + "\n \n% normal\n".join(UCF_LINES)).encode(),
    "headings": ("Video_Name Class Start1 End1 Start2 End2\n" + "\n".join(UCF_LINES)).encode(),
    "paths": "\n".join(f"Videos/Test/{line}" for line in UCF_LINES).encode(),
    "another suffix": "\n".join(UCF_LINES).replace(".mp4", ".AVI").encode(),
    "no suffix": "\n".join(UCF_LINES).replace("_x264.mp4", "").encode(),
    "twice the suffix": "\n".join(UCF_LINES).replace(".mp4", ".mp4.mp4").encode(),
    "lower case": "\n".join(UCF_LINES).lower().encode(),
    "floats": "\n".join(UCF_LINES).replace(" 5 ", " 5.0 ").encode(),
    "class names": "\n".join(UCF_LINES)
    .replace(" RoadAccidents", " Road_accidents")
    .replace(" Normal", " Normal_Videos")
    .encode(),
}


@pytest.mark.parametrize("form", UCF_FORMS)
def test_annotations_of_ucf_crime_in_the_forms_that_circulate(form: str, tmp_path: Path) -> None:
    for folder, name in (("Abuse", "Abuse028"), ("RoadAccidents", "RoadAccidents001"), ("Normal", "Normal_Videos_003")):
        touch(tmp_path / "Videos" / folder / f"{name}_x264.mp4")
    (tmp_path / "Temporal_Anomaly_Annotation.txt").write_bytes(UCF_FORMS[form])
    videos = UcfCrime(SpanOptions(root=str(tmp_path))).videos()
    assert {Path(video.uri).stem: positive(video) for video in videos} == {
        "Abuse028_x264": [2, 3, 4, 7, 8],
        "RoadAccidents001_x264": [0, 1],
        "Normal_Videos_003_x264": [],
    }


def test_names_that_only_resemble_are_matched_with_a_note(tmp_path: Path) -> None:
    touch(tmp_path / "Videos" / "Abuse" / "abuse028_x264 .MP4")
    touch(tmp_path / "Videos" / "Arson" / "My  Arson 7.mp4")
    lines = "Abuse028_x264.mp4  Abuse  3  5  -1  -1\nMy Arson 7.mp4  Arson  1  2  -1  -1\n"
    (tmp_path / "Temporal_Anomaly_Annotation.txt").write_text(lines)
    survey = UcfCrime(SpanOptions(root=str(tmp_path))).survey()
    assert [(video.id, positive(video)) for video in survey.videos] == [
        ("Abuse028_x264", [2, 3, 4]),
        ("My Arson 7", [0, 1]),
    ]
    note, _ = survey.findings
    assert note.kind == "note"
    assert "differ in blanks, case or suffix: 'Abuse028_x264' is abuse028_x264 .MP4 and 1 more." in note.message


def test_two_videos_that_both_resemble_a_name_are_an_error(tmp_path: Path) -> None:
    touch(tmp_path / "Videos" / "Abuse" / "abuse028_x264.mp4")
    touch(tmp_path / "Videos" / "Abuse" / "ABUSE028_x264.mp4")
    (tmp_path / "Temporal_Anomaly_Annotation.txt").write_text("Abuse028_x264.mp4  Abuse  3  5  -1  -1\n")
    with pytest.raises(DatasetError, match="'Abuse028_x264' exists 2 times"):
        list(UcfCrime(SpanOptions(root=str(tmp_path))).videos())


def test_an_exact_name_comes_before_one_that_resembles_it(tmp_path: Path) -> None:
    for name in ("Abuse028_x264", "Abuse028"):
        touch(tmp_path / "Videos" / "Abuse" / f"{name}.mp4")
    (tmp_path / "Temporal_Anomaly_Annotation.txt").write_text("Abuse028_x264.mp4  Abuse  3  5  -1  -1\n")
    (video,) = UcfCrime(SpanOptions(root=str(tmp_path))).videos()
    assert Path(video.uri).name == "Abuse028_x264.mp4"


@pytest.mark.parametrize(
    "lines",
    [
        f"{BRICK} 2 4 7 9\n",
        f"{BRICK}.mp4 2 4 7 9 \r\n{CALM}.mp4\r\n",
        f"# starts and stops\nvideos/{BRICK}.mp4\t2\t4\t7\t9\n",
        f"{BRICK.lower()} 2 4 7 9\n",
    ],
)
def test_annotations_of_xd_violence_in_the_forms_that_circulate(lines: str, tmp_path: Path) -> None:
    for name in (BRICK, CALM):
        touch(tmp_path / "videos" / f"{name}.mp4")
    (tmp_path / "annotations.txt").write_bytes(lines.encode())
    videos = {Path(video.uri).stem: video for video in XdViolence(SpanOptions(root=str(tmp_path))).videos()}
    assert {name: positive(video) for name, video in videos.items()} == {BRICK: [2, 3, 7, 8], CALM: []}
    by_class = XdViolence(SpanOptions(root=str(tmp_path), positive="class", texts=("fighting",))).videos()
    assert [list(video.spans["fighting"]) for video in by_class if Path(video.uri).stem == BRICK] == [[(2, 4), (7, 9)]]


def test_lists_of_ubnormal_in_the_forms_that_circulate(tmp_path: Path) -> None:
    name, normal = "abnormal_scene_1_scenario_1", "normal_scene_2_scenario_1"
    touch(tmp_path / "Scene1" / f"{name}.mp4")
    touch(tmp_path / "Scene2" / f"{normal}.mp4")
    (tmp_path / "Scene1" / f"{name}_annotations").mkdir()
    (tmp_path / "Scene1" / f"{name}_annotations" / f"{name}_tracks.txt").write_bytes(b"1, 2, 4\r\n\r\n2.0,7.0,7.0 \r\n")
    (tmp_path / "abnormal_test_video_names.txt").write_bytes(f"\ufeffScene1/{name}.mp4 \r\n".encode())
    (tmp_path / "normal_test_video_names.txt").write_text(f"# normal\n{normal}\t\n\n")
    videos = UBnormal(LabelledOptions(root=str(tmp_path))).videos()
    assert {video.id: positive(video) for video in videos} == {name: [2, 3, 4, 7], normal: []}


def test_names_and_classes_of_a_json_list(tmp_path: Path) -> None:
    for name in ("Abuse028_x264", "Normal_Videos_003_x264"):
        touch(tmp_path / "videos" / f"{name}.mp4")
    entries = [
        {"video_path": "ucf_videos\\Abuse028_x264.mp4 ", "class_name": "abuse ", "anomaly_span": [[0.2, 0.5]]},
        {"video_path": "Normal_Videos_003_x264.mp4.mp4", "class_name": "Normal Videos", "anomaly_span": []},
    ]
    (tmp_path / "spans.json").write_text(json.dumps(entries), encoding="utf-8-sig")
    videos = UcfCrime(SpanOptions(root=str(tmp_path), labels=str(tmp_path / "spans.json"))).videos()
    assert {video.id: positive(video) for video in videos} == {
        "Abuse028_x264": [2, 3, 4],
        "Normal_Videos_003_x264": [],
    }


def test_keys_of_label_files_and_entries_of_a_manifest_may_have_a_suffix(tmp_path: Path) -> None:
    touch(tmp_path / "testing_videos" / "01.avi")
    (tmp_path / "c-avenue_labels").mkdir()
    labels = np.array([0, 1, 1, 0], np.uint8)
    with h5py.File(tmp_path / "c-avenue_labels" / "avenue_running_label.h5", "w") as file:
        file["01.avi"] = labels
    (video,) = CAvenue(CVadOptions(root=str(tmp_path))).videos()
    assert video.labels["running"].tolist() == [False, True, True, False]
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["Gate.mp4"], file["yard"] = labels, 1 - labels
    assert read_labels(tmp_path / "two.h5", "gate").tolist() == [False, True, True, False]  # type: ignore[union-attr]

    touch(tmp_path / "gate.mp4")
    touch(tmp_path / "gate.csv")
    (tmp_path / "manifest.csv").write_text("video,text,labels\n gate ,a dog,none\nGate.MP4,a cat,none\n")
    survey = Folder(FolderOptions(root=str(tmp_path))).survey()
    (video,) = survey.videos
    assert (video.id, Path(video.uri).name, set(video.spans)) == ("gate", "gate.mp4", {"a dog", "a cat"})
    assert [finding.message for finding in survey.findings] == [
        "The video 'gate' of the manifest is gate.mp4.",
        "The video 'Gate.MP4' of the manifest is gate.mp4.",
    ]
