"""Check a dataset before any model is loaded: missing files, labels that do not fit, positive frames per class."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from anyanomaly.api.dataset import Dataset, Finding
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.assemble.resolve import resolve_readers
from anyanomaly.config.model import RunConfig
from anyanomaly.core.labels import SLACK, class_texts, frame_labels, last_labelled_frame
from anyanomaly.errors import DatasetError, VideoError
from anyanomaly.evaluation.result import DatasetSelection
from anyanomaly.registry import Registry
from anyanomaly.types import LabelledVideo, TimeArray, Video


@dataclass(frozen=True, slots=True)
class CheckedVideo:
    """A video that can be opened."""

    id: str
    uri: str
    n_frames: int  # that have a label, where labels and frames differ by a few
    fps: float
    n_positive: Mapping[str, int]  # frames with label 1, per class; empty: the labels do not fit


@dataclass(frozen=True, slots=True)
class CheckedClass:
    """A class, over the videos whose labels fit."""

    name: str
    texts: tuple[str, ...]
    n_videos: int
    n_frames: int
    n_positive: int

    @property
    def has_auc(self) -> bool:
        """Whether there are both positive and negative frames."""
        return 0 < self.n_positive < self.n_frames


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The videos and classes of a dataset, with its own findings and those of the check."""

    videos: tuple[CheckedVideo, ...]
    classes: tuple[CheckedClass, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether no finding is an error, so that the dataset can be used."""
        return not any(finding.kind == "error" for finding in self.findings)


def check_by_name(selection: DatasetSelection, config: RunConfig, registry: Registry) -> CheckReport:
    """Check a dataset by name, with the readers that a run of ``config`` would use.

    :raises DatasetNotFound: when the dataset is missing, with where to get it.
    :raises UsageError: for an unknown dataset, reader or option.
    :raises MissingRequirement: when something that the dataset or a reader requires is not installed.
    """
    spec = registry.find("dataset", selection.name)
    registry.check_requirements(spec)
    readers: dict[str, Reader[Options]] = {}  # by name: one reader serves all of its videos
    with contextlib.ExitStack() as stack:

        def reader_for(uri: str) -> Reader[Options]:
            (component,) = resolve_readers(config, registry, [uri]).values()
            if component.name not in readers:
                reader = cast("Reader[Options]", registry.create(component.spec, component.options))
                readers[component.name] = stack.enter_context(reader)
            return readers[component.name]

        dataset = stack.enter_context(cast("Dataset[Options]", registry.create(spec, selection.options)))
        return check_dataset(dataset, reader_for)


def check_dataset(dataset: Dataset[Options], reader_for: Callable[[str], Reader[Options]]) -> CheckReport:
    """Open every video of a dataset and compare its frames with its labels. What does not fit becomes a finding.

    :param reader_for: from a URI to its reader, loaded.
    :raises DatasetNotFound: when the dataset is missing.
    """
    survey = dataset.survey()
    labels = [Finding("note", "labels", f"Labels: {survey.labels}.")] if survey.labels else []
    findings = [*labels, *survey.findings]
    ids = [video.id for video in survey.videos]
    findings += [
        Finding("error", name, f"The dataset has two videos of the name '{name}'.")
        for name in dict.fromkeys(ids)
        if ids.count(name) > 1
    ]
    videos = [
        checked_video
        for video in survey.videos
        if (checked_video := _check_video(video, reader_for(video.uri), findings)) is not None
    ]
    texts_per_class = {name: texts for video in survey.videos for name, texts in class_texts(video).items()}
    classes = tuple(_count_class(name, texts, videos) for name, texts in texts_per_class.items())
    findings += _find_classes_without_auc(classes)
    return CheckReport(tuple(videos), classes, tuple(findings))


def _check_video(labelled: LabelledVideo, reader: Reader[Options], findings: list[Finding]) -> CheckedVideo | None:
    """Return a video with its counts; None: it cannot be opened. Problems are added to ``findings``."""
    last = max((last_labelled_frame(labelled, name) for name in labelled.spans), default=0)
    try:
        video = reader.probe(labelled.uri)
        if video.n_frames is None:
            times_s = _read_times(reader, video)
        else:
            times_s = np.arange(video.n_frames) / video.fps
            if last > video.n_frames or any(len(labels) != video.n_frames for labels in labelled.labels.values()):
                times_s = _read_times(reader, video)  # the container's count may be wrong: count before reporting
    except VideoError as error:
        findings.append(Finding("error", labelled.id, str(error)))
        return None
    labelled, times_s = _truncate(labelled, times_s, findings)
    if last > len(times_s):
        message = f"Video '{labelled.id}' has {len(times_s)} frames and a span to frame {last}: it is truncated there."
        findings.append(Finding("note", labelled.id, message))
    n_positive: dict[str, int] = {}
    try:
        n_positive = {name: int(labels.sum()) for name, labels in frame_labels(labelled, times_s).items()}
    except DatasetError as error:
        findings.append(Finding("error", labelled.id, str(error)))
    return CheckedVideo(labelled.id, labelled.uri, len(times_s), video.fps, n_positive)


def _truncate(video: LabelledVideo, times_s: TimeArray, findings: list[Finding]) -> tuple[LabelledVideo, TimeArray]:
    """Truncate the longer of frames and labels, as an evaluation does, when they differ by up to SLACK; add a note."""
    n_frames = len(times_s)
    lengths = {len(labels) for labels in video.labels.values()}
    largest_gap = max((abs(length - n_frames) for length in lengths), default=0)
    if not 0 < largest_gap <= SLACK:
        return video, times_s
    stop = min(n_frames, *lengths)
    n_labels = " and ".join(map(str, sorted(lengths)))
    message = f"Video '{video.id}' has {n_frames} frames and {n_labels} labels: the longer is truncated at the end."
    findings.append(Finding("note", video.id, message))
    return replace(video, labels={name: labels[:stop] for name, labels in video.labels.items()}), times_s[:stop]


def _read_times(reader: Reader[Options], video: Video) -> TimeArray:
    """Return the presentation time of every frame (n_frames,) in seconds, by reading them all."""
    return np.array([frame.time_s for frame in reader.frames(video)], np.float64)


def _count_class(name: str, texts: tuple[str, ...], videos: Sequence[CheckedVideo]) -> CheckedClass:
    members = [video for video in videos if name in video.n_positive]
    n_frames, n_positive = sum(video.n_frames for video in members), sum(video.n_positive[name] for video in members)
    return CheckedClass(name, texts, len(members), n_frames, n_positive)


def _find_classes_without_auc(classes: Sequence[CheckedClass]) -> Iterator[Finding]:
    for entry in classes:
        if entry.n_frames and not entry.has_auc:
            label = "positive" if entry.n_positive else "negative"
            message = f"All {entry.n_frames} frames of class '{entry.name}' are {label}: it has no AUC."
            yield Finding("note", entry.name, message)
