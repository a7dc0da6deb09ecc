"""UBnormal, UCF-Crime and XD-Violence: spans of the test videos, from the official files or from one JSON file.

The JSON file is a list of ``{"video_path": "a/NAME.mp4", "class_name": "Abuse", "anomaly_span": [[0.1, 0.2]]}``,
with spans as shares of the video.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, TypeVar

from anyanomaly.api import Survey
from anyanomaly.errors import DatasetError, UsageError
from anyanomaly.types import LabelledVideo
from anyanomaly_cvad.base import SurveyedDataset
from anyanomaly_cvad.label_files import read_json, read_text
from anyanomaly_cvad.masks import ANOMALY, expected_count
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
from anyanomaly_cvad.spans import Spans, checked_spans
from anyanomaly_cvad.videos import existing_root, find_videos, first_existing, match, not_found, unlabelled, video_name

L = TypeVar("L", bound=LabelledOptions, covariant=True)
NORMAL = ("Normal", "Testing_Normal_Videos_Anomaly")


@dataclass(frozen=True, slots=True)
class Annotated:
    """A test video: the events of its class, none for a normal one, and where they are."""

    events: tuple[str, ...]
    spans: Spans


class SpanDataset(SurveyedDataset[L]):
    """Spans per test video."""

    source: ClassVar[Source]
    events: ClassVar[tuple[str, ...]]
    files: ClassVar[tuple[str, ...]] = ()  # globs under root of the annotation file
    only_test: ClassVar[bool] = False  # whether the folder of videos holds the test set alone

    @abstractmethod
    def annotated(self, root: Path, found: Mapping[str, list[Path]]) -> dict[str, Annotated]:
        """Return the annotations of the test videos by name, from the official files.

        :param found: the videos that are there.
        """

    @abstractmethod
    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """Return the events that a class name of the JSON file stands for."""

    def survey(self) -> Survey:
        """Match annotations and videos by name.

        :raises DatasetNotFound: when videos or annotations are missing. :raises DatasetError: for a broken file.
        """
        root = existing_root(self.options.root, self.source)
        found = find_videos(root, self.source)
        given = Path(self.options.labels).expanduser() if self.options.labels else None
        annotated = self._from_json(given) if given and given.suffix == ".json" else self.annotated(root, found)
        matched = match(annotated, found, partial=self.options.partial)
        findings = [*matched.findings, *expected_count(self.source, len(annotated))]
        if self.only_test:
            findings += unlabelled(matched, partial=self.options.partial)
        videos = tuple(self._labelled(name, path, annotated[name]) for name, path in matched.videos.items())
        return Survey(videos, tuple(findings))

    def _labelled(self, name: str, path: Path, annotated: Annotated) -> LabelledVideo:
        texts = self.options.texts or self.events
        spans, unit = annotated.spans.spans, annotated.spans.unit
        if getattr(self.options, "positive", "any") == "any":
            return LabelledVideo(str(path), name, texts, spans={ANOMALY: spans}, unit=unit, classes={ANOMALY: texts})
        if strange := set(texts) - set(self.events):
            raise UsageError(
                f"Data set '{self.source.name}' has no class '{min(strange)}'; it has {', '.join(self.events)}. "
                f"Other texts go with --dataset.positive any."
            )
        own = {event: spans if event in annotated.events else () for event in texts}
        return LabelledVideo(str(path), name, texts, spans=own, unit=unit)

    def annotation_file(self, root: Path) -> Path:
        """Return the file that was named, or the official one.

        :raises DatasetNotFound: when it is not there.
        """
        given = Path(self.options.labels).expanduser() if self.options.labels else None
        if given and given.is_file():
            return given
        path = first_existing(given or root, self.files)
        if path is None:
            raise not_found(self.source, f"no {self.files[0]} in {given or root}")
        return path

    def _from_json(self, path: Path) -> dict[str, Annotated]:
        if not path.is_file():
            raise not_found(self.source, f"there is no label file {path}")
        entries = read_json(path)
        try:
            rows = [(PurePosixPath(e["video_path"]).name, str(e["class_name"]), e["anomaly_span"]) for e in entries]
        except (TypeError, KeyError) as error:
            raise DatasetError(
                f"{path} is no list of video_path, class_name and anomaly_span ({type(error).__name__}: {error})."
            ) from error
        found: dict[str, Annotated] = {}
        for file, class_name, spans in rows:
            name = video_name(Path(file))
            _once(found, name, path)
            events = () if class_name in NORMAL else self.events_of(class_name, name)
            found[name] = Annotated(events, checked_spans(spans or [], "share", f"{path}, video '{name}'"))
        return found


class UBnormal(SpanDataset[LabelledOptions]):
    """A file of tracks per abnormal video: number, first and last frame, from 0, both in."""

    source, events = UBNORMAL, UBNORMAL_EVENTS
    lists = ("abnormal_test_video_names.txt", "normal_test_video_names.txt")

    def annotated(self, root: Path, found: Mapping[str, list[Path]]) -> dict[str, Annotated]:
        """Read the tracks of the videos in the lists of the test set."""
        names = [name for part in self.lists for name in self._list(root, part)]
        annotated: dict[str, Annotated] = {}
        for name in names:
            _once(annotated, name, Path(self.lists[0]))
            spans = self._tracks(root, name) if name.startswith("abnormal") else Spans(())
            annotated[name] = Annotated((ANOMALY,) if spans.spans else (), spans)
        return annotated

    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """A video's class is no more than abnormal."""
        return (ANOMALY,)

    def _list(self, root: Path, name: str) -> list[str]:
        folder = Path(self.options.labels).expanduser() if self.options.labels else root
        path = first_existing(folder, [name, f"scripts/{name}", f"*/scripts/{name}", f"*/{name}"])
        if path is None:
            raise not_found(self.source, f"no {name} in {folder}, so it is not known which videos are the test set")
        return read_text(path).split()

    def _tracks(self, root: Path, name: str) -> Spans:
        scene = f"Scene{name.split('_')[2]}"
        file = f"{scene}/{name}_annotations/{name}_tracks.txt"
        path = first_existing(root, [file, f"*/{file}"])
        if path is None:
            raise not_found(self.source, f"video '{name}' has no {file} in {root}")
        spans = []
        for words in _lines(path):
            _, first, last = _numbers(" ".join(words).replace(",", " ").split(), 3, path)
            spans.append((first, last + 1))
        return checked_spans(spans, "frames", str(path))


