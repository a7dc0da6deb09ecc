"""UBnormal, UCF-Crime and XD-Violence: spans of the test videos, from the official files or from one JSON file.

The JSON file is a list of ``{"video_path": "a/NAME.mp4", "class_name": "Abuse", "anomaly_span": [[0.1, 0.2]]}``,
with spans as fractions of the video.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from anyanomaly.api import Survey
from anyanomaly.errors import DatasetError, UsageError
from anyanomaly.types import LabelledVideo
from anyanomaly_cvad.base import SurveyedDataset
from anyanomaly_cvad.label_files import read_json, read_text
from anyanomaly_cvad.masks import ANOMALY, video_count_findings
from anyanomaly_cvad.names import class_key, is_normal, list_lines, listed_name, name_key, split_name
from anyanomaly_cvad.options import LabelledOptions, SpanOptions
from anyanomaly_cvad.sources import (
    UBNORMAL,
    UBNORMAL_EVENTS,
    UCF_CRIME,
    UCF_CRIME_EVENTS,
    XD_VIOLENCE,
    XD_VIOLENCE_EVENTS,
    Source,
)
from anyanomaly_cvad.spans import Spans, parse_spans
from anyanomaly_cvad.videos import (
    find_videos,
    first_existing,
    match_videos,
    not_found_error,
    resolve_root,
    unlabelled_findings,
)

L = TypeVar("L", bound=LabelledOptions, covariant=True)


@dataclass(frozen=True, slots=True)
class Annotation:
    """The events of a test video (those of its class, none for a normal video) and their spans."""

    events: tuple[str, ...]
    spans: Spans


class SpanDataset(SurveyedDataset[L]):
    """A dataset with spans per test video."""

    source: ClassVar[Source]
    events: ClassVar[tuple[str, ...]]
    annotation_files: ClassVar[tuple[str, ...]] = ()  # globs under root of the official annotation file
    only_test: ClassVar[bool] = False  # True: the folder of videos holds the test set only

    @abstractmethod
    def read_annotations(self, root: Path, paths_by_name: Mapping[str, list[Path]]) -> dict[str, Annotation]:
        """Return the annotations of the test videos by name, from the official files.

        :param paths_by_name: the videos on this machine.
        :raises DatasetNotFound: when an annotation file is missing. :raises DatasetError: for a broken file.
        """

    @abstractmethod
    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """Return the events of a class of the JSON file.

        :raises DatasetError: for an unknown class.
        """

    def survey(self) -> Survey:
        """Match annotations and videos by name.

        :raises DatasetNotFound: when videos or annotations are missing. :raises DatasetError: for a broken file.
        :raises UsageError: for texts that are no classes, with the option ``positive`` at ``class``.
        """
        root = resolve_root(self.options.root, self.source)
        paths_by_name = find_videos(root, self.source)
        label_path = self._label_path()
        if label_path and label_path.suffix == ".json":
            annotations = self._read_json_annotations(label_path)
        else:
            annotations = self.read_annotations(root, paths_by_name)
        match = match_videos(annotations, paths_by_name, partial=self.options.partial)
        findings = [*match.findings, *video_count_findings(self.source, len(annotations))]
        if self.only_test:
            findings += unlabelled_findings(match, partial=self.options.partial)
        videos = tuple(self._labelled_video(name, path, annotations[name]) for name, path in match.videos.items())
        return Survey(videos, tuple(findings))

    def _labelled_video(self, name: str, path: Path, annotation: Annotation) -> LabelledVideo:
        texts = self.options.texts or self.events
        spans, unit = annotation.spans.spans, annotation.spans.unit
        if getattr(self.options, "positive", "any") == "any":
            return LabelledVideo(str(path), name, texts, spans={ANOMALY: spans}, unit=unit, classes={ANOMALY: texts})
        if unknown_texts := set(texts) - set(self.events):
            raise UsageError(
                f"Dataset '{self.source.name}' has no class '{min(unknown_texts)}'. Its classes: "
                f"{', '.join(self.events)}. For other texts use --dataset.positive any."
            )
        spans_by_text = {text: spans if text in annotation.events else () for text in texts}
        return LabelledVideo(str(path), name, texts, spans=spans_by_text, unit=unit)

    def annotation_file(self, root: Path) -> Path:
        """Return the annotation file of the option ``labels``, or the official one.

        :raises DatasetNotFound: when it does not exist.
        """
        label_path = self._label_path()
        if label_path and label_path.is_file():
            return label_path
        path = first_existing(label_path or root, self.annotation_files)
        if path is None:
            raise not_found_error(self.source, f"there is no {self.annotation_files[0]} in {label_path or root}")
        return path

    def _label_path(self) -> Path | None:
        return Path(self.options.labels).expanduser() if self.options.labels else None

    def _read_json_annotations(self, path: Path) -> dict[str, Annotation]:
        if not path.is_file():
            raise not_found_error(self.source, f"there is no label file {path}")
        entries = read_json(path)
        try:
            rows = [
                (listed_name(entry["video_path"]), str(entry["class_name"]), entry["anomaly_span"]) for entry in entries
            ]
        except (TypeError, KeyError, AttributeError) as error:
            raise DatasetError(
                f"{path} is no list of video_path, class_name and anomaly_span ({type(error).__name__}: {error})."
            ) from error
        annotations: dict[str, Annotation] = {}
        for name, class_name, pairs in rows:
            _check_unique(annotations, name, path)
            events = () if is_normal(class_name) else self.events_of(class_name, name)
            annotations[name] = Annotation(events, parse_spans(pairs or [], "share", f"{path}, video '{name}'"))
        return annotations


class UBnormal(SpanDataset[LabelledOptions]):
    """A file of tracks per abnormal video: track number, first and last frame, counted from 0, both included."""

    source, events = UBNORMAL, UBNORMAL_EVENTS
    test_lists = ("abnormal_test_video_names.txt", "normal_test_video_names.txt")

    def read_annotations(self, root: Path, paths_by_name: Mapping[str, list[Path]]) -> dict[str, Annotation]:
        """Return the tracks of the videos in the lists of the test set."""
        names = [name for file in self.test_lists for name in self._read_test_list(root, file)]
        annotations: dict[str, Annotation] = {}
        for name in names:
            _check_unique(annotations, name, Path(self.test_lists[0]))
            spans = self._read_tracks(root, name) if name.startswith("abnormal") else Spans(())
            annotations[name] = Annotation((ANOMALY,) if spans.spans else (), spans)
        return annotations

    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """Return ``ANOMALY``: the dataset only tells abnormal from normal."""
        return (ANOMALY,)

    def _read_test_list(self, root: Path, file: str) -> list[str]:
        folder = self._label_path() or root
        path = first_existing(folder, [file, f"scripts/{file}", f"*/scripts/{file}", f"*/{file}"])
        if path is None:
            raise not_found_error(self.source, f"there is no {file}, which lists the test videos, in {folder}")
        return [listed_name(" ".join(fields)) for fields in list_lines(read_text(path))]

    def _read_tracks(self, root: Path, name: str) -> Spans:
        scene = f"Scene{name.split('_')[2]}"
        file = f"{scene}/{name}_annotations/{name}_tracks.txt"
        path = first_existing(root, [file, f"*/{file}"])
        if path is None:
            raise not_found_error(self.source, f"video '{name}' has no {file} in {root}")
        pairs = []
        for fields in list_lines(read_text(path)):
            _, first, last = _parse_frame_numbers(fields, 3, path)
            pairs.append((first, last + 1))
        return parse_spans(pairs, "frames", str(path))


class UcfCrime(SpanDataset[SpanOptions]):
    """A line per test video: name, class, first and last frame of two events.

    Frames count from 1, both are included, and -1 stands for no event.
    """

    source, events = UCF_CRIME, tuple(UCF_CRIME_EVENTS.values())
    annotation_files = (
        "Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
        "Temporal_Anomaly_Annotation*.txt",
        "*/Temporal_Anomaly_Annotation*.txt",
        "*/*/Temporal_Anomaly_Annotation*.txt",
    )

    def read_annotations(self, root: Path, paths_by_name: Mapping[str, list[Path]]) -> dict[str, Annotation]:
        """Return the annotations of the official file."""
        path = self.annotation_file(root)
        annotations: dict[str, Annotation] = {}
        for name, fields in _read_fields_by_video(path, 5, paths_by_name).items():
            if not fields:
                raise DatasetError(f"{path}: the line of '{name}' has no class.")
            numbers = _parse_frame_numbers(fields[1:], 4, path)
            pairs = [(first - 1, last) for first, last in zip(numbers[::2], numbers[1::2], strict=True) if first > 0]
            events = () if is_normal(fields[0]) else self.events_of(fields[0], name)
            annotations[name] = Annotation(events, parse_spans(pairs, "frames", f"{path}, video '{name}'"))
        return annotations

    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """Return the event text of a class.

        :raises DatasetError: for an unknown class.
        """
        events = {class_key(name): event for name, event in UCF_CRIME_EVENTS.items()}
        if class_key(class_name) not in events:
            raise DatasetError(
                f"Video '{video}' has the unknown class '{class_name}'. The classes: {', '.join(UCF_CRIME_EVENTS)}."
            )
        return (events[class_key(class_name)],)


class XdViolence(SpanDataset[SpanOptions]):
    """A line per violent video: name, then starts and stops in frames, counted from 0, the stop not included.

    Normal videos have ``label_A`` in their names, and no line.
    """

    source, events = XD_VIOLENCE, tuple(XD_VIOLENCE_EVENTS.values())
    annotation_files = ("annotations.txt", "*/annotations.txt")
    only_test = True

    def read_annotations(self, root: Path, paths_by_name: Mapping[str, list[Path]]) -> dict[str, Annotation]:
        """Return the annotations of the official file, and empty ones for the normal videos in the folder."""
        path = self.annotation_file(root)
        annotations: dict[str, Annotation] = {}
        for name, fields in _read_fields_by_video(path, None, paths_by_name).items():
            numbers = _parse_frame_numbers(fields, len(fields) // 2 * 2, path)
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            spans = parse_spans(pairs, "frames", f"{path}, video '{name}'")
            is_calm = name_key(name).endswith("_label_a") and not spans.spans
            annotations[name] = Annotation(() if is_calm else self.events_of("", name), spans)
        listed = {name_key(name) for name in annotations}
        normal = {key: name for name in paths_by_name if (key := name_key(name)).endswith("_label_a")}
        return {name: Annotation((), Spans(())) for key, name in normal.items() if key not in listed} | annotations

    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """Return the events whose codes are in the video's name; its spans do not say which event they show.

        :raises DatasetError: when the name has no known code.
        """
        ending = re.search(r"_label_([a-z0-9-]+)$", video, re.IGNORECASE)
        codes = ending[1].upper().split("-") if ending else []
        events = tuple(XD_VIOLENCE_EVENTS[code] for code in codes if code in XD_VIOLENCE_EVENTS)
        if not events:
            listing = ", ".join(XD_VIOLENCE_EVENTS)
            raise DatasetError(f"The name of video '{video}' must end with _label_ and one or more codes of {listing}.")
        return events


def _check_unique(annotations: Mapping[str, Any], name: str, path: Path) -> None:
    if name in annotations:
        raise DatasetError(f"{path} lists video '{name}' twice.")


def _parse_frame_numbers(fields: list[str], count: int, path: Path) -> list[int]:
    """Return ``count`` frame numbers; some files write them as 12.0."""
    try:
        numbers = [int(float(field)) for field in fields]
    except (ValueError, OverflowError) as error:
        raise DatasetError(f"{path}: {' '.join(fields)!r} must be frame numbers.") from error
    if len(numbers) != count:
        raise DatasetError(f"{path}: {' '.join(fields)!r} must be {count} frame numbers.")
    return numbers


def _read_fields_by_video(
    path: Path, n_values: int | None, paths_by_name: Mapping[str, list[Path]]
) -> dict[str, list[str]]:
    """Return the fields that follow the video's name on each line.

    :param n_values: number of fields; None: any number of frame numbers.
    :param paths_by_name: the videos on this machine, whose names may have blanks.
    :raises DatasetError: for a video that is listed twice.
    """
    known_keys = {name_key(name) for name in paths_by_name}
    fields_by_video: dict[str, list[str]] = {}
    for line in list_lines(read_text(path)):
        name, fields = split_name(line, n_values, known_keys)
        _check_unique(fields_by_video, name, path)
        fields_by_video[name] = fields
    return fields_by_video
