"""Look a data set over before any model is loaded: what is there, what is missing, what is odd."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from anyanomaly.api.dataset import Dataset, Finding
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.core.labels import SLACK, class_texts, frame_labels
from anyanomaly.errors import DatasetError, VideoError
from anyanomaly.types import LabelledVideo, TimeArray, Video


@dataclass(frozen=True, slots=True)
class CheckedVideo:
    """A video that is there, with its frames that are positive per class; none where the labels do not fit."""

    id: str
    uri: str
    n_frames: int
    fps: float
    n_positive: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class CheckedClass:
    """A class over the videos that have labels for it."""

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
    """What a data set holds. ``findings`` hold its own, and those of the check."""

    videos: tuple[CheckedVideo, ...]
    classes: tuple[CheckedClass, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing keeps the data set from being used."""
        return not any(finding.kind == "error" for finding in self.findings)


def check_dataset(dataset: Dataset[Options], reader_for: Callable[[str], Reader[Options]]) -> CheckReport:
    """Open every video of a data set and compare its frames with its labels; nothing raises but what is not there.

    :param reader_for: gives the reader of a URI, loaded.
    :raises DatasetNotFound: when there is nothing to look at.
    """
    survey = dataset.survey()
    findings = list(survey.findings)
    checked = []
    ids = [labelled.id for labelled in survey.videos]
    findings += [
        Finding("error", name, f"The data set has two videos of the name '{name}'.")
        for name in dict.fromkeys(ids)
        if ids.count(name) > 1
    ]
    for labelled in survey.videos:
        found = _checked(labelled, reader_for(labelled.uri), findings)
        if found is not None:
            checked.append(found)
    texts = {name: each for labelled in survey.videos for name, each in class_texts(labelled).items()}
    classes = tuple(_class(name, each, checked) for name, each in texts.items())
    findings += _one_sided(classes)
    return CheckReport(tuple(checked), classes, tuple(findings))


def _checked(labelled: LabelledVideo, reader: Reader[Options], findings: list[Finding]) -> CheckedVideo | None:
    try:
        video = reader.probe(labelled.uri)
        if video.n_frames is None:
            video_times = _read_times(reader, video)
        else:
            video_times = np.arange(video.n_frames) / video.fps
            if any(len(labels) != video.n_frames for labels in labelled.labels.values()):
                video_times = _read_times(reader, video)  # a container's count may be a guess; labels deserve the truth
    except VideoError as error:
        findings.append(Finding("error", labelled.id, str(error)))
        return None
    labelled, video_times = _cut(labelled, video_times, findings)
    positive: dict[str, int] = {}
    try:
        positive = {name: int(labels.sum()) for name, labels in frame_labels(labelled, video_times).items()}
    except DatasetError as error:
        findings.append(Finding("error", labelled.id, str(error)))
    return CheckedVideo(labelled.id, labelled.uri, len(video_times), video.fps, positive)


def _cut(labelled: LabelledVideo, times_s: TimeArray, findings: list[Finding]) -> tuple[LabelledVideo, TimeArray]:
    """Cut the longer of frames and labels, as an evaluation does, where they all but fit; say so."""
    lengths = {len(labels) for labels in labelled.labels.values()}
    longest = max((abs(length - len(times_s)) for length in lengths), default=0)
    if not 0 < longest <= SLACK:
        return labelled, times_s
    stop = min(len(times_s), *lengths)
    told = " and ".join(map(str, sorted(lengths)))
    message = f"Video '{labelled.id}' has {len(times_s)} frames and {told} labels: the longer is cut at the end."
    findings.append(Finding("note", labelled.id, message))
    return replace(labelled, labels={name: each[:stop] for name, each in labelled.labels.items()}), times_s[:stop]


def _read_times(reader: Reader[Options], video: Video) -> TimeArray:
    return np.array([frame.time_s for frame in reader.frames(video)], np.float64)


def _class(name: str, texts: tuple[str, ...], videos: list[CheckedVideo]) -> CheckedClass:
    own = [video for video in videos if name in video.n_positive]
    frames, positive = sum(video.n_frames for video in own), sum(video.n_positive[name] for video in own)
    return CheckedClass(name, texts, len(own), frames, positive)


def _one_sided(classes: tuple[CheckedClass, ...]) -> Iterator[Finding]:
    for each in classes:
        if each.n_frames and not each.has_auc:
            which = "positive" if each.n_positive else "negative"
            yield Finding(
                "note", each.name, f"All {each.n_frames} frames of class '{each.name}' are {which}: it has no AUC."
            )