class UcfCrime(SpanDataset[SpanOptions]):
    """A line per test video: name, class, first and last frame of at most two events, from 1, both in; -1: none."""

    source, events = UCF_CRIME, tuple(UCF_CRIME_EVENTS.values())
    files = (
        "Temporal_Anomaly_Annotation_for_Testing_Videos.txt",
        "Temporal_Anomaly_Annotation*.txt",
        "*/Temporal_Anomaly_Annotation*.txt",
        "*/*/Temporal_Anomaly_Annotation*.txt",
    )

    def annotated(self, root: Path, found: Mapping[str, list[Path]]) -> dict[str, Annotated]:
        """Read the official file."""
        path = self.annotation_file(root)
        annotated: dict[str, Annotated] = {}
        for name, words in _by_video(path).items():
            if not words:
                raise DatasetError(f"{path}: the line of '{name}' has no class.")
            numbers = _numbers(words[1:], 4, path)
            pairs = [(first - 1, last) for first, last in zip(numbers[::2], numbers[1::2], strict=True) if first > 0]
            events = () if words[0] in NORMAL else self.events_of(words[0], name)
            annotated[name] = Annotated(events, checked_spans(pairs, "frames", f"{path}, video '{name}'"))
        return annotated

    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """Return the class in words.

        :raises DatasetError: for a class that the data set has not.
        """
        if class_name not in UCF_CRIME_EVENTS:
            raise DatasetError(
                f"Video '{video}' is of the unknown class '{class_name}'; known: {', '.join(UCF_CRIME_EVENTS)}."
            )
        return (UCF_CRIME_EVENTS[class_name],)


class XdViolence(SpanDataset[SpanOptions]):
    """A line per violent video: name, and pairs of frames, from 0, the second out; ``label_A`` in a name: normal."""

    source, events = XD_VIOLENCE, tuple(XD_VIOLENCE_EVENTS.values())
    files = ("annotations.txt", "*/annotations.txt")
    only_test = True

    def annotated(self, root: Path, found: Mapping[str, list[Path]]) -> dict[str, Annotated]:
        """Read the official file; the normal videos, which it leaves out, are those in the folder."""
        path = self.annotation_file(root)
        annotated: dict[str, Annotated] = {}
        for name, words in _by_video(path).items():
            numbers = _numbers(words, len(words) // 2 * 2, path)
            pairs = zip(numbers[::2], numbers[1::2], strict=True)
            spans = checked_spans(pairs, "frames", f"{path}, video '{name}'")
            annotated[name] = Annotated(self.events_of("", name), spans)
        normal = {name: Annotated((), Spans(())) for name in found if name.endswith("_label_A")}
        return normal | annotated

    def events_of(self, class_name: str, video: str) -> tuple[str, ...]:
        """Return the events that the video's name codes: its spans do not tell which of them is where.

        :raises DatasetError: when the name codes none.
        """
        codes = re.search(r"_label_([A-Z0-9-]+)$", video)
        events = tuple(XD_VIOLENCE_EVENTS[c] for c in codes[1].split("-") if c in XD_VIOLENCE_EVENTS) if codes else ()
        if not events:
            known = ", ".join(XD_VIOLENCE_EVENTS)
            raise DatasetError(f"The name of video '{video}' ends with no known class (_label_ and {known}).")
        return events


def _once(annotated: Mapping[str, Any], name: str, path: Path) -> None:
    if name in annotated:
        raise DatasetError(f"{path} names video '{name}' twice.")


def _numbers(words: list[str], count: int, path: Path) -> list[int]:
    """Return ``count`` whole numbers; some files write them as 12.0."""
    try:
        numbers = [int(float(word)) for word in words]
    except ValueError as error:
        raise DatasetError(f"{path}: {' '.join(words)!r} are not frame numbers.") from error
    if len(numbers) != count:
        raise DatasetError(f"{path}: {' '.join(words)!r} should be {count} frame numbers.")
    return numbers


def _lines(path: Path) -> Iterator[list[str]]:
    """Yield the words of each line that has any."""
    return (words for line in read_text(path).splitlines() if (words := line.split()))


def _by_video(path: Path) -> dict[str, list[str]]:
    """Return the words that follow each line's video.

    :raises DatasetError: for a video that is named twice.
    """
    found: dict[str, list[str]] = {}
    for first, *words in _lines(path):
        name = video_name(Path(first))
        _once(found, name, path)
        found[name] = words
    return found
