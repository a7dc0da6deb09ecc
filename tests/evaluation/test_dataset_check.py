"""The check of a data set: frames against labels, all that is wrong at once, nothing raised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from anyanomaly.api import Dataset, Finding, Options, Survey
from anyanomaly.evaluation.dataset_check import check_dataset
from anyanomaly.types import LabelledVideo
from tests.engine.parts import ListReader


class Made(Dataset[Options]):
    def __init__(self, *videos: LabelledVideo, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(Options())
        self.made, self.findings = videos, findings

    def videos(self) -> Iterator[LabelledVideo]:
        return iter(self.made)

    def survey(self) -> Survey:
        return Survey(self.made, self.findings)


def labelled(name: str, n_labels: int, n_positive: int) -> LabelledVideo:
    return LabelledVideo(name, name, ("run",), {"run": np.arange(n_labels) < n_positive})


def test_frames_and_positives_are_counted_per_video_and_class() -> None:
    spanned = LabelledVideo("c", "c", ("run",), spans={"run": ((0.0, 1.05),)}, unit="seconds")
    report = check_dataset(Made(labelled("a", 60, 5), labelled("b", 60, 0), spanned), lambda _: ListReader(60))
    assert [(v.id, v.n_frames, v.n_positive) for v in report.videos] == [
        ("a", 60, {"run": 5}),
        ("b", 60, {"run": 0}),
        ("c", 60, {"run": 11}),
    ]
    (run,) = report.classes
    assert (run.name, run.n_videos, run.n_frames, run.n_positive, run.has_auc) == ("run", 3, 180, 16, True)
    assert report.ok


def test_all_that_does_not_fit_is_found_at_once() -> None:
    gone = Finding("error", "z", "Labels of 'z' have no video.")
    made = Made(labelled("a", 60, 5), labelled("long", 63, 5), labelled("short", 57, 5), findings=(gone,))
    report = check_dataset(made, lambda _: ListReader(60))
    assert not report.ok
    assert [(finding.kind, finding.about) for finding in report.findings] == [
        ("error", "z"),
        ("error", "long"),
        ("error", "short"),
    ]
    assert report.classes[0].n_videos == 1  # what does not fit does not count


@pytest.mark.parametrize("n_labels", [59, 62])
def test_a_frame_or_two_are_cut_and_told(n_labels: int) -> None:
    report = check_dataset(Made(labelled("a", n_labels, 5)), lambda _: ListReader(60))
    (note,) = report.findings
    assert note.message == f"Video 'a' has 60 frames and {n_labels} labels: the longer is truncated at the end."
    assert report.ok
    assert (report.videos[0].n_frames, report.videos[0].n_positive) == (min(60, n_labels), {"run": 5})


def test_two_videos_of_one_name_are_an_error() -> None:
    report = check_dataset(Made(labelled("a", 60, 5), labelled("a", 60, 5)), lambda _: ListReader(60))
    assert [finding.message for finding in report.findings] == ["The dataset has two videos of the name 'a'."]
    assert not report.ok


def test_a_container_that_counts_wrong_is_read_through() -> None:
    class Guessing(ListReader):
        def probe(self, uri: str):
            video = super().probe(uri)
            return type(video)(video.id, uri, video.fps, 64, video.width, video.height)

    report = check_dataset(Made(labelled("a", 60, 5)), lambda _: Guessing(60))
    assert report.ok
    assert report.videos[0].n_frames == 60


def test_a_class_with_one_label_only_is_said_to_have_no_auc() -> None:
    report = check_dataset(Made(labelled("a", 60, 60)), lambda _: ListReader(60))
    (finding,) = report.findings
    assert finding.message == "All 60 frames of class 'run' are positive: it has no AUC."
    assert report.ok
