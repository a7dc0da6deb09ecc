"""Videos of one's own: a manifest with a row per video and event text.

::

    video,text,labels                 or  [{"video": "a.mp4", "text": "running", "labels": "labels/running.h5"},
    a.mp4,running,labels/running.h5         {"video": "b", "text": "a fall", "labels": [[1.5, 4]], "unit": "seconds"}]
    b,a fall,labels/b.npy

Labels are a file (HDF5 and JSON by the video's name or ``FILE#KEY``, npy, MATLAB as ``FILE#VARIABLE``, CSV), ``none``
where nothing happens, or, in JSON, spans in frames or seconds.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyanomaly.api import Finding, Survey
from anyanomaly.errors import DatasetError, DatasetNotFound
from anyanomaly.types import LabelledVideo, Span, SpanUnit
from anyanomaly_cvad.base import SurveyedDataset
from anyanomaly_cvad.label_files import read_json, read_labels, read_text
from anyanomaly_cvad.options import FolderOptions
from anyanomaly_cvad.spans import Labels, Spans, checked_spans
from anyanomaly_cvad.videos import video_name

COLUMNS = ("video", "text", "labels")


@dataclass
class Gathered:
    """The rows of one video."""

    path: Path
    given: str
    labels: dict[str, Labels] = field(default_factory=dict)
    spans: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    units: set[SpanUnit] = field(default_factory=set)


class Folder(SurveyedDataset[FolderOptions]):
    """The videos of a manifest, in its order; a video's id is its path there, without the suffix."""

    def survey(self) -> Survey:
        """Read the manifest and its label files.

        :raises DatasetNotFound: without a manifest. :raises DatasetError: when it cannot be read.
        """
        manifest = self._manifest()
        root = Path(self.options.root).expanduser() if self.options.root else manifest.parent
        findings: list[Finding] = []
        videos: dict[str, Gathered] = {}
        for number, row in enumerate(_rows(manifest), 1):
            self._gather(row, f"{manifest}, row {number}", root, videos, findings)
        labelled = tuple(
            LabelledVideo(
                str(each.path),
                name,
                (*each.labels, *each.spans),
                each.labels,
                spans=each.spans,
                unit=next(iter(each.units), "frames"),
                label_file=str(manifest),
            )
            for name, each in videos.items()
            if each.labels or each.spans
        )
        return Survey(labelled, tuple(findings))

    def _manifest(self) -> Path:
        if self.options.manifest:
            named = Path(self.options.manifest).expanduser()
            if named.is_file():
                return named
            raise DatasetNotFound(f"There is no manifest {self.options.manifest}.")
        if not self.options.root:
            raise DatasetNotFound(f"Say with --root where your videos and their manifest are. {_EXPECTED}")
        for name in ("manifest.csv", "manifest.json"):
            if (path := Path(self.options.root).expanduser() / name).is_file():
                return path
        raise DatasetNotFound(f"{self.options.root} holds no manifest.csv or manifest.json. {_EXPECTED}")

    def _gather(
        self, row: dict[str, Any], where: str, root: Path, videos: dict[str, Gathered], findings: list[Finding]
    ) -> None:
        """Add a row to its video's; what does not fit becomes a finding."""
        given, text, labels = (row.get(column) or "" for column in COLUMNS)
        absent = "note" if self.options.partial else "error"
        if not given or not text:
            raise DatasetError(f"{where}: it has no {'text' if given else 'video'}.")
        path = root / given
        name = (Path(given).parent / video_name(Path(given))).as_posix()
        if not path.exists():
            findings.append(Finding(absent, name, f"{where}: there is no video {path}."))  # type: ignore[arg-type]
            return
        if labels == "" and row.get("labels") != []:
            message = f"{where}: video '{name}' has no labels of '{text}'; write none where nothing happens."
            findings.append(Finding(absent, name, message))  # type: ignore[arg-type]
            return
        video = videos.setdefault(name, Gathered(path, given))
        if video.given != given:
            message = f"{where}: two videos of the same name '{name}': {video.given} and {given}. Rename one."
            findings.append(Finding("error", name, message))
        elif text in video.labels or text in video.spans:
            findings.append(Finding("error", name, f"{where}: video '{name}' has labels of '{text}' already."))
        else:
            try:
                _add(video, text, _read(labels, str(row.get("unit") or "frames"), root, name, where))
            except DatasetError as error:
                findings.append(Finding("error", name, str(error)))


def _rows(manifest: Path) -> list[dict[str, Any]]:
    if manifest.suffix.lower() == ".json":
        rows = read_json(manifest)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DatasetError(f"{manifest} is no list of rows with {', '.join(COLUMNS)}.")
        columns = {column for row in rows for column in row}
    else:
        reader = csv.DictReader(read_text(manifest).splitlines())
        rows = [{str(key).strip(): (value or "").strip() for key, value in row.items() if key} for row in reader]
        columns = {name.strip() for name in reader.fieldnames or ()}
    if lacking := [column for column in COLUMNS if column not in columns]:
        raise DatasetError(f"{manifest} has no column '{lacking[0]}'; it needs {', '.join(COLUMNS)}.")
    if unknown := columns - {*COLUMNS, "unit"}:
        raise DatasetError(f"{manifest}: the column '{min(unknown)}' is unknown; known: {', '.join(COLUMNS)}, unit.")
    if not rows:
        raise DatasetError(f"{manifest} has no rows.")
    return rows


def _read(labels: Any, unit: str, root: Path, video: str, where: str) -> Labels | Spans:
    """Return what a row says of its labels: a file's, or spans."""
    if isinstance(labels, list) or labels in ("", "none"):
        return checked_spans([] if isinstance(labels, str) else labels, unit, where)
    file, key = str(labels), ""
    if not (root / file).exists():
        file, _, key = file.partition("#")
    return read_labels(root / file, Path(video).name, key)


def _add(video: Gathered, text: str, labels: Labels | Spans) -> None:
    if not isinstance(labels, Spans):
        video.labels[text] = labels
        return
    if labels.spans:
        video.units.add(labels.unit)
    if len(video.units) > 1:
        raise DatasetError(f"Video '{video.given}' has spans in {' and '.join(sorted(video.units))}; use one unit.")
    video.spans[text] = labels.spans


_EXPECTED = "A manifest has the columns video, text, labels: a.mp4,running,labels/running.h5"
