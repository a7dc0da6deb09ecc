"""Makes the files of one clip: JSON, video and thumbnail."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av

from anyanomaly.api.safe_file import write_file
from anyanomaly.errors import VideoError, first_line
from anyanomaly.masking import mask_urls
from anyanomaly.media.clip_copy import copy_part
from anyanomaly.media.clip_encode import encode_part
from anyanomaly.media.clip_folder import ClipFolder, clip_stem
from anyanomaly.media.clip_options import ClipsOptions
from anyanomaly.media.clip_record import ClipEvent, ClipRecord, ClipSettings
from anyanomaly.media.clip_source import CannotCopy, ClipSource
from anyanomaly.media.stills import read_still
from anyanomaly.types import Event, Span, Video

_LOG = logging.getLogger(__name__)

_THUMBNAIL_SIDE = 640


class ClipCutter:
    """Cuts the clips of a run, one after the other; used on one thread."""

    def __init__(self, folder: ClipFolder, options: ClipsOptions) -> None:
        self._folder = folder
        self._options = options
        self._settings = ClipSettings(
            pre_roll_s=options.pre_roll_s, post_roll_s=options.post_roll_s, exact=options.exact
        )
        self._source: tuple[str, ClipSource | VideoError] | None = None  # of the last video, with its id
        self._problems: set[str] = set()  # that were logged
        self.run: Mapping[str, Any] = {}  # the header of the results

    def cut(self, number: int, event: Event, video: Video, picture: bytes, unasked: Sequence[Span] = ()) -> None:
        """Write the files of one clip; a source that cannot be read is a problem in its JSON file.

        :param number: of the clip in the run, from 1.
        :param picture: the thumbnail as a JPEG file; empty: the frame at the peak is used.
        :param unasked: parts of the event that the model was not asked about, seconds.
        :raises OutputError: when a file cannot be written.
        """
        stem = clip_stem(number, event.video, event.start_s, event.text)
        record = ClipRecord(
            status="unfinished",
            number=number,
            video=event.video,
            source=mask_urls(video.uri),
            text=event.text,
            event=ClipEvent(
                start_s=event.start_s,
                stop_s=event.stop_s,
                peak=event.peak,
                peak_s=event.peak_s,
                rationale=event.rationale,
                unasked=tuple(unasked) or None,
            ),
            settings=self._settings,
            run=self.run,
        )
        self._folder.write_record(stem, record)
        span = max(0.0, event.start_s - self._options.pre_roll_s), event.stop_s + self._options.post_roll_s
        path = self._folder.path / stem
        changes: dict[str, Any] = {"status": "failed"}
        try:
            source = self._open(video)
            if not picture:
                picture = read_still(source, event.peak_s, _THUMBNAIL_SIDE)
            changes = {"status": "complete", **self._cut_video(source, span, path)}
        except (VideoError, av.FFmpegError, ValueError, IndexError) as error:  # the latter two are PyAV's
            changes["problem"] = mask_urls(first_line(error))
        if picture:
            image_path = path.with_name(f"{stem}.jpg")
            write_file(image_path, picture)
            changes["thumbnail"] = image_path.name
        self._log_problem(changes)
        self._folder.write_record(stem, record.model_copy(update=changes))

    def _open(self, video: Video) -> ClipSource:
        """:raises VideoError: when the source cannot be read."""
        if self._source is None or self._source[0] != video.id:
            try:
                self._source = video.id, ClipSource(video, self.run)
            except VideoError as error:
                self._source = video.id, error
        source = self._source[1]
        if isinstance(source, VideoError):
            raise source
        return source

    def _cut_video(self, source: ClipSource, span: Span, stem: Path) -> dict[str, Any]:
        """Write the video, and return the fields of the record that describe it."""
        problem = ""
        if not self._options.exact and source.is_file:
            try:
                path, (start_s, stop_s) = copy_part(source, span, stem)
                return _video_fields(path, start_s, stop_s, is_exact=False)
            except CannotCopy as error:
                problem = f"The video of {source.uri} was encoded and not copied: {error}."
        elif not self._options.exact:
            problem = f"The images of {source.uri} were encoded as a video."
        path, (start_s, stop_s) = encode_part(source, span, stem)
        return {**_video_fields(path, start_s, stop_s, is_exact=True), "problem": problem}

    def _log_problem(self, fields: Mapping[str, Any]) -> None:
        problem = fields.get("problem", "")
        if problem and problem not in self._problems:
            self._problems.add(problem)
            level = logging.INFO if fields["status"] == "complete" else logging.WARNING
            _LOG.log(level, "%s", problem)


def _video_fields(path: Path, start_s: float, stop_s: float, *, is_exact: bool) -> dict[str, Any]:
    return {"clip": path.name, "start_s": round(start_s, 6), "stop_s": round(stop_s, 6), "is_exact": is_exact}
