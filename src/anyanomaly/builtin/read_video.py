"""Video files, through FFmpeg's demuxers and decoders (PyAV)."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing, suppress
from pathlib import Path

from anyanomaly.api.reader import Reader
from anyanomaly.builtin.file_digests import digest_files
from anyanomaly.builtin.pictures import scaled_size
from anyanomaly.builtin.reader_options import VideoReaderOptions
from anyanomaly.builtin.video_decoder import prepare_decoder
from anyanomaly.builtin.video_file import (
    check_file,
    choose_stream,
    describe_choice,
    expected_frames,
    frame_rate,
    open_video,
)
from anyanomaly.builtin.video_frames import ShownFrame, ShownFrames
from anyanomaly.builtin.video_geometry import square_pixel_size
from anyanomaly.builtin.video_hardware import choose_hardware
from anyanomaly.builtin.video_pictures import PictureConverter
from anyanomaly.builtin.video_skip import SkipError
from anyanomaly.errors import VideoError
from anyanomaly.rehearsal import rehearse
from anyanomaly.types import Frame, ImageArray, Video


class VideoReader(Reader[VideoReaderOptions]):
    """Reads the video files that FFmpeg reads, with the frames, order, times and shape that players show.

    Frame numbers count the frames that are shown: what an edit list hides has no number. A packet that cannot be
    decoded keeps its number.
    """

    def __init__(self, options: VideoReaderOptions) -> None:
        super().__init__(options)
        self._notices: dict[str, list[str]] = {}  # of the file, by URI
        self._stream_notices: dict[str, list[str]] = {}  # of what was read last

    def probe(self, uri: str) -> Video:
        """Describe a video file after decoding its first frame.

        :raises VideoError: for a path that is missing, not readable, not a file, empty, or not a video FFmpeg can show.
        """
        check_file(uri)
        rehearse("anyanomaly.builtin.read_video:try_probe", uri, self.options.stream, name=uri, error=VideoError)
        return self.probe_here(uri)

    def probe_here(self, uri: str) -> Video:
        """Describe a video file as `probe` does, in this process at once."""
        hardware = choose_hardware(uri, self.options.stream, self.options.hardware)
        with open_video(uri, hardware) as container:
            stream = choose_stream(container, uri, self.options.stream)
            prepare_decoder(stream, n_threads=1)
            fps = frame_rate(stream)
            shown_frame = next(iter(ShownFrames(container, stream, uri, fps)), None)
            if shown_frame is None:
                raise VideoError(
                    f"{uri} holds no video frame that can be decoded. Export it again, for example as H.264."
                )
            choice = "" if self.options.stream is not None else describe_choice(container, stream, uri)
            self._notices[uri] = [choice] if choice else []
            if self.options.hardware == "auto" and hardware is None:
                self._notices[uri].append(f"{uri} is decoded on the CPU: no hardware here decodes it.")
            size = square_pixel_size(shown_frame.picture.width, shown_frame.picture.height, stream.sample_aspect_ratio)
            width, height = scaled_size(*shown_frame.orientation.size(*size), self.options.max_side)
            with PictureConverter(uri, (width, height)) as converter:
                converter.convert(shown_frame.picture, shown_frame.orientation).result()
            return Video(Path(uri).stem, uri, fps, expected_frames(stream), width, height)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield frames; each waits until the next one is decoded, so that the last one knows where the video ends.

        :raises VideoError: at the end, when packets or frames were damaged, the file breaks off, or the section lies
            behind its end.
        """
        if video.section[0] > 0 or start > 0:
            with suppress(SkipError):
                yield from self._read(video, start, every, skip=True)
                return
        yield from self._read(video, start, every, skip=False)

    def content_digest(self, video: Video) -> str | None:
        """Return a digest of the file; None: it cannot be read."""
        return digest_files([Path(video.uri)])

    def notices(self, video: Video) -> tuple[str, ...]:
        """Return what was unusual about a video so far, though nothing failed: one sentence each."""
        return (*self._notices.get(video.uri, ()), *self._stream_notices.get(video.uri, ()))

    def _read(self, video: Video, start: int, every: int, *, skip: bool) -> Iterator[Frame]:
        """:raises SkipError: before the first frame, when frames were left out and should not have been."""
        begin_s, end_s = video.section
        hardware = choose_hardware(video.uri, self.options.stream, self.options.hardware)
        with (
            open_video(video.uri, hardware) as container,
            PictureConverter(video.uri, (video.width, video.height)) as converter,
        ):
            stream = choose_stream(container, video.uri, self.options.stream)
            prepare_decoder(stream, self.options.threads)
            frames = ShownFrames(container, stream, video.uri, video.fps, (begin_s, start) if skip else None)
            waiting: tuple[ShownFrame, Future[ImageArray]] | None = None
            last: ShownFrame | None = None
            try:
                with closing(iter(frames)) as shown_frames:
                    for shown_frame in shown_frames:
                        if shown_frame.time_s >= end_s:
                            break
                        last = shown_frame
                        if (
                            shown_frame.time_s < begin_s
                            or shown_frame.index < start
                            or (shown_frame.index - start) % every
                        ):
                            continue
                        image = converter.convert(shown_frame.picture, shown_frame.orientation)
                        if waiting:
                            yield _frame(video, *waiting)
                        waiting = shown_frame, image
                if waiting and last:
                    yield _frame(video, *waiting, end=last.index + 1)
            finally:
                self._stream_notices[video.uri] = frames.notices()
        if last and last.time_s < begin_s:
            raise VideoError(f"{video.uri} ends at {last.time_s:.2f} s, before the start at {begin_s:g} s (--start).")
        if problem := frames.problem():
            raise VideoError(problem)


def try_probe(uri: str, stream: int | None) -> None:
    """Open a video file and decode its first frame, on the CPU."""
    VideoReader(VideoReaderOptions(stream=stream)).probe_here(uri)


def _frame(video: Video, shown_frame: ShownFrame, image: Future[ImageArray], end: int | None = None) -> Frame:
    return Frame(video, shown_frame.index, shown_frame.time_s, image.result(), end)
