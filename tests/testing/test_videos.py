"""The synthetic clips: what their labels say is in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from anyanomaly.builtin.opencv import opencv
from anyanomaly.errors import OutputError
from anyanomaly.testing.videos import colour_blocks_video, synthetic_frames, synthetic_video


def _images(path):
    capture = opencv().VideoCapture(str(path))
    while (read := capture.read())[0]:
        yield read[1][:, :, ::-1]
    capture.release()


def _red(image):
    return (image[..., 0] > 150) & (image[..., 1] < 90)


def test_red_square_is_there_where_the_labels_say_and_moves_right(tmp_path):
    labels = synthetic_video(tmp_path / "clip.mp4")
    images = list(_images(tmp_path / "clip.mp4"))
    assert len(images) == labels.size == 96
    assert images[0].shape == (48, 64, 3)
    assert [bool(_red(image).any()) for image in images] == labels.tolist()
    assert np.flatnonzero(labels).tolist() == list(range(25, 50))
    lefts = [int(np.argwhere(_red(images[index]))[:, 1].min()) for index in range(25, 50)]
    assert lefts == sorted(lefts)
    assert lefts[0] == 0
    assert lefts[-1] == 48


def test_same_arguments_write_the_same_bytes(tmp_path):
    for name in ("a.mp4", "b.mp4"):
        synthetic_video(tmp_path / name, n_frames=30)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_event_times_follow_the_frame_rate(tmp_path):
    labels = synthetic_video(tmp_path / "clip.mp4", n_frames=20, fps=10, event_s=(0.5, 1.0))
    assert np.flatnonzero(labels).tolist() == [5, 6, 7, 8, 9]


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_frames_are_those_of_the_video(tmp_path, suffix):
    labels = synthetic_frames(tmp_path / "frames", n_frames=30, suffix=suffix)
    images = [opencv().imread(str(tmp_path / "frames" / f"frame_{index}{suffix}"))[:, :, ::-1] for index in range(30)]
    assert [bool(_red(image).any()) for image in images] == labels.tolist()


def test_colour_blocks_are_red_green_blue(tmp_path):
    colour_blocks_video(tmp_path / "blocks.mp4")
    image = next(_images(tmp_path / "blocks.mp4"))
    assert image[24, [16, 48, 80]].argmax(axis=1).tolist() == [0, 1, 2]


def test_unwritable_place_is_an_output_error(tmp_path):
    with pytest.raises(OutputError, match="missing-folder"):
        synthetic_video(tmp_path / "missing-folder" / "clip.mp4")
