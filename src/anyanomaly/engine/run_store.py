"""The store of runs: the scores of videos that a run went through, so that an equal run need not read them again.

One file per video, in the format of results (`.jsonl.gz`), named by a digest of all that decides its scores. What comes
after the scores, as weights, smoothing and threshold, is no part of that. Files that were not used for the longest time
are removed first.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import os
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyanomaly.builtin.json_lines import result_line, segment_fields, video_fields
from anyanomaly.engine.store_upkeep import StoreLimits
from anyanomaly.errors import InputError
from anyanomaly.evidence import Evidence
from anyanomaly.results.evidence_records import EvidenceRecord, evidence_fields
from anyanomaly.results.json_lines import read_last_line, read_records
from anyanomaly.results.records import FORMAT, NoticeRecord, RunRecord, SegmentRecord
from anyanomaly.types import Notice, SegmentScore, Video

LOG = logging.getLogger(__name__)
SUFFIX, PARTIAL = ".jsonl.gz", ".partial"
KEPT_PARTIAL_S = 86_400
"""Age of a partial file above which its run cannot be writing to it, seconds."""
HAS_EVIDENCE = "has_evidence"
"""Field of the first line: whether evidence was made."""


@dataclass(slots=True, eq=False)
class VideoScores:
    """The scores of one video, as they are stored."""

    segments: list[SegmentRecord] = field(default_factory=list)
    evidence: dict[tuple[int, str], Evidence] = field(default_factory=dict)  # by segment and event text
    notices: tuple[Notice, ...] = ()


class RunStore:
    """Files in a folder. No fault of the folder ends a run: it costs one warning, and the run reads its videos."""

    def __init__(self, folder: Path, limits: StoreLimits) -> None:
        self._folder = folder
        self._limits = limits
        self._is_writable = True

    def get(self, key: str, *, with_evidence: bool) -> VideoScores | None:
        """Return a stored video; None: it is not stored, cannot be read, or lacks evidence that is needed."""
        path = self._folder / f"{key}{SUFFIX}"
        try:
            if read_last_line(path).end is None:
                return None
            stored = _read(path, with_evidence)
        except InputError:  # also where there is no such file
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return stored

    def begin(self, key: str, header: Mapping[str, Any], video: Video, *, with_evidence: bool) -> VideoWriter | None:
        """Return what writes the scores of a video; None: the folder cannot be written."""
        if not self._is_writable:
            return None
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            writer = VideoWriter(self._folder / f"{key}{SUFFIX}")
            writer.write("run", {"format": FORMAT, **header, HAS_EVIDENCE: with_evidence})
            writer.write("video", video_fields(video))
        except OSError as error:
            self.warn(error)
            return None
        return writer

    def trim(self) -> None:
        """Remove the files that are beyond the limits."""
        try:
            trim_files(self._folder, self._limits)
        except OSError as error:
            self.warn(error)

    def warn(self, error: OSError) -> None:
        """Warn, once, that scores are not stored."""
        if self._is_writable:
            LOG.warning("The scores of this run are not stored in %s: %s.", self._folder, error.strerror)
        self._is_writable = False


class VideoWriter:
    """Writes the file of one video, which gets its name once it is complete."""

    def __init__(self, path: Path) -> None:
        """:raises OSError: when the file cannot be created."""
        self._path = path
        descriptor, self._partial = tempfile.mkstemp(prefix=f"{path.name}.", suffix=PARTIAL, dir=path.parent)
        self._file = open(descriptor, "wb")  # noqa: SIM115  # mkstemp gives it the mode 0600
        self._packed = gzip.GzipFile("", "wb", 6, self._file, mtime=0)
        self._n_scores = 0

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Append a line. :raises OSError: when that fails."""
        self._packed.write(result_line(kind, fields).encode(errors="backslashreplace"))

    def add(self, score: SegmentScore) -> None:
        """Append the scores of a segment. :raises OSError: when that fails."""
        self._n_scores += 1
        self.write("segment", segment_fields(score))

    def complete(self, evidence: Iterable[Evidence], notices: Sequence[Notice]) -> None:
        """Append evidence, notices and the end, and give the file its name. :raises OSError: when that fails."""
        for piece in evidence:
            self.write("evidence", evidence_fields(piece))
        for notice in notices:
            self.write("notice", {"video": notice.video, "message": notice.message})
        counts = {"segments": self._n_scores, "events": 0, "notices": len(notices)}
        self.write("end", {"status": "complete", **counts})
        self._close()
        os.replace(self._partial, self._path)

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OSError):
            self._close()
        with contextlib.suppress(OSError):
            os.unlink(self._partial)

    def _close(self) -> None:
        try:
            self._packed.close()
        finally:
            self._file.close()


def run_files(folder: Path) -> list[Path]:
    """Return the files of a store, those first that were not used for the longest time."""
    ages: list[tuple[float, Path]] = []
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name.endswith((SUFFIX, PARTIAL)):
                with contextlib.suppress(OSError):
                    ages.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(ages)]


def trim_files(folder: Path, limits: StoreLimits) -> int:
    """Remove the files of a store that are beyond its limits, and return their number.

    :raises OSError: when one cannot be removed.
    """
    files = run_files(folder)
    sizes = {path: _size(path) for path in files}
    n_bytes, n_removed, now = sum(sizes.values()), 0, time.time()
    for path in files:
        age_s = now - _used_at(path, now)
        is_left = path.name.endswith(PARTIAL) and age_s > KEPT_PARTIAL_S  # by a run that was killed
        is_old = limits.max_age_s is not None and age_s > limits.max_age_s
        is_excess = limits.max_bytes is not None and n_bytes > limits.max_bytes and not path.name.endswith(PARTIAL)
        if not (is_left or is_old or is_excess):
            continue
        path.unlink(missing_ok=True)
        n_bytes -= sizes[path]
        n_removed += 1
    return n_removed


def clear_files(folder: Path) -> int:
    """Remove all files of a store, and return their number.

    :raises OSError: when one cannot be removed.
    """
    files = run_files(folder)
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _read(path: Path, with_evidence: bool) -> VideoScores | None:
    stored = VideoScores()
    notices: list[Notice] = []
    for record in read_records(path):
        match record:
            case RunRecord():
                if with_evidence and record.header.get(HAS_EVIDENCE) is not True:
                    return None
            case SegmentRecord():
                stored.segments.append(record)
            case EvidenceRecord() if with_evidence:
                stored.evidence[record.segment, record.text] = record.evidence
            case NoticeRecord():
                notices.append(record.notice)
    stored.notices = tuple(notices)
    return stored


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_size
    return 0


def _used_at(path: Path, now: float) -> float:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime
    return now
