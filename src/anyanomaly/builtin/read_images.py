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
    """Reads images as the frames of a video, ``frame_2`` before ``frame_10``. EXIF orientation is applied."""

    def probe(self, uri: str) -> Video:
        """Describe a folder or glob of images; the first readable image gives the size of all.

        :raises VideoError: when there is no readable image.
        """
        paths = _paths(uri)
        for path in paths:
            picture = _read(path)
            if picture is not None:
                height, width, _ = picture.shape
                width, height = scaled_size(width, height, self.options.max_side)
                return Video(_folder_name(uri), uri, self.options.fps, len(paths), width, height)
        if paths:
            raise VideoError(f"None of the {len(paths)} images of {uri} can be read. Check that they are complete.")
        raise VideoError(f"{uri} holds no images ({', '.join(sorted(SUFFIXES))}). Check the path.")

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield the images in natural order; ``time_s`` is ``index / fps``.

        :raises VideoError: at the end, when images could not be read or are of another size; they are skipped.
        """
        paths = _paths(video.uri)
        first_size: tuple[int, ...] = ()
        skipped: list[str] = []
        for index in range(start, len(paths), every):
            picture = _read(paths[index])
            if picture is None or picture.shape[:2] != (first_size := first_size or picture.shape[:2]):
                skipped.append(paths[index].name)
                continue
            yield Frame(video, index, index / video.fps, to_rgb(picture, (video.width, video.height)))
        if skipped:
            raise VideoError(
                f"{len(skipped)} of the {len(paths)} images of {video.uri} cannot be read or are of another size "
                f"(first: {skipped[0]}). They were skipped; replace or remove them."
            )


def _paths(uri: str) -> list[Path]:
    path = Path(uri)
    files = path.iterdir() if path.is_dir() else map(Path, glob(uri))
    images = [file for file in files if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")]
    return sorted(images, key=lambda image: _natural_key(str(image)))


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key that orders numbers by value: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", name)  # every second part is a number
    return [(int(part), "") if at % 2 else (-1, part.lower()) for at, part in enumerate(parts)] + [(-2, name)]


def _folder_name(uri: str) -> str:
    """Return the name of the folder of a folder or glob."""
    path = Path(uri).absolute()
    return path.name if path.is_dir() else path.parent.name


def _read(path: Path) -> Any:
    """Return the image as BGR, uint8 (H, W, 3), or None; from bytes, because OpenCV cannot open some file names."""
    cv2 = opencv()
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError:
        return None
    return cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
