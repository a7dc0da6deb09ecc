"""Only regular files are opened, and nothing waits for a FIFO."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from anyanomaly.builtin.backend_options import ReplayOptions
from anyanomaly.builtin.backends import ReplayBackend
from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.read_video import VideoReader
from anyanomaly.builtin.reader_options import ImageReaderOptions, VideoReaderOptions
from anyanomaly.config.files import read_toml
from anyanomaly.errors import AnyAnomalyError, VideoError
from anyanomaly.outside_files import open_regular, read_bounded


@pytest.fixture(params=["fifo", "socket", "device", "folder", "cyclic link", "missing"])
def odd_path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    path = Path("odd.png")
    match request.param:
        case "fifo":
            os.mkfifo(path)
        case "socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
        case "cyclic link":
            path.symlink_to(path)
    return path


def test_what_is_no_regular_file_is_an_error_that_says_why(odd_path: Path) -> None:
    with pytest.raises(OSError, match=r"odd\.png") as caught:
        open_regular(odd_path)
    assert caught.value.strerror


@pytest.mark.parametrize(
    "read",
    [
        lambda path: VideoReader(VideoReaderOptions()).probe(str(path)),
        lambda path: ImageReader(ImageReaderOptions()).probe(str(path)),
        lambda path: read_toml(path, "config file"),
        lambda path: ReplayBackend(ReplayOptions(path=str(path))).load(),
    ],
)
def test_every_reader_refuses_it_and_names_it(odd_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(AnyAnomalyError, match=r"odd\.png"):
        read(odd_path)


def test_a_fifo_and_a_device_among_images_are_named_and_the_others_are_read(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to("/dev/zero")
    reader = ImageReader(ImageReaderOptions())
    frames = reader.frames(reader.probe(str(tmp_path)))
    assert next(frames).index == 0
    with pytest.raises(VideoError, match=r"2 of the 3 images .*b\.png cannot be opened: Not a regular file"):
        next(frames)


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(bytes(11))
    assert read_bounded(tmp_path / "a.toml", 11) == bytes(11)
    with pytest.raises(OSError, match="Larger than"):
        read_bounded(tmp_path / "a.toml", 10)
    with pytest.raises(OSError, match="null"):
        open_regular("a\0b")
