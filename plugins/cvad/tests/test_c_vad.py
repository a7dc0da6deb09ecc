"""C-VAD: the published label folder, and small ones of the same layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from anyanomaly_cvad.c_vad import CAvenue, CShanghaiTech, CVad
from anyanomaly_cvad.label_files import read_h5
from anyanomaly_cvad.options import CVadOptions

from anyanomaly.core.labels import class_texts
from anyanomaly.errors import DatasetError, DatasetNotFound, UsageError
from anyanomaly.testing.contracts import DatasetContract

PUBLISHED = Path(__file__).resolve().parents[4] / "shared" / "data" / "c-vad"

SINGLE = {"too_close": ["01"], "running": ["02"]}
MULTIPLE = {"throwing_too-close": ["06"]}
FILES = {
    "avenue_too_close": {"01": 4, "02": 0},
    "avenue_running": {"01": 0, "02": 5},
    "m_avenue_throwing-too_close": {"06": 3},
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a small archive: three videos of 24 frames, of which the first frames are positive."""
    labels = tmp_path / "c-avenue_labels"
    labels.mkdir()
    for name, videos in FILES.items():
        with h5py.File(labels / f"{name}_label.h5", "w") as file:
            for video, n_positive in videos.items():
                file[video] = (np.arange(24) < n_positive).astype(np.int8)
    (tmp_path / "c-avenue.json").write_text(json.dumps(SINGLE))
    (tmp_path / "c-avenue-multiple.json").write_text(json.dumps(MULTIPLE))
    (tmp_path / "testing_videos").mkdir()
    for name in ("01", "02", "06"):
        (tmp_path / "testing_videos" / f"{name}.avi").touch()
    return tmp_path


def c_avenue(root: Path, **options: Any) -> CAvenue:
    return CAvenue(CVadOptions(root=str(root), **options))


def notes(dataset: CVad, kind: str = "note") -> list[str]:
    return [finding.message for finding in dataset.survey().findings if finding.kind == kind]


class TestCAvenue(DatasetContract):
    @pytest.fixture
    def component(self, root: Path) -> CAvenue:
        return c_avenue(root)

    def test_each_class_has_labels_in_all_videos_of_single_events(self, component: CAvenue) -> None:
        assert [(v.id, v.texts, {n: int(x.sum()) for n, x in v.labels.items()}) for v in component.videos()] == [
            ("01", ("too close", "running"), {"too_close": 4, "running": 0}),
            ("02", ("too close", "running"), {"too_close": 0, "running": 5}),
        ]
        assert not component.survey().findings  # the video of two events is skipped by design


class TestSeveralEvents(DatasetContract):
    @pytest.fixture
    def component(self, root: Path) -> CAvenue:
        return c_avenue(root, kind="multiple")

    def test_the_class_has_two_texts_and_a_note_on_its_other_name(self, component: CAvenue) -> None:
        (video,) = component.videos()
        assert class_texts(video) == {"throwing_too-close": ("throwing", "too close")}
        (note,) = notes(component)
        assert "'throwing_too-close' calls it 'throwing-too_close'" in note


def test_words_published_keeps_the_published_texts(root: Path) -> None:
    assert next(iter(c_avenue(root, words="published").videos())).texts == ("too_close", "running")


def test_classes_option_selects_one_class(root: Path) -> None:
    assert {text for video in c_avenue(root, classes=("running",)).videos() for text in video.texts} == {"running"}


def test_an_unknown_class_suggests_the_closest_name(root: Path) -> None:
    with pytest.raises(UsageError, match=r"no class 'runing'. Did you mean 'running'\?.*too_close, running"):
        list(c_avenue(root, classes=("runing",)).videos())


def test_labels_without_a_video_are_an_error_and_with_partial_a_note(root: Path) -> None:
    (root / "testing_videos" / "02.avi").unlink()
    with pytest.raises(DatasetError, match="Video '02' has labels, but there is no video of that name"):
        list(c_avenue(root).videos())
    assert [video.id for video in c_avenue(root, partial=True).videos()] == ["01"]
    assert notes(c_avenue(root, partial=True)) == ["Video '02' has labels, but there is no video of that name."]


def test_the_survey_lists_all_missing_videos(root: Path) -> None:
    for name in ("01", "02"):
        (root / "testing_videos" / f"{name}.avi").unlink()
    assert len(notes(c_avenue(root), "error")) == 2
    with pytest.raises(DatasetError, match="And 1 more; --check lists all"):
        list(c_avenue(root).videos())


def test_a_video_in_no_class_list_gives_a_note(root: Path) -> None:
    (root / "testing_videos" / "99.avi").touch()
    assert notes(c_avenue(root)) == ["Video '99' has no labels, so it is skipped."]


