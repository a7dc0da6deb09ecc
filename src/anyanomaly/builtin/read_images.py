"""Folders and globs of images, in natural order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np

from anyanomaly.api.reader import Reader
from anyanomaly.builtin.opencv import opencv
from anyanomaly.builtin.pictures import scaled_size, to_rgb
from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame, Video

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


class ImageReader(Reader[ImageReaderOptions]):
    """Reads images as the frames of a video: ``frame_2`` before ``frame_10``. EXIF orientation is applied."""

    def probe(self, uri: str) -> Video:
        """List the images and read the first that can be read: it gives the size of all.

        :raises VideoError: when there is none.
        """
        paths = _paths(uri)
        for path in paths:
            picture = _read(path)
            if picture is not None:
                height, width, _ = picture.shape
                width, height = scaled_size(width, height, self.options.max_side)
                return Video(_name(uri), uri, self.options.fps, len(paths), width, height)
        if paths:
            raise VideoError(f"None of the {len(paths)} images of {uri} can be read.")
        raise VideoError(f"{uri} holds no images ({', '.join(sorted(SUFFIXES))}).")

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Read image by image; ``time_s`` is ``index / fps``.

        :raises VideoError: at the end, when images could not be read or are of another size; they were left out.
        """
        paths = _paths(video.uri)
        first_size: tuple[int, ...] = ()
        bad: list[str] = []
        for index in range(start, len(paths), every):
            picture = _read(paths[index])
            if picture is None or picture.shape[:2] != (first_size := first_size or picture.shape[:2]):
                bad.append(paths[index].name)
                continue
            yield Frame(video, index, index / video.fps, to_rgb(picture, (video.width, video.height)))
        if bad:
            raise VideoError(
                f"{len(bad)} of the {len(paths)} images of {video.uri} cannot be read or are of another size "
                f"(first: {bad[0]}); they were left out."
            )


def _paths(uri: str) -> list[Path]:
    path = Path(uri)
    found = path.iterdir() if path.is_dir() else (Path(each) for each in glob(uri))
    images = [each for each in found if each.suffix.lower() in SUFFIXES and not each.name.startswith(".")]
    return sorted(images, key=lambda each: _natural(str(each)))


def _natural(name: str) -> list[tuple[int, str]]:
    """Key that sorts numbers by value: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", name)
    return [(int(part), "") if at % 2 else (-1, part.lower()) for at, part in enumerate(parts)] + [(-2, name)]


def _name(uri: str) -> str:
    """The folder's name, for a glob too."""
    path = Path(uri).absolute()
    return path.name if path.is_dir() else path.parent.name


def _read(path: Path) -> Any:
    """Return the picture as BGR uint8, or None; through bytes, because OpenCV's own reader fails on some names."""
    cv2 = opencv()
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError:
        return None
    return cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
