"""Avenue and ShanghaiTech: one label per frame (anomaly or not), from the masks of the official archives."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

from anyanomaly.api import Finding, Survey
from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo
from anyanomaly_cvad.base import SurveyedDataset
from anyanomaly_cvad.label_files import read_labels
from anyanomaly_cvad.options import LabelledOptions
from anyanomaly_cvad.sources import AVENUE, AVENUE_EVENTS, SHANGHAITECH, SHANGHAITECH_EVENTS, Source
from anyanomaly_cvad.spans import Spans
from anyanomaly_cvad.videos import (
    find_videos,
    first_existing,
    match_videos,
    not_found_error,
    resolve_root,
    unlabelled_findings,
)

ANOMALY = "anomaly"
"""The class of frames in which any event happens."""


class MaskDataset(SurveyedDataset[LabelledOptions]):
    """One label file per video, and one class. The score of a frame is the highest score of the texts."""

    source: ClassVar[Source]
    events: ClassVar[tuple[str, ...]]
    label_folders: ClassVar[tuple[str, ...]]  # globs under root
    pattern: ClassVar[str]  # of the label files in their folder

    @abstractmethod
    def video_of(self, path: Path) -> str:
        """Return the name of the video to which a label file belongs."""

    def survey(self) -> Survey:
        """Match label files and videos by name.

        :raises DatasetNotFound: when videos or labels are missing.
        :raises DatasetError: for a label file with spans in place of labels.
        """
        root = resolve_root(self.options.root, self.source)
        files = {self.video_of(path): path for path in sorted(self._find_label_folder(root).glob(self.pattern))}
        match = match_videos(files, find_videos(root, self.source), partial=self.options.partial)
        findings = [
            *match.findings,
            *unlabelled_findings(match, partial=self.options.partial),
            *video_count_findings(self.source, len(files)),
        ]
        texts = self.options.texts or self.events
        videos = []
        for name, path in match.videos.items():
            try:
                labels = read_labels(files[name], name)
            except DatasetError as error:
                findings.append(Finding("error", name, str(error)))
                continue
            if isinstance(labels, Spans):
                raise DatasetError(
                    f"{files[name]} holds spans, but dataset '{self.source.name}' has a label per frame."
                )
            videos.append(
                LabelledVideo(
                    str(path), name, texts, {ANOMALY: labels}, classes={ANOMALY: texts}, label_file=str(files[name])
                )
            )
        return Survey(tuple(videos), tuple(findings))

    def _find_label_folder(self, root: Path) -> Path:
        user_folder = Path(self.options.labels).expanduser() if self.options.labels else None
        if user_folder:
            folders = [user_folder]
        else:
            folders = [path for glob in self.label_folders if (path := first_existing(root, [glob]))]
        for folder in folders:
            if any(folder.glob(self.pattern)):
                return folder
        raise not_found_error(self.source, f"there are no label files {self.pattern} in {user_folder or root}")


class Avenue(MaskDataset):
    """CUHK Avenue: a MATLAB file of masks per test video."""

    source, events = AVENUE, AVENUE_EVENTS
    label_folders = (
        "ground_truth_demo/testing_label_mask",
        "*/ground_truth_demo/testing_label_mask",
        "testing_label_mask",
    )
    pattern = "*_label.mat"

    def video_of(self, path: Path) -> str:
        """Return "01" for ``1_label.mat``, the name of ``01.avi``."""
        number = path.name.removesuffix("_label.mat")
        return number.zfill(2)


class ShanghaiTech(MaskDataset):
    """ShanghaiTech Campus: an npy file of labels per test video."""

    source, events = SHANGHAITECH, SHANGHAITECH_EVENTS
    label_folders = ("testing/test_frame_mask", "*/testing/test_frame_mask", "test_frame_mask")
    pattern = "*.npy"

    def video_of(self, path: Path) -> str:
        """Return "01_0014" for ``01_0014.npy``."""
        return path.stem


def video_count_findings(source: Source, n_labelled: int) -> list[Finding]:
    """Return a note when the number of labelled videos differs from the published test set; else nothing."""
    if n_labelled == source.n_videos:
        return []
    message = f"The published test set has {source.n_videos} videos; there are labels of {n_labelled}."
    return [Finding("note", source.name, message)]