def test_two_videos_of_one_name_are_an_error(root: Path) -> None:
    (root / "testing_videos" / "01.mp4").touch()
    with pytest.raises(DatasetError, match=r"'01' exists 2 times: .*01\.avi and .*01\.mp4"):
        list(c_avenue(root).videos())
    assert [video.id for video in c_avenue(root).survey().videos] == ["02"]


def test_a_class_without_its_file_is_an_error(root: Path) -> None:
    (root / "c-avenue_labels" / "avenue_running_label.h5").unlink()
    with pytest.raises(DatasetError, match="Class 'running' of the class list has no label file"):
        list(c_avenue(root).videos())


def test_lists_and_files_that_disagree_give_notes(root: Path) -> None:
    (root / "c-avenue.json").write_text(json.dumps({"too_close": ["01"], "running": ["01"]}))
    assert notes(c_avenue(root)) == [
        "Class 'running': the class list has events in video '01', but the label file has none.",
        "Class 'running': the label file has events in video '02', but the class list has none.",
    ]


def test_an_incomplete_file_gives_an_error_that_names_it(root: Path) -> None:
    path = root / "c-avenue_labels" / "avenue_running_label.h5"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DatasetError, match=r"avenue_running_label\.h5 cannot be read as HDF5: it is incomplete"):
        list(c_avenue(root).videos())
    assert [list(video.labels) for video in c_avenue(root).survey().videos] == [["too_close"]] * 2


def test_missing_labels_give_an_error_with_their_source(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFound, match=r"no folder c-avenue_labels in .*https://"):
        list(c_avenue(tmp_path).videos())


def test_missing_videos_give_an_error_with_their_source_and_layout(root: Path) -> None:
    for path in (root / "testing_videos").iterdir():
        path.unlink()
    with pytest.raises(DatasetNotFound, match=r"no videos in .*Get it from http.*testing_videos/01\.avi"):
        list(c_avenue(root).videos())


def test_a_missing_root_gives_an_error_that_names_the_option() -> None:
    with pytest.raises(DatasetNotFound, match="Name the folder of dataset 'c-avenue' with --root"):
        list(CAvenue(CVadOptions()).videos())


needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason="needs the published labels next to this repository"
)


@needs_published
@pytest.mark.parametrize(
    ("dataset_class", "kind", "n_videos", "n_frames", "positive"),
    [
        (
            CAvenue,
            "single",
            18,
            12394,
            {"too_close": 673, "running": 487, "throwing": 1036, "bicycle": 99, "dancing": 623},
        ),
        (CAvenue, "multiple", 3, 2930, {"running-throwing": 333, "throwing_too-close": 616}),
        (
            CShanghaiTech,
            "single",
            96,
            36388,
            {
                "running": 1711,
                "car": 1451,
                "throwing": 369,
                "bicycle": 5105,
                "skateboarding": 1370,
                "hand_truck": 293,
                "jumping": 535,
                "falling": 468,
                "fighting": 815,
                "loitering": 324,
                "motorcycle": 1331,
            },
        ),
        (
            CShanghaiTech,
            "multiple",
            11,
            4403,
            {
                "running-skateboarding": 365,
                "running-jumping": 396,
                "jumping-falling-pickup": 278,
                "stroller-running": 313,
                "stroller-bicycle": 519,
                "running-bicycle": 231,
                "skateboarding-bicycle": 229,
                "car-bicycle": 165,
                "stroller-loitering": 343,
            },
        ),
    ],
)
def test_all_published_labels_load(
    dataset_class: type[CVad], kind: Any, n_videos: int, n_frames: int, positive: dict[str, int], tmp_path: Path
) -> None:
    names = {name for path in PUBLISHED.glob("*_labels/*.h5") for name in read_h5(path)}
    for name in names:
        (tmp_path / f"{name}.avi").touch()
    videos = list(dataset_class(CVadOptions(root=str(tmp_path), labels=str(PUBLISHED), kind=kind)).videos())
    assert len(videos) == n_videos
    assert sum(len(next(iter(video.labels.values()))) for video in videos) == n_frames
    n_positive: dict[str, int] = {}
    for video in videos:
        assert len({len(labels) for labels in video.labels.values()}) == 1
        for name, labels in video.labels.items():
            n_positive[name] = n_positive.get(name, 0) + int(labels.sum())
    assert n_positive == positive
    (all_positive,) = [v for v in videos if "stroller-running" in v.labels] or [None]
    assert all_positive is None or all_positive.labels["stroller-running"].all()
