"""Avenue and ShanghaiTech: whether anything happens, per frame, from the masks of the official archives."""

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
from anyanomaly_cvad.videos import existing_root, find_videos, first_existing, match, not_found, unlabelled

ANOMALY = "anomaly"
"""The class of frames where anything happens."""


class Masks(SurveyedDataset[LabelledOptions]):
    """A label file per video; each frame is scored by the highest of the texts."""

    source: ClassVar[Source]
    events: ClassVar[tuple[str, ...]]
    places: ClassVar[tuple[str, ...]]  # globs under root of the folder of label files
    pattern: ClassVar[str]

    @abstractmethod
    def video_of(self, path: Path) -> str:
        """Return the name of the video that a label file belongs to."""

    def survey(self) -> Survey:
        """Match label files and videos by name.

        :raises DatasetNotFound: when videos or labels are missing.
        """
        root = existing_root(self.options.root, self.source)
        files = {self.video_of(path): path for path in sorted(self._label_folder(root).glob(self.pattern))}
        matched = match(files, find_videos(root, self.source), partial=self.options.partial)
        findings = [
            *matched.findings,
            *unlabelled(matched, partial=self.options.partial),
            *expected_count(self.source, len(files)),
        ]
        texts = self.options.texts or self.events
        videos = []
        for name, path in matched.videos.items():
            try:
                labels = read_labels(files[name], name)
            except DatasetError as error:
                findings.append(Finding("error", name, str(error)))
                continue
            if isinstance(labels, Spans):
                raise DatasetError(f"{files[name]} holds spans in place of masks.")
            videos.append(
                LabelledVideo(
                    str(path), name, texts, {ANOMALY: labels}, classes={ANOMALY: texts}, label_file=str(files[name])
                )
            )
        return Survey(tuple(videos), tuple(findings))

    def _label_folder(self, root: Path) -> Path:
        given = Path(self.options.labels).expanduser() if self.options.labels else None
        folders = [given] if given else [path for place in self.places if (path := first_existing(root, [place]))]
        for folder in folders:
            if any(folder.glob(self.pattern)):
                return folder
        raise not_found(self.source, f"no label files {self.pattern} in {given or root}")


class Avenue(Masks):
    """CUHK Avenue: a MATLAB file of masks per test video."""

    source, events = AVENUE, AVENUE_EVENTS
    places = ("ground_truth_demo/testing_label_mask", "*/ground_truth_demo/testing_label_mask", "testing_label_mask")
    pattern = "*_label.mat"

    def video_of(self, path: Path) -> str:
        """``1_label.mat`` belongs to ``01.avi``."""
        number = path.name.removesuffix("_label.mat")
        return number.zfill(2)


class ShanghaiTech(Masks):
    """ShanghaiTech Campus: an npy file of labels per test video."""

    source, events = SHANGHAITECH, SHANGHAITECH_EVENTS
    places = ("testing/test_frame_mask", "*/testing/test_frame_mask", "test_frame_mask")
    pattern = "*.npy"

    def video_of(self, path: Path) -> str:
        """``01_0014.npy`` belongs to ``01_0014``."""
        return path.stem


def expected_count(source: Source, found: int) -> list[Finding]:
    """Say when the test set is not as large as published."""
    if found == source.n_videos:
        return []
    message = f"The test set has {source.n_videos} videos as published, and labels of {found} are here."
    return [Finding("note", source.name, message)]
