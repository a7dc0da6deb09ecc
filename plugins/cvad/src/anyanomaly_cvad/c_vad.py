"""C-VAD: Avenue and ShanghaiTech with labels per class, from the published label folder."""

from __future__ import annotations

import re
from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar

from anyanomaly.api import Finding, Survey
from anyanomaly.errors import DatasetError, DatasetNotFound, UsageError
from anyanomaly.types import LabelledVideo
from anyanomaly_cvad.base import SurveyedDataset
from anyanomaly_cvad.label_files import read_h5, read_json
from anyanomaly_cvad.options import CVadOptions
from anyanomaly_cvad.sources import C_AVENUE, C_SHANGHAITECH, C_VAD_URL, SAME_CLASS, Source
from anyanomaly_cvad.spans import Labels
from anyanomaly_cvad.videos import find_videos, first_existing, match_videos, resolve_root


class CVad(SurveyedDataset[CVadOptions]):
    """A dataset of C-VAD. Each class has a label file; classes have the names of the published class list."""

    list_name: ClassVar[str]  # "c-avenue": stem of the class list, and start of the label folder's name
    file_prefix: ClassVar[str]  # "avenue": start of the names of the label files
    source: ClassVar[Source]

    def survey(self) -> Survey:
        """Match label files, class list and videos by name.

        :raises DatasetNotFound: when videos or labels are missing.
        :raises DatasetError: for a class list that cannot be read.
        :raises UsageError: for a class that the dataset does not have.
        """
        root = resolve_root(self.options.root, self.source)
        folder = self._find_label_folder(root)
        findings: list[Finding] = []
        class_list = self._read_class_list(folder, self.options.kind)
        files = self._find_label_files(folder, class_list, findings)
        labels_by_class: dict[str, dict[str, Labels]] = {}
        for class_name, path in files.items():
            try:
                labels_by_class[class_name] = read_h5(path)
            except DatasetError as error:
                findings.append(Finding("error", class_name, str(error)))
        findings += _compare_with_list(class_list, labels_by_class, self.options.kind)
        labels_by_video: dict[str, dict[str, Labels]] = {}
        for class_name, class_labels in labels_by_class.items():
            for video, labels in class_labels.items():
                labels_by_video.setdefault(video, {})[class_name] = labels
        match = match_videos(labels_by_video, find_videos(root, self.source), partial=self.options.partial)
        findings += match.findings
        if self.options.kind == "single":  # of "multiple", most videos have no labels by design
            multiple_list = self._read_class_list(folder, "multiple")
            multiple_videos = {video for videos in multiple_list.values() for video in videos}
            findings += [
                Finding("note", name, f"Video '{name}' has no labels, so it is skipped.")
                for name in match.unlabelled
                if name not in multiple_videos
            ]
        texts_by_class = {class_name: self._event_texts(class_name) for class_name in labels_by_class}
        videos = tuple(
            LabelledVideo(
                uri=str(path),
                id=name,
                texts=tuple(dict.fromkeys(text for cls in labels_by_video[name] for text in texts_by_class[cls])),
                labels=labels_by_video[name],
                classes={class_name: texts_by_class[class_name] for class_name in labels_by_video[name]},
                label_file=str(folder),
            )
            for name, path in match.videos.items()
        )
        return Survey(videos, tuple(findings))

    def _find_label_folder(self, root: Path) -> Path:
        name = f"{self.list_name}_labels"
        if self.options.labels:
            start = Path(self.options.labels).expanduser()
            folder = start if start.name == name and start.is_dir() else first_existing(start, [name, f"*/{name}"])
        else:
            folder = first_existing(root, [name, f"*/{name}"])
        if folder is None:
            raise DatasetNotFound(
                f"Dataset '{self.source.name}': there is no folder {name} in {self.options.labels or root}. Get the "
                f"label folder of C-VAD from {C_VAD_URL}, and name it with --dataset.labels; expected in it: "
                f"{name}/{self.file_prefix}_*_label.h5, {self.list_name}.json and {self.list_name}-multiple.json."
            )
        return folder

    def _read_class_list(self, folder: Path, kind: str) -> dict[str, list[str]]:
        """Return the videos with events of each class, as published; empty when there is no list."""
        path = folder.parent / f"{self.list_name}{'-multiple' if kind == 'multiple' else ''}.json"
        if not path.is_file():
            return {}
        value = read_json(path)
        if not isinstance(value, dict) or not all(isinstance(videos, list) for videos in value.values()):
            raise DatasetError(f"{path} is no list of videos per class. Download it again.")
        return {class_name: [str(video) for video in videos] for class_name, videos in value.items()}

    def _find_label_files(
        self, folder: Path, class_list: dict[str, list[str]], findings: list[Finding]
    ) -> dict[str, Path]:
        """Return the label file of each class to use, by the list's name and in its order."""
        prefix = f"{'m_' if self.options.kind == 'multiple' else ''}{self.file_prefix}"
        files = {}
        for path in sorted(folder.glob(f"{prefix}_*_label.h5")):
            if name_match := re.fullmatch(rf"{prefix}_(.+)_label\.h5", path.name):
                files[name_match[1]] = path
        if not files:
            raise DatasetNotFound(f"Dataset '{self.source.name}': {folder} holds no {prefix}_*_label.h5.")
        for name_in_list, (name_in_files, _) in SAME_CLASS.items():
            if name_in_files in files:
                files[name_in_list] = files.pop(name_in_files)
                message = f"The label file of class '{name_in_list}' calls it '{name_in_files}'."
                findings.append(Finding("note", name_in_list, message))
        findings += [
            Finding("error", class_name, f"Class '{class_name}' of the class list has no label file in {folder}.")
            for class_name in class_list
            if class_name not in files
        ]
        ordered = [*(name for name in class_list if name in files), *(name for name in files if name not in class_list)]
        selected = self.options.classes or ordered
        for class_name in selected:
            if class_name not in files:
                near = get_close_matches(class_name, ordered, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                raise UsageError(
                    f"Dataset '{self.source.name}' has no class '{class_name}'.{hint} Its classes with --dataset.kind "
                    f"{self.options.kind}: {', '.join(ordered)}."
                )
        return {class_name: files[class_name] for class_name in ordered if class_name in selected}

    def _event_texts(self, class_name: str) -> tuple[str, ...]:
        """Return the event texts of a class: more than one for events at the same time."""
        events: tuple[str, ...] = (class_name,)
        if self.options.kind == "multiple":
            events = SAME_CLASS[class_name][1] if class_name in SAME_CLASS else tuple(class_name.split("-"))
        return events if self.options.words == "published" else tuple(event.replace("_", " ") for event in events)


class CAvenue(CVad):
    """Five classes of single events over 18 videos; two classes of several events over three more videos."""

    list_name, file_prefix, source = "c-avenue", "avenue", C_AVENUE


class CShanghaiTech(CVad):
    """Eleven classes of single events over 96 videos; nine of several events over eleven more videos."""

    list_name, file_prefix, source = "c-shtech", "shtech", C_SHANGHAITECH


def _compare_with_list(
    class_list: dict[str, list[str]], labels_by_class: dict[str, dict[str, Labels]], kind: str
) -> list[Finding]:
    """Return a note for each video of a class in which list and label file disagree whether there are events."""
    findings = []
    for class_name, class_labels in labels_by_class.items():
        if class_name not in class_list:
            continue
        positive_videos = {video for video, labels in class_labels.items() if kind == "multiple" or labels.any()}
        for video in sorted(positive_videos ^ set(class_list[class_name])):
            holds, lacks = ("label file", "class list") if video in positive_videos else ("class list", "label file")
            message = f"Class '{class_name}': the {holds} has events in video '{video}', but the {lacks} has none."
            findings.append(Finding("note", class_name, message))
    return findings
