"""Labels of frames: from arrays, which must fit; from spans in frames, seconds or shares."""

from __future__ import annotations

import numpy as np
import pytest

from anyanomaly.core.labels import class_texts, frame_labels
from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo, SpanUnit


@pytest.mark.parametrize(
    ("unit", "span", "positive"),
    [
        ("frames", (2, 5), [2, 3, 4]),
        ("seconds", (0.2, 0.5), [2, 3, 4]),
        ("share", (0.2, 0.5), [2, 3, 4]),
        ("frames", (8, 99), [8, 9]),
    ],
)
def test_spans_are_half_open_and_end_with_the_video(unit: SpanUnit, span: tuple[float, float], positive) -> None:
    video = LabelledVideo("a.mp4", "a", ("run",), spans={"run": (span,)}, unit=unit)
    labels = frame_labels(video, np.arange(10) / 10)["run"]
    assert labels.nonzero()[0].tolist() == positive
    assert labels.shape == (10,)
    assert not labels.flags.writeable


def test_seconds_are_the_frames_own_times() -> None:
    times_s = np.array([0.0, 0.1, 0.9, 1.0])  # a camera that dropped frames
    video = LabelledVideo("a.mp4", "a", ("run",), spans={"run": ((0.05, 0.95),)}, unit="seconds")
    assert frame_labels(video, times_s)["run"].tolist() == [False, True, True, False]


@pytest.mark.parametrize("n_labels", [9, 11])
def test_labels_that_do_not_fit_say_both_lengths_and_the_file(n_labels: int) -> None:
    video = LabelledVideo("a.mp4", "a", ("run",), {"run": np.zeros(n_labels, np.bool_)}, label_file="run.h5")
    with pytest.raises(DatasetError, match=f"'a' has 10 frames, and {n_labels} labels of 'run' in run.h5"):
        frame_labels(video, np.arange(10.0))


def test_a_class_has_its_texts_or_its_name() -> None:
    labels = np.zeros(1, np.bool_)
    classes = {"running-throwing": ("running", "throwing")}
    video = LabelledVideo(
        "a", "a", ("running", "throwing"), {"running-throwing": labels, "running": labels}, classes=classes
    )
    assert class_texts(video) == {"running-throwing": ("running", "throwing"), "running": ("running",)}
