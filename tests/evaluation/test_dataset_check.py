"""The check of a dataset compares frames with labels and returns all faults at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from anyanomaly.api import Dataset, Finding, Options, Survey
from anyanomaly.evaluation.dataset_check import check_dataset
from anyanomaly.types import LabelledVideo
from tests.engine.parts import ListReader


class ListedDataset(Dataset[Options]):
    def __init__(self, *videos: LabelledVideo, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(Options())
        self.listed, self.findings = videos, findings

    def videos(self) -> Iterator[LabelledVideo]:
        return iter(self.listed)

    def survey(self) -> Survey:
        return Survey(self.listed, self.findings)


def label_start(name: str, n_labels: int, n_positive: int) -> LabelledVideo:
    return LabelledVideo(name, name, ("run",), {"run": np.arange(n_labels) < n_positive})


def test_frames_and_positives_are_counted_per_video_and_class() -> None:
    spanned = LabelledVideo("c", "c", ("run",), spans={"run": ((0.0, 1.05),)}, unit="seconds")
    report = check_dataset(
        ListedDataset(label_start("a", 60, 5), label_start("b", 60, 0), spanned), lambda _: ListReader(60)
    )
    assert [(v.id, v.n_frames, v.n_positive) for v in report.videos] == [
        ("a", 60, {"run": 5}),
        ("b", 60, {"run": 0}),
        ("c", 60, {"run": 11}),
    ]
    (run,) = report.classes
    assert (run.name, run.n_videos, run.n_frames, run.n_positive, run.has_auc) == ("run", 3, 180, 16, True)
    assert report.ok


def test_all_faults_are_found_at_once() -> None:
    no_video = Finding("error", "z", "Labels of 'z' have no video.")
    dataset = ListedDataset(
        label_start("a", 60, 5), label_start("long", 63, 5), label_start("short", 57, 5), findings=(no_video,)
    )
    report = check_dataset(dataset, lambda _: ListReader(60))
    assert not report.ok
    assert [(finding.kind, finding.about) for finding in report.findings] == [
        ("error", "z"),
        ("error", "long"),
        ("error", "short"),
    ]
    assert report.classes[0].n_videos == 1  # only videos whose labels fit count


@pytest.mark.parametrize("n_labels", [59, 62])
def test_a_difference_of_one_or_two_frames_is_truncated_and_noted(n_labels: int) -> None:
    report = check_dataset(ListedDataset(label_start("a", n_labels, 5)), lambda _: ListReader(60))
    (note,) = report.findings
    assert note.message == f"Video 'a' has 60 frames and {n_labels} labels: the longer is truncated at the end."
    assert report.ok
    assert (report.videos[0].n_frames, report.videos[0].n_positive) == (min(60, n_labels), {"run": 5})


def test_two_videos_of_one_name_are_an_error() -> None:
    report = check_dataset(ListedDataset(label_start("a", 60, 5), label_start("a", 60, 5)), lambda _: ListReader(60))
    assert [finding.message for finding in report.findings] == ["The dataset has two videos of the name 'a'."]
    assert not report.ok


def test_frames_are_counted_where_the_container_may_be_wrong() -> None:
    class WrongCount(ListReader):
        def probe(self, uri: str):
            video = super().probe(uri)
            return type(video)(video.id, uri, video.fps, 64, video.width, video.height)

    report = check_dataset(ListedDataset(label_start("a", 60, 5)), lambda _: WrongCount(60))
    assert report.ok
    assert report.videos[0].n_frames == 60


def test_a_note_names_a_class_with_one_label_only() -> None:
    report = check_dataset(ListedDataset(label_start("a", 60, 60)), lambda _: ListReader(60))
    (finding,) = report.findings
    assert finding.message == "All 60 frames of class 'run' are positive: it has no AUC."
    assert report.ok
