"""The frames of a source once more, with the times that its annotated video gets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, pairwise
from pathlib import Path
from typing import Self

import av
from av.video.stream import VideoStream

from anyanomaly.builtin.pictures import fit, scaled_size
from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.builtin.suffixes import IMAGE_SUFFIXES
from anyanomaly.builtin.video_decoder import prepare_decoder
from anyanomaly.builtin.video_file import choose_stream, clock_may_jump, frame_rate, open_video
from anyanomaly.builtin.video_frames import ShownFrame, ShownFrames
from anyanomaly.builtin.video_geometry import square_pixel_size
from anyanomaly.builtin.video_pictures import PictureConverter
from anyanomaly.builtin.video_skip import SkipError
from anyanomaly.errors import VideoError
from anyanomaly.media.annotated_audio import AudioCopy
from anyanomaly.types import ImageArray, Video

MIN_WIDTH = 480
"""Smaller pictures are enlarged, so that the text below them can be read."""

IMAGE_TICKS = 90_000
"""Ticks per second for images, which have no stamps: all usual rates are exact."""

_DECODER_THREADS = 2

MAX_FRAME_S = 10.0
"""A last frame that claims to be shown for longer is shown for one step of the frame rate."""


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """A frame to annotate."""

    time_s: float  # as in results
    stamp: int  # in the annotated video, ticks
    end_stamp: int  # when the next frame follows, ticks
    image: ImageArray


@dataclass(frozen=True, slots=True)
class Source:
    """A source that is open."""

    fps: float  # nominal
    size: tuple[int, int]  # width and height of the images, pixels
    time_base: Fraction  # seconds per tick
    frames: Iterator[SourceFrame]
    open_audio: Callable[[], AudioCopy]  # a new copy of the audio, from its beginning


@contextmanager
def open_source(video: Video, max_side: int, stream_number: int | None) -> Iterator[Source]:
    """Open a file, a folder or a glob of images, or an animation, at the beginning of the section.

    The frames end early where the rest cannot be read: the run itself reports that.

    :param max_side: larger images are scaled down to this side, in pixels; 0: never.
    :param stream_number: of the video stream of a file; None: the one that players choose.
    :raises VideoError: when it cannot be read.
    """
    if not video.uri:  # the current folder, for pathlib
        raise VideoError("the results do not say where the video is.")
    path = Path(video.uri)
    if path.is_file() and path.suffix.lower() not in IMAGE_SUFFIXES:
        with ExitStack() as stack:
            yield _open_file(video, max_side, stream_number, stack)
    else:
        yield _open_images(video, max_side)


def _open_images(video: Video, max_side: int) -> Source:
    """:raises VideoError: when there is no image that can be read."""
    reader = ImageReader(ImageReaderOptions(max_side=max_side, fps=video.fps))
    images = replace(reader.probe(video.uri), section=video.section)
    size = _readable_size(images.width, images.height, max_side)

    def frames() -> Iterator[SourceFrame]:
        origin_s: float | None = None
        with suppress(VideoError):  # some images could not be read
            for frame, next_frame in pairwise(chain(reader.frames(images), (None,))):
                assert frame is not None  # only the last one is
                origin_s = frame.time_s if origin_s is None else origin_s
                end_s = next_frame.time_s if next_frame else frame.time_s + 1 / images.fps
                stamp, end_stamp = (round((time_s - origin_s) * IMAGE_TICKS) for time_s in (frame.time_s, end_s))
                yield SourceFrame(frame.time_s, stamp, end_stamp, fit(frame.image, size))

    return Source(images.fps, size, Fraction(1, IMAGE_TICKS), frames(), lambda: AudioCopy(None))


def _open_file(video: Video, max_side: int, stream_number: int | None, stack: ExitStack) -> Source:
    """:raises VideoError: when it cannot be read, or ends before the section."""
    skips = video.section[0] > 0
    try:
        file = stack.enter_context(_DecodedFile(video, stream_number, skip=skips))
    except SkipError:
        file = stack.enter_context(_DecodedFile(video, stream_number, skip=False))
    first_frame = file.first
    width, height = square_pixel_size(
        first_frame.picture.width, first_frame.picture.height, file.stream.sample_aspect_ratio
    )
    width, height = first_frame.orientation.size(width, height)
    size = _readable_size(*scaled_size(width, height, max_side), max_side)
    converter = stack.enter_context(PictureConverter(video.uri, size))
    time_base = file.time_base
    origin = (first_frame.stamp or 0) - round(first_frame.time_s / time_base)  # ticks at which results count 0 s
    shift = origin + round(first_frame.time_s / time_base) if skips else file.first_tick()
    shift = min(shift, origin + round(first_frame.time_s / time_base))  # no time of the annotated video is negative

    def frames() -> Iterator[SourceFrame]:
        next_stamp = 0
        pictures = ((frame, converter.convert(frame.picture, frame.orientation)) for frame in file.frames())
        for item, following in pairwise(chain(pictures, (None,))):
            assert item is not None  # only the last one is
            frame, picture = item
            if frame.time_s >= video.section[1]:
                return
            stamp = max(origin + round(frame.time_s / time_base) - shift, next_stamp)
            next_stamp = stamp + 1  # frames of a damaged file may be closer than a tick
            following_s = following[0].time_s if following else file.end_s(frame, origin)
            end_stamp = origin + round(following_s / time_base) - shift
            yield SourceFrame(frame.time_s, stamp, max(end_stamp, next_stamp), picture.result())

    def open_audio() -> AudioCopy:
        begin_s = float((origin + round(first_frame.time_s / time_base)) * time_base) if skips else -math.inf
        end_s = float(origin * time_base) + video.section[1]
        audio_stack = ExitStack()
        return AudioCopy(
            audio_stack.enter_context(open_video(video.uri)), begin_s, end_s, float(shift * time_base), audio_stack
        )

    return Source(file.fps, size, time_base, frames(), open_audio)


class _DecodedFile:
    """A video file of which the first frame of the section is decoded."""

    def __init__(self, video: Video, stream_number: int | None, *, skip: bool) -> None:
        self._video, self._stream_number, self._skip = video, stream_number, skip
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """:raises VideoError: when the file cannot be read. :raises SkipError: when nothing can be left out."""
        with ExitStack() as stack:
            self._container = stack.enter_context(open_video(self._video.uri))
            self.stream: VideoStream = choose_stream(self._container, self._video.uri, self._stream_number)
            prepare_decoder(self.stream, _DECODER_THREADS)
            self.fps = frame_rate(self.stream)
            assert self.stream.time_base is not None  # every demuxer sets it
            self.time_base: Fraction = self.stream.time_base
            begin_s = self._video.section[0]
            shown_frames = ShownFrames(
                self._container, self.stream, self._video.uri, self.fps, (begin_s, 0) if self._skip else None
            )
            self._frames = stack.enter_context(closing(iter(shown_frames)))
            first = next((frame for frame in self._frames if frame.time_s >= begin_s), None)
            if first is None:
                raise VideoError(f"{self._video.uri} has no frame that can be decoded in the part to search.")
            self.first: ShownFrame = first
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def frames(self) -> Iterator[ShownFrame]:
        """Yield the frames of the section and the one behind it."""
        return chain((self.first,), self._frames)

    def first_tick(self) -> int:
        """Return the tick that players show as 0: of MPEG streams, the first."""
        if not clock_may_jump(self._container) or not self._container.start_time:
            return 0
        return round(Fraction(self._container.start_time, av.time_base) / self.time_base)

    def end_s(self, last: ShownFrame, origin: int) -> float:
        """Return when the last frame ends, seconds: where the stream ends, if it says so.

        :param origin: stamp at which results count 0 s.
        """
        if self.stream.duration and self.stream.start_time is not None:
            end_s = float((self.stream.start_time + self.stream.duration - origin) * self.time_base)
            if last.time_s < end_s <= last.time_s + MAX_FRAME_S:
                return end_s
        duration_s = float((last.picture.duration or 0) * self.time_base)
        return last.time_s + (duration_s if 0 < duration_s <= MAX_FRAME_S else 1 / self.fps)


def _readable_size(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return (width, height) in pixels, enlarged where text below the picture would be too small."""
    limit = max(max_side or MIN_WIDTH, MIN_WIDTH)
    factor = min(MIN_WIDTH / width, limit / max(width, height))
    return (round(width * factor), round(height * factor)) if factor > 1 else (width, height)
