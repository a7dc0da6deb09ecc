"""Archives of the other datasets, small but with their real file names: masks, tracks, annotation files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anyanomaly_cvad.annotations import UBnormal, UcfCrime, XdViolence
from anyanomaly_cvad.masks import Avenue, ShanghaiTech
from anyanomaly_cvad.options import LabelledOptions, SpanOptions
from scipy.io import savemat

from anyanomaly.api import Dataset
from anyanomaly.core.labels import class_texts, frame_labels
from anyanomaly.errors import DatasetError, DatasetNotFound, UsageError
from anyanomaly.testing.contracts import DatasetContract
from anyanomaly.types import LabelledVideo

SPANS = Path(__file__).resolve().parents[4] / "shared" / "data" / "spans"

BRICK = "Brick.Mansions.2014__#00-41-25_00-42-36_label_B1-0-0"
CALM = "v=lyZxvgPD4gM__#1_label_A"


def touch(path: Path, content: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def positive(video: LabelledVideo, n_frames: int = 10, name: str = "anomaly") -> list[int]:
    labels: list[int] = frame_labels(video, np.arange(n_frames) / 25)[name].nonzero()[0].tolist()
    return labels


def avenue(root: Path) -> Avenue:
    for number in (1, 2):
        touch(root / "testing_videos" / f"{number:02d}.avi")
        masks = np.empty((1, 10), object)
        for frame in range(10):
            masks[0, frame] = np.full((4, 6), number == 2 and frame < 3, np.uint8)
        folder = root / "ground_truth_demo" / "testing_label_mask"
        folder.mkdir(parents=True, exist_ok=True)
        savemat(folder / f"{number}_label.mat", {"volLabel": masks})
    return Avenue(LabelledOptions(root=str(root)))


def shanghaitech(root: Path) -> ShanghaiTech:
    for name in ("01_0014", "01_0015"):
        for frame in range(10):
            touch(root / "testing" / "frames" / name / f"{frame:03d}.jpg")
        folder = root / "testing" / "test_frame_mask"
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / f"{name}.npy", np.arange(10) % 5 == 1)
    return ShanghaiTech(LabelledOptions(root=str(root)))


def ubnormal(root: Path) -> UBnormal:
    name = "abnormal_scene_1_scenario_1"
    touch(root / "Scene1" / f"{name}.mp4")
    touch(root / "Scene1" / f"{name}_annotations" / f"{name}_tracks.txt", "1,2,4\n2.0,7.0,7.0\n")
    touch(root / "Scene1" / f"{name}_annotations" / f"{name}_0000_gt.png")
    touch(root / "Scene2" / "normal_scene_2_scenario_1.mp4")
    touch(root / "Scene2" / "normal_scene_2_scenario_9_of_training.mp4")
    touch(root / "scripts" / "abnormal_test_video_names.txt", f"{name}\n")
    touch(root / "scripts" / "normal_test_video_names.txt", "normal_scene_2_scenario_1\n")
    return UBnormal(LabelledOptions(root=str(root)))


def ucf_crime(root: Path, **options: Any) -> UcfCrime:
    touch(root / "Videos" / "Abuse" / "Abuse028_x264.mp4")
    touch(root / "Videos" / "Abuse" / "Abuse001_x264.mp4")  # of the training set
    touch(root / "Videos" / "RoadAccidents" / "RoadAccidents001_x264.mp4")
    touch(root / "Videos" / "Testing_Normal_Videos_Anomaly" / "Normal_Videos_003_x264.mp4")
    touch(root / "Videos" / "Normal_Videos_event" / "Normal_Videos_003_x264.mp4")  # a copy, as published
    lines = (
        "Abuse028_x264.mp4  Abuse  3  5  8  9  ",
        "RoadAccidents001_x264.mp4  RoadAccidents  1  2  -1  -1",
        "Normal_Videos_003_x264.mp4  Normal  -1  -1  -1  -1",
    )
    touch(root / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt", "\n".join(lines) + "\n")
    return UcfCrime(SpanOptions(root=str(root), **options))


def xd_violence(root: Path, **options: Any) -> XdViolence:
    touch(root / "videos" / f"{BRICK}.mp4")
    touch(root / "videos" / f"{CALM}.mp4")
    touch(root / "annotations.txt", f"{BRICK} 2 4 7 9\n")
    return XdViolence(SpanOptions(root=str(root), **options))


MAKERS: dict[str, tuple[Callable[[Path], Any], dict[str, list[int]]]] = {
    "avenue": (avenue, {"01": [], "02": [0, 1, 2]}),
    "shanghaitech": (shanghaitech, {"01_0014": [1, 6], "01_0015": [1, 6]}),
    "ubnormal": (ubnormal, {"abnormal_scene_1_scenario_1": [2, 3, 4, 7], "normal_scene_2_scenario_1": []}),
    "ucf-crime": (
        ucf_crime,
        {"Abuse028_x264": [2, 3, 4, 7, 8], "Normal_Videos_003_x264": [], "RoadAccidents001_x264": [0, 1]},
    ),
    "xd-violence": (xd_violence, {BRICK: [2, 3, 7, 8], CALM: []}),
}


@pytest.mark.parametrize("name", MAKERS)
class TestArchives(DatasetContract):
    @pytest.fixture
    def component(self, name: str, tmp_path: Path) -> Any:
        return MAKERS[name][0](tmp_path)

    def test_videos_are_matched_by_name_and_labelled(self, name: str, component: Dataset[Any]) -> None:
        assert {video.id: positive(video) for video in component.videos()} == MAKERS[name][1]
        for video in component.videos():
            assert class_texts(video) == {"anomaly": video.texts}

    def test_a_test_set_smaller_than_published_gives_a_note(self, name: str, component: Dataset[Any]) -> None:
        (note,) = component.survey().findings
        assert note.kind == "note"
        assert f"there are labels of {len(MAKERS[name][1])}." in note.message

    def test_root_may_be_one_folder_above_the_archive(self, name: str, tmp_path: Path) -> None:
        dataset = MAKERS[name][0](tmp_path / "unpacked")
        deeper = type(dataset)(dataset.options.model_copy(update={"root": str(tmp_path)}))
        assert {video.id for video in deeper.videos()} == set(MAKERS[name][1])

    def test_texts_option_replaces_the_list_of_events(self, name: str, component: Any) -> None:
        dataset = type(component)(component.options.model_copy(update={"texts": ("a brawl",)}))
        assert all(class_texts(video) == {"anomaly": ("a brawl",)} for video in dataset.videos())

    def test_missing_labels_give_an_error_with_their_source(self, name: str, component: Any, tmp_path: Path) -> None:
        for path in (*tmp_path.rglob("*.mat"), *tmp_path.rglob("*.npy"), *tmp_path.rglob("*.txt")):
            path.unlink()
        with pytest.raises(DatasetNotFound, match=f"Dataset '{name}': .*Get it from http.*expected under"):
            list(component.videos())

    def test_a_labelled_video_that_is_missing_is_an_error(self, name: str, component: Any, tmp_path: Path) -> None:
        missing = next(iter(component.videos()))
        for path in tmp_path.rglob(f"{missing.id}*"):
            if path.suffix in (".avi", ".mp4"):
                path.unlink()
            elif path.is_dir() and path.parent.name == "frames":
                path.rename(tmp_path / "elsewhere")
        with pytest.raises(DatasetError, match=f"Video '{missing.id}' has labels, but there is no video"):
            list(component.videos())


@pytest.mark.parametrize("maker", [avenue, shanghaitech])
def test_a_video_without_labels_is_an_error(maker: Callable[[Path], Any], tmp_path: Path) -> None:
    dataset = maker(tmp_path)
    next(path for path in sorted(tmp_path.rglob("*")) if path.suffix in (".mat", ".npy")).unlink()
    with pytest.raises(DatasetError, match="has no labels"):
        list(dataset.videos())


def test_a_violent_video_without_annotation_is_an_error(tmp_path: Path) -> None:
    dataset = xd_violence(tmp_path)
    touch(tmp_path / "videos" / "Other__#1_label_B2-0-0.mp4")
    with pytest.raises(DatasetError, match="'Other__#1_label_B2-0-0' has no labels"):
        list(dataset.videos())


def test_a_broken_mask_file_removes_only_its_video_from_the_survey(tmp_path: Path) -> None:
    dataset = avenue(tmp_path)
    (tmp_path / "ground_truth_demo" / "testing_label_mask" / "1_label.mat").write_text("no")
    survey = dataset.survey()
    assert [video.id for video in survey.videos] == ["02"]
    assert "1_label.mat cannot be read as a MATLAB file" in survey.findings[-1].message


def test_positive_class_gives_each_class_its_own_labels(tmp_path: Path) -> None:
    videos = {video.id: video for video in ucf_crime(tmp_path, positive="class").videos()}
    assert len(class_texts(videos["Abuse028_x264"])) == 13
    assert positive(videos["Abuse028_x264"], name="abuse") == [2, 3, 4, 7, 8]
    assert positive(videos["Abuse028_x264"], name="road accident") == []
    assert positive(videos["Normal_Videos_003_x264"], name="abuse") == []


def test_an_unknown_class_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no class 'brawl'\. Its classes: fighting, shooting"):
        list(xd_violence(tmp_path, positive="class", texts=("brawl",)).videos())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Abuse028_x264.mp4 Abuse 3 5", "must be 4 frame numbers"),
        ("Abuse028_x264.mp4 Abuse a b c d", "must be frame numbers"),
        ("Abuse028_x264.mp4 Abuse 9 5 -1 -1", "does not stop after its start"),
        ("Abuse028_x264.mp4 Brawl 3 5 -1 -1", "unknown class 'Brawl'"),
        ("Abuse028_x264.mp4", "has no class"),
        ("A.mp4 Abuse 3 5 -1 -1\nA.mp4 Abuse 3 5 -1 -1", "lists video 'A' twice"),
    ],
)
def test_broken_annotations_give_an_error(line: str, message: str, tmp_path: Path) -> None:
    dataset = ucf_crime(tmp_path)
    (tmp_path / "Temporal_Anomaly_Annotation_for_Testing_Videos.txt").write_text(line)
    with pytest.raises(DatasetError, match=message):
        list(dataset.videos())


@pytest.mark.skipif(not SPANS.is_dir(), reason="needs the published span files next to this repository")
@pytest.mark.parametrize(
    ("dataset_class", "options", "file", "n_videos", "n_normal"),
    [
        (UBnormal, LabelledOptions, "ubnormal_test_anno.json", 211, 53),
        (UcfCrime, SpanOptions, "ucf_test_anno.json", 290, 150),
        (XdViolence, SpanOptions, "xd_test_anno.json", 800, 300),
    ],
)
def test_published_span_files_load(
    dataset_class: Any, options: Any, file: str, n_videos: int, n_normal: int, tmp_path: Path
) -> None:
    for entry in json.loads((SPANS / file).read_text()):
        (tmp_path / Path(entry["video_path"]).name).touch()
    dataset = dataset_class(options(root=str(tmp_path), labels=str(SPANS / file)))
    videos = list(dataset.videos())
    assert not dataset.survey().findings
    assert len(videos) == n_videos
    assert sum(not positive(video, 1000) for video in videos) == n_normal


@pytest.mark.skipif(not SPANS.is_dir(), reason="needs the published span files next to this repository")
def test_spans_as_fractions_are_the_frames_of_the_official_file(tmp_path: Path) -> None:
    (tmp_path / "Abuse028_x264.mp4").touch()
    options = SpanOptions(root=str(tmp_path), labels=str(SPANS / "ucf_test_anno.json"), partial=True)
    (video,) = UcfCrime(options).videos()
    assert positive(video, 1412) == list(range(165, 240))
