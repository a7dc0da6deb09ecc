"""Avenue and ShanghaiTech: one label per frame (anomaly or not), from the official archives or from files in use."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from anyanomaly.api import Finding, Survey
from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo
from anyanomaly_cvad.avenue_labels import LabelSource, avenue_sources, folder_source
from anyanomaly_cvad.base import SurveyedDataset
from anyanomaly_cvad.options import LabelledOptions
from anyanomaly_cvad.sources import AVENUE, AVENUE_EVENTS, SHANGHAITECH, SHANGHAITECH_EVENTS, Source
from anyanomaly_cvad.spans import Spans
from anyanomaly_cvad.videos import (
    find_videos,
    match_videos,
    not_found_error,
    resolve_root,
    unlabelled_findings,
)

ANOMALY = "anomaly"
"""The class of frames in which any event happens."""


class MaskDataset(SurveyedDataset[LabelledOptions]):
    """Labels per video, and one class. The score of a frame is the highest score of the texts."""

    source: ClassVar[Source]
    events: ClassVar[tuple[str, ...]]
    pattern: ClassVar[str]  # of the official label files, for messages

    @abstractmethod
    def label_sources(self, place: Path) -> Iterator[LabelSource]:
        """Yield the kinds of labels that are there, the one to use first.

        :param place: the folder of the dataset, or what the option ``labels`` names.
        """

    def survey(self) -> Survey:
        """Match labels and videos by name.

        :raises DatasetNotFound: when videos or labels are missing.
        """
        root = resolve_root(self.options.root, self.source)
        place = Path(self.options.labels).expanduser() if self.options.labels else root
        sources = list(self.label_sources(place))
        if not sources:
            raise not_found_error(self.source, f"there are no label files {self.pattern} in {place}")
        used = sources[0]
        match = match_videos(used.readers, find_videos(root, self.source), partial=self.options.partial)
        findings = [
            *match.findings,
            *unlabelled_findings(match, partial=self.options.partial),
            *video_count_findings(self.source, len(used.readers)),
        ]
        texts = self.options.texts or self.events
        videos = []
        for name, path in match.videos.items():
            try:
                labels = used.readers[name]()
            except DatasetError as error:
                findings.append(Finding("error", name, str(error)))
                continue
            video = LabelledVideo(str(path), name, texts, classes={ANOMALY: texts}, label_file=str(used.place))
            if isinstance(labels, Spans):
                videos.append(replace(video, spans={ANOMALY: labels.spans}, unit=labels.unit))
            else:
                videos.append(replace(video, labels={ANOMALY: labels}))
        return Survey(tuple(videos), tuple(findings), labels=_describe(sources))


class Avenue(MaskDataset):
    """CUHK Avenue: a MATLAB file of masks per test video, or the labels per frame that other code uses."""

    source, events, pattern = AVENUE, AVENUE_EVENTS, "*_label.mat"

    def label_sources(self, place: Path) -> Iterator[LabelSource]:
        """Yield the official masks, then labels per frame."""
        return avenue_sources(place)


class ShanghaiTech(MaskDataset):
    """ShanghaiTech Campus: an npy file of labels per test video."""

    source, events, pattern = SHANGHAITECH, SHANGHAITECH_EVENTS, "*.npy"

    def label_sources(self, place: Path) -> Iterator[LabelSource]:
        """Yield the labels of ``01_0014.npy`` ..."""
        folders = ("testing/test_frame_mask", "*/testing/test_frame_mask", "test_frame_mask", ".")
        if labels := folder_source("labels per frame", place, folders, "*.npy", _video_of):
            yield labels


def video_count_findings(source: Source, n_labelled: int) -> list[Finding]:
    """Return a note when the number of labelled videos differs from the published test set; else nothing."""
    if n_labelled == source.n_videos:
        return []
    message = f"The published test set has {source.n_videos} videos; there are labels of {n_labelled}."
    return [Finding("note", source.name, message)]


def _video_of(path: Path) -> str:
    """Return "01_0014" for ``01_0014.npy``; empty: the file is something else."""
    return path.stem if re.fullmatch(r"\d+_\d+", path.stem) else ""


def _describe(sources: list[LabelSource]) -> str:
    """Return which labels are used, and which other ones are there."""
    used = f"{sources[0].kind}, {sources[0].place}"
    alternatives = " and ".join(f"{source.kind}, {source.place}" for source in sources[1:])
    return f"{used} (not used: {alternatives}; --dataset.labels chooses)" if alternatives else used
