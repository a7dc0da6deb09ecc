"""One annotated video: decodes the source again, paints the strip below each frame, and encodes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.builtin.opencv import opencv
from anyanomaly.core.events import EventRule
from anyanomaly.media.annotated_file import AnnotatedFile, VideoFormat
from anyanomaly.media.annotated_scores import TextScores
from anyanomaly.media.annotated_source import SourceFrame, open_source
from anyanomaly.media.annotated_strip import FUTURE_SHARE, Strip
from anyanomaly.types import Event, FloatArray, ImageArray, SegmentScore, Timeline, Video

ATTENTION_OPACITY = 0.6

MIN_WIDTH = 320
"""Width of the strip of a picture that is too narrow to be enlarged further; black is beside the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationSettings:
    """What all videos of a run have in common."""

    texts: tuple[str, ...]
    rule: EventRule | None  # None: the run does not say
    stream: int | None  # number of the video stream in files; None: the one that players choose
    max_side: int  # pixels; 0: no limit
    window_s: float
    has_unasked: bool = False  # whether the run may leave something unasked


@dataclass(frozen=True, slots=True, eq=False)
class Attention:
    """Where the model was made to look in one segment, for one event text."""

    text: str
    start_s: float
    stop_s: float
    weights: FloatArray  # (rows, columns) over the whole frame, in [0, 1]


class VideoAnnotator:
    """Draws the frames of a video as soon as nothing that they show can change."""

    def __init__(self, video: Video, path: str, settings: AnnotationSettings) -> None:
        """:param path: of the file to write.

        :raises VideoError: when the source cannot be read. :raises OutputError: when the file cannot be written.
        """
        self.path = path
        self._settings = settings
        self._scores = {text: TextScores(settings.rule) for text in settings.texts}
        self._attention: list[Attention] = []
        self._file = SafeFile(path)
        with ExitStack() as stack:
            source = stack.enter_context(open_source(video, settings.max_side, settings.stream))
            width, height = source.size
            total_width = max(MIN_WIDTH, width + width % 2)
            self._left = (total_width - width) // 2
            self._strip = Strip(
                total_width,
                settings.texts,
                self._threshold,
                settings.window_s,
                has_unasked=settings.has_unasked,
            )
            total = height + self._strip.height
            self._canvas = np.zeros((total + total % 2, total_width, 3), np.uint8)
            self._frames = source.frames
            self._next = next(self._frames, None)
            self._file.check()
            self._output = AnnotatedFile(
                self._file,
                path,
                VideoFormat(self._canvas.shape[1], self._canvas.shape[0], source.fps, source.time_base),
                source.open_audio,
            )
            self._sources = stack.pop_all()

    @property
    def next_s(self) -> float:
        """Time of the frame that is drawn next, seconds; infinite at the end."""
        return self._next.time_s if self._next else math.inf

    def add(self, result: SegmentScore | Timeline | Event | Attention) -> None:
        """Add a result of this video."""
        if isinstance(result, Attention):
            self._attention.append(result)
            return
        scores = self._scores.get(result.text)
        if scores is None:
            return
        match result:
            case SegmentScore():
                scores.add_segment(result)
            case Timeline():
                scores.add_piece(result)
            case Event():
                scores.add_event(result)

    def advance(self, is_stopped: Callable[[], bool]) -> None:
        """Draw the frames whose scores and events are certain, and so are those of the curve around them.

        :param is_stopped: asked before each frame. :raises OutputError: when they cannot be written.
        """
        certain_s = min((scores.certain_s for scores in self._scores.values()), default=math.inf)
        future_s = self._settings.window_s * FUTURE_SHARE
        while self._next and self._next.time_s + future_s < certain_s and not is_stopped():
            self._write(self._next)
            self._next = next(self._frames, None)

    def finish(self, is_stopped: Callable[[], bool]) -> None:
        """Draw all other frames: no result of this video follows. Then give the file its name.

        :param is_stopped: asked before each frame; then the file so far keeps the name of a partial file.
        :raises OutputError: when it cannot be written.
        """
        for scores in self._scores.values():
            scores.finish()
        is_complete = False
        try:
            self.advance(is_stopped)
            self._output.close()
            if self._next is None:
                self._output.rebuild()
                is_complete = True
        finally:
            self._sources.close()
            self._file.close(complete=is_complete)

    def stop(self) -> None:
        """End the file as it is, under the name of a partial file.

        :raises OutputError: when it cannot be written.
        """
        try:
            self._output.close()
        finally:
            self._file.close(complete=False)
            self._sources.close()

    @property
    def _threshold(self) -> float | None:
        return self._settings.rule.threshold if self._settings.rule else None

    def _write(self, frame: SourceFrame) -> None:
        canvas, (height, width), left = self._canvas, frame.image.shape[:2], self._left
        strip = canvas[-self._strip.height :]
        canvas[:height, left : left + width] = self._with_attention(frame)
        if left + width + 1 == canvas.shape[1]:  # an odd size is continued by one pixel
            canvas[:height, -1] = canvas[:height, -2]
        self._strip.paint(strip, frame.time_s, list(self._scores.values()))
        self._output.write(canvas, frame.stamp, frame.end_stamp)
        for scores in self._scores.values():
            scores.forget(frame.time_s - self._settings.window_s)

    def _with_attention(self, frame: SourceFrame) -> ImageArray:
        """Return the picture, tinted where the model was made to look, while that is known."""
        self._attention = [attention for attention in self._attention if attention.stop_s > frame.time_s]
        current = [attention for attention in self._attention if attention.start_s <= frame.time_s]
        if not current:
            return frame.image
        cv2 = opencv()
        height, width = frame.image.shape[:2]
        weights = np.max([cv2.resize(attention.weights, (width, height)) for attention in current], axis=0)
        heat = cv2.applyColorMap((weights * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
        opacity = (weights**2 * ATTENTION_OPACITY)[:, :, None]  # squared: what hardly matters stays as it is
        tinted: ImageArray = (frame.image * (1 - opacity) + heat * opacity).astype(np.uint8)
        return tinted
