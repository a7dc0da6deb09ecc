"""What the video reader makes of a file, through its public interface."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import VideoReaderOptions
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame, Span, Video
from tests.videos.marks import Picture, orientation, read_numbers


@dataclass(frozen=True)
class Reading:
    """The frames of a file, in the order in which the reader yields them, and its complaint at the end."""

    video: Video
    frames: list[Frame] = field(default_factory=list, repr=False)
    complaint: str = ""
    notices: tuple[str, ...] = ()

    @property
    def images(self) -> list[Picture]:
        return [frame.image for frame in self.frames]

    @property
    def times_s(self) -> list[float]:
        return [frame.time_s for frame in self.frames]

    @property
    def numbers(self) -> list[int]:
        """The numbers that the frames show."""
        return read_numbers(self.images)


def read(path: Path, *, section: Span = (0.0, math.inf), start: int = 0, every: int = 1, **options: object) -> Reading:
    """Read a file to its end; what the reader complains about then, and its notices, are kept."""
    reader = VideoReader(VideoReaderOptions.model_validate({"max_side": 0, **options}))
    video = replace(reader.probe(str(path)), section=section)
    frames: list[Frame] = []
    try:
        for frame in reader.frames(video, start=start, every=every):
            frames.append(frame)  # noqa: PERF402  # frame by frame: the end may raise
    except VideoError as error:
        return Reading(video, frames, str(error), tuple(reader.notices(video)))
    return Reading(video, frames, "", tuple(reader.notices(video)))


def assert_complete(reading: Reading, n_frames: int, *, rate: float = 25.0, first: int = 0) -> None:
    """Assert that numbered frames are all there, upright, in order, at a constant rate from 0 s, without complaint."""
    assert reading.numbers == list(range(first, first + n_frames))
    assert [frame.index for frame in reading.frames] == list(range(n_frames))
    np.testing.assert_allclose(reading.times_s, np.arange(n_frames) / rate, atol=1.5e-3)
    assert {orientation(image) for image in reading.images} == {"upright"}
    assert_sizes(reading)
    assert not reading.complaint


def assert_sizes(reading: Reading) -> None:
    """Assert that all frames have the size that was announced."""
    sizes = {(frame.image.shape[1], frame.image.shape[0]) for frame in reading.frames}
    assert sizes == {(reading.video.width, reading.video.height)}
