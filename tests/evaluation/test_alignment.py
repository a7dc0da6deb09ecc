"""Labels and scores of videos whose numbers of frames differ: aligned and named up to two frames, else an error."""

from __future__ import annotations

import numpy as np
import pytest

from anyanomaly.evaluation.alignment import Alignment, align
from anyanomaly.evaluation.dataset_check import check_dataset
from anyanomaly.evaluation.scores import ScoreTable, SegmentRow
from anyanomaly.types import LabelledVideo
from tests.engine.parts import ListReader
from tests.evaluation.test_dataset_check import ListedDataset

N_FRAMES = 60


def align_videos(*videos: LabelledVideo) -> Alignment:
    table = ScoreTable()
    for video in videos:
        for start in range(0, N_FRAMES, 20):
            table.add(video.id, "run", SegmentRow(start, start + 20, start / 25, (start + 20) / 25, {"key": 0.5}))
    return align(table, videos, ["run"], ["key"], keep_tail=True)


def labelled(name: str, n_labels: int) -> LabelledVideo:
    return LabelledVideo(name, name, ("run",), {"run": np.arange(n_labels) < 5})


@pytest.mark.parametrize("n_labels", [58, 59, 61, 62])
def test_every_video_that_differs_by_a_few_frames_is_aligned_and_named_once(n_labels: int) -> None:
    names = [f"v{number:02d}" for number in range(12)]
    alignment = align_videos(*(labelled(name, n_labels) for name in names), labelled("same", N_FRAMES))
    (note,) = alignment.notes
    assert [note.count(f"'{name}' ({n_labels} labels, 60 frames)") for name in names] == [1] * 12
    assert "same" not in note
    assert not alignment.problems
    (scores,) = alignment.classes
    assert {len(video.labels) for video in scores.videos} == {min(n_labels, N_FRAMES), N_FRAMES}


@pytest.mark.parametrize("n_labels", [30, 57, 63, 600])
def test_a_large_difference_is_an_error(n_labels: int) -> None:
    alignment = align_videos(labelled("a", n_labels), labelled("b", N_FRAMES))
    (problem,) = alignment.problems
    assert problem.startswith(f"Video 'a' has {n_labels} labels for 'run' and 60 frames with scores; skipped.")
    assert [video.video for video in alignment.classes[0].videos] == ["b"]


def test_spans_behind_the_last_frame_are_named() -> None:
    late = LabelledVideo("late", "late", ("run",), spans={"run": ((10.0, 20.0), (50.0, 61.0))})
    fits = LabelledVideo("fits", "fits", ("run",), spans={"run": ((50.0, 60.0),)})
    alignment = align_videos(late, fits)
    (note,) = alignment.notes
    assert note.endswith("they are truncated there: 'late' (to frame 61, 60 frames).")
    assert [int(video.labels.sum()) for video in alignment.classes[0].videos] == [10, 20]
    (finding,) = check_dataset(ListedDataset(late, fits), lambda _: ListReader(N_FRAMES)).findings
    assert finding.message == "Video 'late' has 60 frames and a span to frame 61: it is truncated there."
    assert finding.kind == "note"
