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
from anyanomaly_cvad.videos import existing_root, find_videos, first_existing, match


class CVad(SurveyedDataset[CVadOptions]):
    """One of the two sets. A class is a label file; its name is the published list's."""

    short: ClassVar[str]  # what the published files call it
    prefix: ClassVar[str]  # of the label files
    source: ClassVar[Source]

    def survey(self) -> Survey:
        """Match label files, list and videos by name.

        :raises DatasetNotFound: when videos or labels are missing.
        :raises UsageError: for a class that is not there.
        """
        root = existing_root(self.options.root, self.source)
        folder = self._label_folder(root)
        findings: list[Finding] = []
        listed = self._listed(folder, self.options.kind)
        files = self._files(folder, listed, findings)
        labels: dict[str, dict[str, Labels]] = {}
        for name, path in files.items():
            try:
                labels[name] = read_h5(path)
            except DatasetError as error:
                findings.append(Finding("error", name, str(error)))
        findings += _compare(listed, labels, self.options.kind)
        by_video: dict[str, dict[str, Labels]] = {}
        for name, values_by_video in labels.items():
            for video, values in values_by_video.items():
                by_video.setdefault(video, {})[name] = values
        matched = match(by_video, find_videos(root, self.source), partial=self.options.partial)
        findings += matched.findings
        if self.options.kind == "single":  # the others leave most videos out on purpose
            apart = {video for videos in self._listed(folder, "multiple").values() for video in videos}
            findings += [
                Finding("note", name, f"Video '{name}' has no labels, so it is left out.")
                for name in matched.unlabelled
                if name not in apart
            ]
        classes = {name: self._texts(name) for name in labels}
        videos = tuple(
            LabelledVideo(
                uri=str(path),
                id=name,
                texts=tuple(dict.fromkeys(text for own in by_video[name] for text in classes[own])),
                labels=by_video[name],
                classes={own: classes[own] for own in by_video[name]},
                label_file=str(folder),
            )
            for name, path in matched.videos.items()
        )
        return Survey(videos, tuple(findings))

    def _label_folder(self, root: Path) -> Path:
        name = f"{self.short}_labels"
        given = self.options.labels
        if given:
            start = Path(given).expanduser()
            folder = start if start.name == name and start.is_dir() else first_existing(start, [name, f"*/{name}"])
        else:
            folder = first_existing(root, [name, f"*/{name}"])
        if folder is None:
            raise DatasetNotFound(
                f"Data set '{self.source.name}': there is no folder {name} in {given or root}. Get C-VAD's "
                f"label folder from {C_VAD_URL}, and name it with --dataset.labels; expected in it: "
                f"{name}/{self.prefix}_*_label.h5, {self.short}.json and {self.short}-multiple.json."
            )
        return folder

    def _listed(self, folder: Path, kind: str) -> dict[str, list[str]]:
        """Return the published list: which videos hold events of which class. Empty without one."""
        path = folder.parent / f"{self.short}{'-multiple' if kind == 'multiple' else ''}.json"
        if not path.is_file():
            return {}
        value = read_json(path)
        if not isinstance(value, dict) or not all(isinstance(videos, list) for videos in value.values()):
            raise DatasetError(f"{path} is no list of videos per class.")
        return {name: [str(video) for video in videos] for name, videos in value.items()}

    def _files(self, folder: Path, listed: dict[str, list[str]], findings: list[Finding]) -> dict[str, Path]:
        """Return the label file of each class wanted, by the list's name and in its order."""
        mark = "m_" if self.options.kind == "multiple" else ""
        found = {}
        for path in sorted(folder.glob(f"{mark}{self.prefix}_*_label.h5")):
            if named := re.fullmatch(rf"{mark}{self.prefix}_(.+)_label\.h5", path.name):
                found[named[1]] = path
        if not found:
            raise DatasetNotFound(f"Data set '{self.source.name}': {folder} holds no {mark}{self.prefix}_*_label.h5.")
        for in_list, (in_file, _) in SAME_CLASS.items():
            if in_file in found:
                found[in_list] = found.pop(in_file)
                findings.append(
                    Finding("note", in_list, f"The list's class '{in_list}' is '{in_file}' among the label files.")
                )
        findings += [
            Finding("error", name, f"Class '{name}' of the list has no label file in {folder}.")
            for name in listed
            if name not in found
        ]
        ordered = [*(name for name in listed if name in found), *(name for name in found if name not in listed)]
        wanted = self.options.classes or ordered
        for name in wanted:
            if name not in found:
                near = get_close_matches(name, ordered, n=1)
                hint = f" Did you mean '{near[0]}'?" if near else ""
                raise UsageError(
                    f"Data set '{self.source.name}' has no class '{name}'.{hint} It has, with --dataset.kind "
                    f"{self.options.kind}: {', '.join(ordered)}."
                )
        return {name: found[name] for name in ordered if name in wanted}

    def _texts(self, name: str) -> tuple[str, ...]:
        """Return the event texts of a class: several for several events at once."""
        parts: tuple[str, ...] = (name,)
        if self.options.kind == "multiple":
            parts = SAME_CLASS[name][1] if name in SAME_CLASS else tuple(name.split("-"))
        return tuple(part if self.options.words == "published" else part.replace("_", " ") for part in parts)


class CAvenue(CVad):
    """Five classes over 18 videos; two of several events over three more."""

    short, prefix, source = "c-avenue", "avenue", C_AVENUE


class CShanghaiTech(CVad):
    """Eleven classes over 96 videos; nine of several events over eleven more."""

    short, prefix, source = "c-shtech", "shtech", C_SHANGHAITECH


def _compare(listed: dict[str, list[str]], labels: dict[str, dict[str, Labels]], kind: str) -> list[Finding]:
    """Say where the list and the label files disagree about the videos of a class."""
    findings = []
    for name, videos in labels.items():
        if name not in listed:
            continue
        there = set(videos) if kind == "multiple" else {video for video, values in videos.items() if values.any()}
        for video in sorted(there ^ set(listed[name])):
            holds, lacks = ("the label file", "the list") if video in there else ("the list", "the label file")
            findings.append(
                Finding("note", name, f"Class '{name}': {holds} has events in video '{video}', and {lacks} has not.")
            )
    return findings
