"""Videos of your own, with a manifest that has a row per video and event text.

::

    video,text,labels                 or  [{"video": "a.mp4", "text": "running", "labels": "labels/running.h5"},
    a.mp4,running,labels/running.h5         {"video": "b", "text": "a fall", "labels": [[1.5, 4]], "unit": "seconds"}]
    b,a fall,labels/b.npy

Labels are a file, ``none`` for a video without the event, or, in a JSON manifest, spans in frames or seconds. Files are
HDF5 or JSON (the key is the video's name, or ``FILE#KEY``), npy, MATLAB (``FILE#VARIABLE``) or CSV.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anyanomaly.api import Finding, Survey
from anyanomaly.errors import DatasetError, DatasetNotFound
from anyanomaly.types import LabelledVideo
from anyanomaly_cvad.base import SurveyedDataset
from anyanomaly_cvad.label_files import read_json, read_labels, read_text
from anyanomaly_cvad.names import video_name
from anyanomaly_cvad.options import FolderOptions
from anyanomaly_cvad.spans import Labels, Spans, parse_spans
from anyanomaly_cvad.videos import similar_video

COLUMNS = ("video", "text", "labels")


@dataclass
class ManifestVideo:
    """A video, and the labels or spans of its rows by event text."""

    path: Path
    entry: str  # the video as the manifest writes it
    labels: dict[str, Labels] = field(default_factory=dict)
    spans: dict[str, Spans] = field(default_factory=dict)


class Folder(SurveyedDataset[FolderOptions]):
    """The videos of a manifest, in its order. The id of a video is its path in the manifest without the suffix."""

    def survey(self) -> Survey:
        """Read the manifest and its label files.

        :raises DatasetNotFound: without a manifest. :raises DatasetError: when it cannot be read.
        """
        manifest = self._find_manifest()
        root = Path(self.options.root).expanduser() if self.options.root else manifest.parent
        findings: list[Finding] = []
        videos: dict[str, ManifestVideo] = {}
        for number, row in enumerate(_read_rows(manifest), 1):
            self._add_row(row, f"{manifest}, row {number}", root, videos, findings)
        labelled = tuple(
            LabelledVideo(
                str(video.path),
                name,
                (*video.labels, *video.spans),
                video.labels,
                spans={text: spans.spans for text, spans in video.spans.items()},
                units={text: spans.unit for text, spans in video.spans.items()},
                label_file=str(manifest),
            )
            for name, video in videos.items()
            if video.labels or video.spans
        )
        return Survey(labelled, tuple(findings))

    def _find_manifest(self) -> Path:
        if self.options.manifest:
            manifest = Path(self.options.manifest).expanduser()
            if manifest.is_file():
                return manifest
            raise DatasetNotFound(f"There is no manifest {self.options.manifest}.")
        if not self.options.root:
            raise DatasetNotFound(f"Name the folder of your videos and their manifest with --root. {_LAYOUT_HINT}")
        for name in ("manifest.csv", "manifest.json"):
            if (path := Path(self.options.root).expanduser() / name).is_file():
                return path
        raise DatasetNotFound(f"{self.options.root} holds no manifest.csv or manifest.json. {_LAYOUT_HINT}")

    def _add_row(
        self, row: dict[str, Any], where: str, root: Path, videos: dict[str, ManifestVideo], findings: list[Finding]
    ) -> None:
        """Add a row to ``videos``, or its problem to ``findings``."""
        entry, text, labels = (row.get(column) or "" for column in COLUMNS)
        missing_kind = "note" if self.options.partial else "error"
        if not entry or not text:
            raise DatasetError(f"{where}: it has no {'text' if entry else 'video'}.")
        path = root / entry
        if not path.exists() and (similar := similar_video(path)):
            note = Finding("note", entry, f"The video '{entry}' of the manifest is {similar.name}.")
            findings += [note] if note not in findings else []
            path, entry = similar, (Path(entry).parent / similar.name).as_posix()
        name = (Path(entry).parent / video_name(Path(entry))).as_posix()
        if not path.exists():
            findings.append(Finding(missing_kind, name, f"{where}: there is no video {path}."))  # type: ignore[arg-type]
            return
        if labels == "" and row.get("labels") != []:
            message = f"{where}: video '{name}' has no labels of '{text}'. Write none if the event does not happen."
            findings.append(Finding(missing_kind, name, message))  # type: ignore[arg-type]
            return
        video = videos.setdefault(name, ManifestVideo(path, entry))
        if video.entry != entry:
            message = f"{where}: two videos have the name '{name}': {video.entry} and {entry}. Rename one."
            findings.append(Finding("error", name, message))
        elif text in video.labels or text in video.spans:
            message = f"{where}: an earlier row has labels of '{text}' for video '{name}'. Remove one row."
            findings.append(Finding("error", name, message))
        else:
            try:
                unit = row.get("unit")
                unit = "frames" if unit in (None, "") else str(unit)  # an empty cell of a table; nothing else is empty
                parsed = _parse_labels_entry(labels, unit, root, name, where)
            except DatasetError as error:
                findings.append(Finding("error", name, str(error)))
            else:
                if isinstance(parsed, Spans):
                    video.spans[text] = parsed
                else:
                    video.labels[text] = parsed


def _read_rows(manifest: Path) -> list[dict[str, Any]]:
    if manifest.suffix.lower() == ".json":
        rows = read_json(manifest)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise DatasetError(f"{manifest} is no list of rows with {', '.join(COLUMNS)}.")
        columns = {column for row in rows for column in row}
    else:
        reader = csv.DictReader(io.StringIO(read_text(manifest), newline=""))
        try:
            rows = [{str(key).strip(): (value or "").strip() for key, value in row.items() if key} for row in reader]
        except csv.Error as error:
            raise DatasetError(f"{manifest} cannot be read as CSV: {error}.") from error
        columns = {name.strip() for name in reader.fieldnames or ()}
    if missing_columns := [column for column in COLUMNS if column not in columns]:
        raise DatasetError(f"{manifest} has no column '{missing_columns[0]}'. It needs {', '.join(COLUMNS)}.")
    if unknown_columns := columns - {*COLUMNS, "unit"}:
        raise DatasetError(
            f"{manifest}: the column '{min(unknown_columns)}' is unknown. Use {', '.join(COLUMNS)} and unit."
        )
    if not rows:
        raise DatasetError(f"{manifest} has no rows.")
    return rows


def _parse_labels_entry(labels: Any, unit: str, root: Path, video: str, where: str) -> Labels | Spans:
    """Return the labels or spans of a row, from its label file or from the row itself."""
    if isinstance(labels, list) or labels in ("", "none"):
        return parse_spans([] if isinstance(labels, str) else labels, unit, where)
    file, key = str(labels), ""
    if not (root / file).exists():
        file, _, key = file.partition("#")
    return read_labels(root / file, Path(video).name, key)


_LAYOUT_HINT = "A manifest has the columns video, text, labels: a.mp4,running,labels/running.h5"
