"""Video files, through OpenCV."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyanomaly.api.reader import Reader
from anyanomaly.builtin.opencv import opencv
from anyanomaly.builtin.pictures import scaled_size, to_rgb
from anyanomaly.builtin.reader_options import VideoReaderOptions
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame, Video

MAX_MISSING = 0.02
"""Fraction of a video's frames (or 2 frames) that may be missing at its end: containers count frames that no decoder
returns."""


class VideoReader(Reader[VideoReaderOptions]):
    """Reads what OpenCV's FFmpeg reads. Times are the container's; rotation is applied."""

    def probe(self, uri: str) -> Video:
        """Describe a video file after decoding its first frame.

        :raises VideoError: for a path that is missing, empty, a folder, or not a video.
        """
        path = Path(uri)
        if not path.exists():
            raise VideoError(f"There is no file {uri}. Check the path.")
        if path.is_dir():
            raise VideoError(f"{uri} is a folder. For a folder of images use --reader images.")
        if path.stat().st_size == 0:
            raise VideoError(f"{uri} is empty (0 bytes). Copy or record it again.")
        with self._open(uri) as capture:
            cv2 = opencv()
            ok, picture = capture.read()
            if not ok:
                raise VideoError(
                    f"{uri} holds no video frame that can be decoded. Export it again, for example as H.264."
                )
            count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
            fps = capture.get(cv2.CAP_PROP_FPS)
            height, width, _ = picture.shape
        width, height = scaled_size(width, height, self.options.max_side)
        return Video(path.stem, uri, fps if 0 < fps < 1000 else 25.0, count if count > 0 else None, width, height)

    def frames(self, video: Video, *, start: int = 0, every: int = 1) -> Iterator[Frame]:
        """Yield frames, decoding from the beginning: seeking is not exact in every file.

        :raises VideoError: at the end, when the file has clearly fewer frames than its container declares.
        """
        cv2 = opencv()
        index, time_s = 0, 0.0
        with self._open(video.uri) as capture:
            while capture.grab():
                time_s = max(time_s, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
                if index >= start and (index - start) % every == 0:
                    ok, picture = capture.retrieve()
                    if not ok:
                        break
                    yield Frame(video, index, time_s, to_rgb(picture, (video.width, video.height)))
                index += 1
        if video.n_frames is not None and video.n_frames - index > max(2, MAX_MISSING * video.n_frames):
            raise VideoError(
                f"{video.uri} breaks off: {index} of its {video.n_frames} frames could be read and were used. "
                f"Copy or export the file again to get all frames."
            )

    @contextmanager
    def _open(self, uri: str) -> Iterator[Any]:
        cv2 = opencv()
        capture = cv2.VideoCapture(str(Path(uri).absolute()), cv2.CAP_FFMPEG)
        try:
            if not capture.isOpened():
                raise VideoError(
                    f"{uri} cannot be opened as a video: it is another kind of file, holds no frame, or is incomplete. "
                    f"Check that a player opens it, or copy or export it again."
                )
            yield capture
        finally:
            capture.release()
