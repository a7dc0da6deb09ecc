"""Images as a sequence of frames: those of a folder, an animation, the pages of a TIFF, or a still image alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, count, islice
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from anyanomaly.builtin import apng, gif, webp
from anyanomaly.builtin.animation import MAX_CANVAS_PIXELS, check_total, draw, shown_duration
from anyanomaly.builtin.image_file import check_size, decode, image_errors, is_dark, on_white, open_binary, open_image
from anyanomaly.errors import VideoError
from anyanomaly.types import ImageArray

if TYPE_CHECKING:
    from PIL.Image import Image

IS_DARK = "16-bit images that use only the low 12 bits look almost black; scale their values to the full range"
HAS_MORE = "Of files with several frames, only the first frame is used"

_ANIMATIONS: tuple[tuple[bytes, ModuleType], ...] = (
    (rb"GIF8[79]a", gif),
    (rb"\x89PNG\r\n\x1a\n", apng),
    (rb"RIFF....WEBPVP8X", webp),
)
"""By the first bytes of a file, as a pattern: the module that reads the parts of its animations."""

MAX_PAGES = 10_000
"""Largest number of pages of a TIFF: Pillow compares each with all before it."""

_SUBFILE_TYPE = 254
"""TIFF tag; its lowest bit marks a smaller copy of another page."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame, and what a user should know about it."""

    name: str  # of the file, or of the frame in its file
    image: ImageArray
    remarks: tuple[str, ...] = ()  # of the constants above


Pictures: TypeAlias = Iterator[Picture | VideoError]
"""Frames in order; an error in place of a frame that cannot be read."""


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """The frames of a folder or of a file."""

    n_frames: int
    pictures: Callable[[int, int], Pictures]  # frames from `start` in steps of `every`
    durations_s: tuple[float, ...] = ()  # of each frame, as browsers show it; empty: frames have no durations

    def times_s(self, fps: float) -> list[float]:
        """Return the time of each frame, in seconds.

        :param fps: frames per second of frames without durations.
        """
        if self.durations_s:
            return [0.0, *accumulate(self.durations_s[:-1])]
        return [index / fps for index in range(self.n_frames)]

    def fps(self, fps: float) -> float:
        """Return the mean frame rate; ``fps`` for frames without durations."""
        return self.n_frames / sum(self.durations_s) if self.durations_s else fps


def open_folder(paths: Sequence[Path]) -> ImageSequence:
    """Return the first frame of each image file as a sequence."""
    return ImageSequence(len(paths), lambda start, every: (_read_first(path) for path in paths[start::every]))


def open_file(path: Path) -> ImageSequence:
    """Return the frames of an image file.

    :raises VideoError: when it is missing, no image, too large, or damaged at its start.
    """
    if animation := _open_animation(path):
        return animation
    with open_image(path) as image:
        pages = [0]  # a JPEG may hold a preview or a map of depths as its second frame
        durations_s: tuple[float, ...] = ()
        if image.format == "TIFF":
            pages = _pages(image, str(path))
        elif image.format == "AVIF" and (durations_s := _decode_durations(image, str(path))):
            pages = list(range(len(durations_s)))
    return ImageSequence(len(pages), lambda start, every: _read_pages(path, pages[start::every]), durations_s)


def _read_first(path: Path) -> Picture | VideoError:
    try:
        sequence = open_file(path)
    except VideoError as error:
        return error
    picture = next(sequence.pictures(0, 1))
    if isinstance(picture, VideoError) or sequence.n_frames == 1:
        return picture
    return Picture(path.name, picture.image, (*picture.remarks, HAS_MORE))


def _open_animation(path: Path) -> ImageSequence | None:
    """Return an animation that is stored as parts; None: the file is something else, or a still image."""
    with image_errors(str(path)), _mapped(path) as data:
        modules = [module for pattern, module in _ANIMATIONS if re.match(pattern, data, re.DOTALL)]
        if not modules:
            return None
        module = modules[0]
        durations_s = tuple(shown_duration(part.duration_s) for part in module.read_parts(data))
        if not durations_s:
            return None
        width, height = module.canvas_size(data)
    check_size(width, height, str(path), MAX_CANVAS_PIXELS)
    check_total(width * height * len(durations_s), str(path))

    def pictures(start: int, every: int) -> Pictures:
        with _mapped(path) as data:
            frames = draw(module.read_parts(data), width, height, str(path))
            for index, frame in islice(enumerate(frames), start, None, every):
                yield frame if isinstance(frame, VideoError) else Picture(f"frame {index}", frame)

    return ImageSequence(len(durations_s), pictures, durations_s if len(durations_s) > 1 else ())


def _read_pages(path: Path, pages: Sequence[int]) -> Pictures:
    """Yield the frames of a file by their positions in it."""
    with open_image(path) as image:
        for page in pages:
            name = f"frame {page}" if len(pages) > 1 else path.name
            full_name = f"{path}, {name}," if len(pages) > 1 else str(path)
            try:
                with image_errors(full_name):
                    image.seek(page)
                    check_size(image.width, image.height, full_name)
                    pixels = on_white(decode(image, full_name))
                    picture: Picture | VideoError = Picture(name, pixels, (IS_DARK,) * is_dark(image))
            except VideoError as error:
                picture = error
            yield picture


def _pages(image: Image, name: str) -> list[int]:
    """Return the positions of the pages of a TIFF, without smaller copies of others; at least one.

    :raises VideoError: when there are too many, or they have too many pixels in all.
    """
    pages = []
    n_pixels = 0
    for page in count():
        if page > MAX_PAGES:
            raise VideoError(f"{name} has more than {MAX_PAGES:,} pages. Save them as a video file or as single files.")
        try:
            image.seek(page)
        except EOFError:
            break
        except Exception:  # as for pixels: whatever Pillow raises for damaged files; reading the page will say so
            pages.append(page)
            break
        if not image.tag_v2.get(_SUBFILE_TYPE, 0) & 1:  # type: ignore[attr-defined]
            pages.append(page)
            n_pixels += image.width * image.height
    check_total(n_pixels, name)
    return pages or [0]


def _decode_durations(image: Image, name: str) -> tuple[float, ...]:
    """Return the duration of each frame, in seconds, which Pillow knows after decoding it; empty for a still image."""
    n_frames = int(getattr(image, "n_frames", 1))
    check_total(image.width * image.height * n_frames, name)
    durations_s = []
    for page in range(n_frames) if n_frames > 1 else ():
        image.seek(page)
        image.load()
        durations_s.append(shown_duration(image.info.get("duration", 0) / 1000))
    return tuple(durations_s)


@contextmanager
def _mapped(path: Path) -> Iterator[mmap]:
    """Map a file into memory.

    :raises VideoError: when it is missing, cannot be read, or is empty.
    """
    with open_binary(path) as file:
        try:
            data = mmap(file.fileno(), 0, access=ACCESS_READ)
        except (OSError, ValueError) as error:
            raise VideoError(f"{path} is empty (0 bytes).") from error
        with data:
            yield data
