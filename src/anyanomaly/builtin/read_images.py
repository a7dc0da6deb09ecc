"""Folders and globs of images, in natural order, and single image files, animated or not."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from glob import escape, glob
from pathlib import Path

from anyanomaly.api.reader import Reader
from anyanomaly.builtin.file_digests import digest_files
from anyanomaly.builtin.image_sequence import ImageSequence, open_file, open_folder
from anyanomaly.builtin.pictures import fit, scaled_size
from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.builtin.suffixes import IMAGE_SUFFIXES
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame, Video

OTHER_SIZE = "Images of another shape or size than the first one are fitted into its size, with black borders"


class ImageReader(Reader[ImageReaderOptions]):
    """Reads images as the frames of a video, ``frame_2`` before ``frame_10``. EXIF orientation is applied.

    A single file is a video too: an animation with its own durations, played once; the pages of a TIFF; or one frame.
    Of such a file in a folder, the first frame is used.
    """

    def __init__(self, options: ImageReaderOptions) -> None:
        super().__init__(options)
        self._remarks: dict[
            str, dict[str, list[str]]
        ] = {}  # by URI: the images that each remark is about, in what was read last

    def probe(self, uri: str) -> Video:
        """Describe a folder, a glob or a file; the first readable image gives the size of all.

        :raises VideoError: when there is no readable image.
        """
        sequence = _open(uri)
        first_error = None
        for picture in sequence.pictures(0, 1):
            if not isinstance(picture, VideoError):
                height, width, _ = picture.image.shape
                width, height = scaled_size(width, height, self.options.max_side)
                return Video(_name(uri), uri, sequence.fps(self.options.fps), sequence.n_frames, width, height)
            first_error = first_error or picture
        if sequence.n_frames == 1 and first_error:
            raise first_error
        raise VideoError(f"None of the {sequence.n_frames} images of {uri} can be read. The first: {first_error}")

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield the images in order, at ``index / fps`` or at the times of an animation.

        An image of another size is fitted into the size of the video, with black borders.

        :raises VideoError: at the end, when images could not be read; they are skipped.
        """
        remarks = self._remarks[video.uri] = {}
        sequence = _open(video.uri)
        times_s = sequence.times_s(video.fps)
        begin_s, end_s = video.section
        if begin_s > times_s[-1]:
            raise VideoError(f"{video.uri} ends at {times_s[-1]:.2f} s, before the start at {begin_s:g} s (--start).")
        end = bisect_left(times_s, end_s)
        first = bisect_left(times_s, begin_s)
        indices = range(start + max(0, -(-(first - start) // every)) * every, end, every)
        errors: list[VideoError] = []
        for index, picture in zip(indices, sequence.pictures(indices.start, every), strict=False):
            if isinstance(picture, VideoError):
                errors.append(picture)
                continue
            height, width, _ = picture.image.shape
            is_other_size = scaled_size(width, height, self.options.max_side) != (video.width, video.height)
            for remark in (*picture.remarks, *(OTHER_SIZE,) * is_other_size):
                remarks.setdefault(remark, []).append(picture.name)
            image = fit(picture.image, (video.width, video.height))
            yield Frame(video, index, times_s[index], image, end if index == indices[-1] else None)
        if errors:
            raise VideoError(
                f"{len(errors)} of the {sequence.n_frames} images of {video.uri} cannot be read and are skipped. "
                f"The first: {errors[0]}"
            )

    def content_digest(self, video: Video) -> str | None:
        """Return a digest of the images and the order of their names; None: one cannot be read."""
        path = Path(video.uri)
        with suppress(OSError):
            return digest_files([path] if path.is_file() else _image_paths(video.uri))
        return None

    def notices(self, video: Video) -> tuple[str, ...]:
        """Return what was unusual about the images that were read last, one sentence each."""
        remarks = self._remarks.get(video.uri, {})
        return tuple(_notice(remark, names, video.uri) for remark, names in remarks.items())


def _notice(remark: str, names: list[str], uri: str) -> str:
    return f"{remark}: {len(names)} of {uri} (first: {names[0]})."


def _open(uri: str) -> ImageSequence:
    """Return the images of a folder, a glob or a file.

    :raises VideoError: when there is none.
    """
    path = Path(uri)
    if path.exists() and not path.is_dir():
        return open_file(path)
    try:
        paths = _image_paths(uri)
    except OSError as error:
        raise VideoError(f"The folder {uri} cannot be read: {error.strerror}.") from error
    if not paths and not path.is_dir() and not any(character in uri for character in "*?["):
        raise VideoError(f"There is no file or folder {uri}. Check the path.")
    if not paths:
        verb = "holds" if path.is_dir() else "matches"
        raise VideoError(f"{uri} {verb} no images ({', '.join(sorted(IMAGE_SUFFIXES))}). Check the path.")
    return open_folder(paths)


def _image_paths(uri: str) -> list[Path]:
    """Return the images of a folder or glob in natural order, without hidden files and folders.

    Links without a target, FIFOs and the like count: reading them is an error that names them.
    """
    path = Path(uri)
    files = path.iterdir() if path.is_dir() else _matches(path)
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")]
    return sorted(
        (image for image in images if not image.is_dir()),
        key=lambda image: _natural_key(str(image)),
    )


def _matches(pattern: Path) -> Iterator[Path]:
    """Yield the paths that match a glob. Folders that exist are names, not patterns, with brackets too."""
    folder = _existing_folder(pattern)
    return map(Path, glob(str(Path(escape(str(folder))) / pattern.relative_to(folder))))


def _existing_folder(path: Path) -> Path:
    """Return the folder at the beginning of a glob that needs no matching."""
    return next((parent for parent in path.parents if parent.is_dir()), Path())


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key that orders numbers by value: frame_2 before frame_10."""
    parts = re.split(r"(\d+)", name)  # every second part is a number
    return [(int(part), "") if at % 2 else (-1, part.lower()) for at, part in enumerate(parts)] + [(-2, name)]


def _name(uri: str) -> str:
    """Return the name of a file without its suffix, or of the folder of a folder or glob."""
    path = Path(uri).absolute()
    if path.is_file():
        return path.stem
    return path.name if path.is_dir() else _existing_folder(path).name
