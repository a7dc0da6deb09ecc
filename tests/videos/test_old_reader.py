"""Frames of the shared videos equal those of OpenCV, which read videos before, within two grey levels.

Both decode with FFmpeg and convert with its scaler: where their versions round alike, frames are the same bytes.
"""

from __future__ import annotations

import cv2
import pytest

from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import VideoReaderOptions
from tests.support.shared import shared

MAX_DIFFERENCE = 2


@pytest.mark.parametrize("name", ["bottle-detection", "car-detection", "one-by-one-person-detection"])
def test_frames_equal_those_of_opencv(name: str) -> None:
    path = shared("data", "videos", f"{name}.mp4")
    reader = VideoReader(VideoReaderOptions(max_side=0))
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    largest = 0
    n_frames = 0
    for frame in reader.frames(reader.probe(str(path))):
        is_read, picture = capture.read()
        assert is_read, f"OpenCV has no frame {frame.index}"
        largest = max(largest, int(cv2.absdiff(frame.image, cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).max()))
        n_frames += 1
    assert not capture.read()[0], "OpenCV has more frames"
    capture.release()
    assert n_frames > 300
    assert largest <= MAX_DIFFERENCE
