"""The data set `demo`: clips are written once, can be read, and carry the labels that the files hold."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from anyanomaly_demo.dataset import DemoDataset
from anyanomaly_demo.options import DemoDatasetOptions
from anyanomaly_demo.scenes import CLASSES, make_scene
from anyanomaly_demo.writing import describe

from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import ImageReaderOptions, VideoReaderOptions
from anyanomaly.errors import DatasetError
from anyanomaly.testing.contracts import DatasetContract


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


def dataset(root: Path, **options: Any) -> DemoDataset:
    return DemoDataset(DemoDatasetOptions(root=str(root), n_videos=2, flavour="action", **options))


class TestDemoDataset(DatasetContract):
    @pytest.fixture
    def component(self, root: Path) -> DemoDataset:
        return dataset(root)

    def test_iterating_twice_gives_the_same(self, component: DemoDataset) -> None:
        one, other = list(component.videos()), list(component.videos())
        assert [(v.id, v.uri, v.texts) for v in one] == [(v.id, v.uri, v.texts) for v in other]
        for a, b in zip(one, other, strict=True):
            assert a.labels.keys() == set(a.texts) == set(CLASSES["action"])
            assert all((a.labels[text] == b.labels[text]).all() for text in a.texts)

    def test_a_clip_has_as_many_frames_as_labels(self, component: DemoDataset) -> None:
        with VideoReader(VideoReaderOptions()) as reader:
            for labelled in component.videos():
                video = reader.probe(labelled.uri)
                count = sum(1 for _ in reader.frames(video))
                assert (video.width, video.height, video.fps) == (320, 240, 12.0)
                assert {len(values) for values in labelled.labels.values()} == {count}

    def test_the_files_hold_the_same_labels(self, component: DemoDataset) -> None:
        videos = {video.id: video for video in component.videos()}
        folder = component.folder
        listed = json.loads((folder / "labels.json").read_text())
        for text in CLASSES["action"]:
            with h5py.File(folder / "labels" / f"demo_{text.replace(' ', '_')}_label.h5") as file:
                assert set(file) == set(videos)
                for name, video in videos.items():
                    assert file[name].dtype == np.int8
                    assert (file[name][:] == video.labels[text]).all()
                    assert listed[text][name] == video.labels[text].astype(int).tolist()
        clips = json.loads((folder / "manifest.json").read_text())["clips"]
        assert [clip["seed"] for clip in clips] == [2_000_000, 2_000_001]


def test_the_written_picture_is_the_drawn_one(root: Path) -> None:
    video = next(iter(dataset(root).videos()))
    with VideoReader(VideoReaderOptions()) as reader:
        frame = next(iter(reader.frames(reader.probe(video.uri), start=20)))
    drawn = make_scene(2_000_000, flavour="action").frame(20)
    assert np.abs(frame.image.astype(int) - drawn).mean() < 12


def test_folders_of_frames_are_read_as_many(root: Path) -> None:
    video = next(iter(dataset(root, form="frames").videos()))
    with ImageReader(ImageReaderOptions()) as reader:
        assert reader.probe(video.uri).n_frames == len(video.labels["running"])


def test_splits_have_their_own_folders(root: Path) -> None:
    folders = {dataset(root, split=split).folder for split in ("train", "validation", "test", "held-out")}
    assert len(folders) == 4


def test_broken_notes_are_named(root: Path) -> None:
    made = dataset(root, split="validation")
    next(iter(made.videos()))
    notes = next((made.folder / "scenes").glob("*.json"))
    notes.write_text("{")
    with pytest.raises(DatasetError, match=notes.name):
        list(made.videos())


def test_boxes_are_described_when_asked() -> None:
    scene = make_scene(1, n_frames=40)
    found = describe(scene, "one", ["running"], boxes=True)
    assert len(found["boxes"]) == 40
    assert json.loads(json.dumps(found)) == found


def test_the_cache_folder_is_that_of_the_core(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path))
    assert DemoDataset(DemoDatasetOptions()).folder.is_relative_to(tmp_path)


def test_registration_is_light() -> None:
    import subprocess
    import sys

    code = "import sys, anyanomaly_demo; print([m for m in ('cv2', 'h5py', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def _ids(root: Path) -> list[str]:
    return [video.id for video in dataset(root, split="validation").videos()]


def test_two_processes_may_write_the_same_clips_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        one, other = pool.map(_ids, [tmp_path, tmp_path])
    assert one == other
    assert not list(tmp_path.rglob("*.partial*"))
