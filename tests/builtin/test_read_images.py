"""Folders of images as they come."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.builtin.readers import ImageReader
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame


def picture(folder: Path, name: str, grey: int, shape: tuple[int, ...] = (24, 32, 3)) -> None:
    folder.mkdir(exist_ok=True)
    ok, content = cv2.imencode(Path(name).suffix.lower(), np.full(shape, grey, np.uint8))
    assert ok
    (folder / name).write_bytes(content)


def read(uri: str, frames: list[Frame], fps: float = 25.0) -> None:
    reader = ImageReader(ImageReaderOptions(fps=fps))
    for frame in reader.frames(reader.probe(uri)):
        frames.append(frame)  # noqa: PERF402  # kept frame by frame: the end may raise


def test_natural_order_all_suffixes_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "cam 1"
    for number, suffix in ((10, ".png"), (2, ".JPG"), (1, ".bmp"), (33, ".webp")):
        picture(folder, f"frame_{number}{suffix}", number * 5)
    (folder / "notes.txt").write_text("x")
    picture(folder, ".hidden.png", 0)
    frames: list[Frame] = []
    read(str(folder), frames, fps=10)
    assert [round(frame.image.mean() / 5) for frame in frames] == [1, 2, 10, 33]
    assert [frame.time_s for frame in frames] == [0, 0.1, 0.2, 0.3]
    assert frames[0].video.id == "cam 1"
    globbed: list[Frame] = []
    read(str(folder / "frame_*.png"), globbed)
    assert (len(globbed), globbed[0].video.id) == (1, "cam 1")


def test_a_corrupt_and_an_odd_sized_image_are_left_out_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "cam"
    for number in range(6):
        picture(folder, f"{number}.png", 40)
    (folder / "1.png").write_bytes(b"junk")
    picture(folder, "4.png", 40, (9, 9, 3))
    frames: list[Frame] = []
    with pytest.raises(VideoError, match=r"2 of the 6 images .* \(first: 1.png\)"):
        read(str(folder), frames)
    assert [frame.index for frame in frames] == [0, 2, 3, 5]


def test_grey_and_transparent_images_become_rgb(tmp_path: Path) -> None:
    folder = tmp_path / "cam"
    picture(folder, "1.png", 90, (24, 32))
    picture(folder, "2.png", 90, (24, 32, 4))
    frames: list[Frame] = []
    read(str(folder), frames)
    assert [frame.image.shape for frame in frames] == [(24, 32, 3)] * 2


@pytest.mark.parametrize("content", [None, b"junk"])
def test_a_folder_without_a_readable_image_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content:
        (tmp_path / "1.png").write_bytes(content)
    with pytest.raises(VideoError, match=tmp_path.name):
        ImageReader(ImageReaderOptions()).probe(str(tmp_path))
