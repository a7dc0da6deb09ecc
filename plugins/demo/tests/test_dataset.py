"""The dataset `demo`: clips are written once, can be read, and carry the labels that the files hold."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from anyanomaly_demo.clip_files import describe
from anyanomaly_demo.dataset import DemoDataset
from anyanomaly_demo.options import DemoDatasetOptions
from anyanomaly_demo.scenes import CLASSES, make_scene

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
        first, second = list(component.videos()), list(component.videos())
        assert [(v.id, v.uri, v.texts) for v in first] == [(v.id, v.uri, v.texts) for v in second]
        for a, b in zip(first, second, strict=True):
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


def test_the_written_frame_is_the_drawn_one(root: Path) -> None:
    video = next(iter(dataset(root).videos()))
    with VideoReader(VideoReaderOptions()) as reader:
        frame = next(iter(reader.frames(reader.probe(video.uri), start=20)))
    picture = make_scene(2_000_000, flavour="action").frame(20)
    assert np.abs(frame.image.astype(int) - picture).mean() < 12


def test_folders_of_frames_have_as_many_frames_as_labels(root: Path) -> None:
    video = next(iter(dataset(root, form="frames").videos()))
    with ImageReader(ImageReaderOptions()) as reader:
        assert reader.probe(video.uri).n_frames == len(video.labels["running"])


def test_splits_have_their_own_folders(root: Path) -> None:
    folders = {dataset(root, split=split).folder for split in ("train", "validation", "test", "held-out")}
    assert len(folders) == 4


def test_the_error_of_a_broken_record_names_its_file(root: Path) -> None:
    broken = dataset(root, split="validation")
    next(iter(broken.videos()))
    record = next((broken.folder / "scenes").glob("*.json"))
    record.write_text("{")
    with pytest.raises(DatasetError, match=record.name):
        list(broken.videos())


def test_a_record_has_boxes_on_request() -> None:
    scene = make_scene(1, n_frames=40)
    record = describe(scene, "one", ["running"], boxes=True)
    assert len(record["boxes"]) == 40
    assert json.loads(json.dumps(record)) == record


def test_the_cache_folder_is_the_one_of_the_core(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path))
    assert DemoDataset(DemoDatasetOptions()).folder.is_relative_to(tmp_path)


def test_registration_imports_no_heavy_package() -> None:
    import subprocess
    import sys

    code = "import sys, anyanomaly_demo; print([m for m in ('cv2', 'h5py', 'pydantic') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def _ids(root: Path) -> list[str]:
    return [video.id for video in dataset(root, split="validation").videos()]


def test_two_processes_may_write_the_same_clips_at_once(tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        first, second = pool.map(_ids, [tmp_path, tmp_path])
    assert first == second
    assert not list(tmp_path.rglob("*.partial*"))
