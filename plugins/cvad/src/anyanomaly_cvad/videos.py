"""Find videos under a folder by name (files, or folders of frames), and match them with labels."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyanomaly.api import Finding
from anyanomaly.errors import DatasetNotFound
from anyanomaly_cvad.names import VIDEO_SUFFIXES, name_key, video_name
from anyanomaly_cvad.sources import Source

FRAME_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Match:
    """Videos that have labels, sorted by name, and findings on labels without exactly one video."""

    videos: dict[str, Path]
    findings: list[Finding]
    unlabelled: list[str]  # names of videos without labels


def resolve_root(root: str, source: Source) -> Path:
    """Return the folder of a dataset.

    :raises DatasetNotFound: when no folder is given or it does not exist; the message says where to get the dataset.
    """
    if not root:
        raise DatasetNotFound(f"Name the folder of dataset '{source.name}' with --root. {_download_hint(source)}")
    path = Path(root).expanduser()
    if not path.is_dir():
        raise DatasetNotFound(f"Dataset '{source.name}': there is no folder {root}. {_download_hint(source)}")
    return path


def find_videos(root: Path, source: Source) -> dict[str, list[Path]]:
    """Return the paths of the videos by name, from the first of the source's folders that hold videos.

    :raises DatasetNotFound: when there are no videos.
    """
    for globs in source.video_folders:
        folders = [path for glob in globs.split("|") for path in _folders(root, glob) if path.name not in source.skip]
        paths_by_name: dict[str, list[Path]] = {}
        for folder in folders:
            for name, path in _videos_in(folder):
                paths_by_name.setdefault(name, []).append(path)
        if paths_by_name:
            return paths_by_name
    raise not_found_error(source, f"there are no videos in {root}")


def not_found_error(source: Source, reason: str) -> DatasetNotFound:
    """Return the error for missing files: the reason, and where to get them."""
    return DatasetNotFound(f"Dataset '{source.name}': {reason}. {_download_hint(source)}")


def match_videos(labelled_names: Iterable[str], paths_by_name: Mapping[str, list[Path]], *, partial: bool) -> Match:
    """Match labels with videos by name: the same name, or else names of the same ``name_key``.

    :param labelled_names: names of the videos that have labels.
    :param paths_by_name: the videos on this machine.
    :param partial: report a missing video as a note, not as an error.
    """
    names = sorted(set(labelled_names))
    similar_names: dict[str, list[str]] = {}  # by key, of the videos whose exact name has no labels
    unlabelled = set(paths_by_name) - set(names)
    for name in sorted(unlabelled):
        similar_names.setdefault(name_key(name), []).append(name)
    findings = []
    videos: dict[str, Path] = {}
    renamed: list[str] = []
    for name in names:
        similar = [] if name in paths_by_name else similar_names.get(name_key(name), [])
        paths = [path for match in similar or [name] for path in paths_by_name.get(match, [])]
        unlabelled -= set(similar)
        if not paths:
            message = f"Video '{name}' has labels, but there is no video of that name."
            findings.append(Finding("note" if partial else "error", name, message))
        elif len(paths) > 1:
            listing = " and ".join(map(str, paths))
            findings.append(Finding("error", name, f"Video '{name}' exists {len(paths)} times: {listing}. Keep one."))
        else:
            videos[name] = paths[0]
            renamed += [f"'{name}' is {paths[0].name}"] if similar else []
    if renamed:
        more = f" and {len(renamed) - 1} more" if len(renamed) > 1 else ""
        message = f"Names in the labels and of videos differ in blanks, case or suffix: {renamed[0]}{more}."
        findings.append(Finding("note", "names", message))
    return Match(videos, findings, sorted(unlabelled))


def similar_video(path: Path) -> Path | None:
    """Return the video beside a missing one that has the same ``name_key``; None: there is none, or several."""
    if not path.parent.is_dir():
        return None
    videos = [video for _, video in _videos_in(path.parent) if name_key(video.name) == name_key(path.name)]
    return videos[0] if len(videos) == 1 else None


def unlabelled_findings(match: Match, *, partial: bool) -> Iterator[Finding]:
    """Yield a finding per video without labels, for datasets in which every video should have labels."""
    for name in match.unlabelled:
        yield Finding("note" if partial else "error", name, f"Video '{name}' has no labels.")


def first_existing(root: Path, globs: Sequence[str]) -> Path | None:
    """Return the first path under ``root`` that matches one of the globs, tried in order; None: no match."""
    return next((path for glob in globs for path in sorted(root.glob(glob))), None)


def _folders(root: Path, glob: str) -> list[Path]:
    return [root] if glob == "." else sorted(path for path in root.glob(glob) if path.is_dir())


def _videos_in(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in VIDEO_SUFFIXES or (path.is_dir() and _holds_frames(path)):
            yield video_name(path), path


def _holds_frames(folder: Path) -> bool:
    """Check the first few entries only: nearly all files in a folder of frames are frames."""
    with os.scandir(folder) as entries:
        return any(
            Path(entry.name).suffix.lower() in FRAME_SUFFIXES for entry, _ in zip(entries, range(8), strict=False)
        )


def _download_hint(source: Source) -> str:
    return f"Get it from {source.url}; expected under that folder: {source.layout}."
