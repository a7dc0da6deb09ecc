"""Videos under a folder by name: files, or folders of frames."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyanomaly.api import Finding
from anyanomaly.errors import DatasetNotFound
from anyanomaly_cvad.sources import Source

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mpg", ".mpeg", ".ts", ".flv", ".wmv"})
FRAME_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})


@dataclass(frozen=True, slots=True)
class Match:
    """Which videos have labels, in order of name, and what has no partner."""

    videos: dict[str, Path]
    findings: list[Finding]
    unlabelled: list[str]  # videos that are there and have no labels


def existing_root(root: str, source: Source) -> Path:
    """Return the folder of a data set.

    :raises DatasetNotFound: when none is given or it is not there, with where to get the data set.
    """
    if not root:
        raise DatasetNotFound(f"Say with --root where data set '{source.name}' is. {_obtain(source)}")
    path = Path(root).expanduser()
    if not path.is_dir():
        raise DatasetNotFound(f"There is no folder {root} for data set '{source.name}'. {_obtain(source)}")
    return path


def find_videos(root: Path, source: Source) -> dict[str, list[Path]]:
    """Return the videos by name, in the first of the source's places that has any.

    :raises DatasetNotFound: when there is none.
    """
    for place in source.places:
        folders = [path for part in place.split("|") for path in _folders(root, part) if path.name not in source.skip]
        found: dict[str, list[Path]] = {}
        for name, path in (each for folder in folders for each in _videos(folder)):
            found.setdefault(name, []).append(path)
        if found:
            return found
    raise not_found(source, f"no videos in {root}")


def not_found(source: Source, what: str) -> DatasetNotFound:
    """Return the error for files that are missing, with where to get them."""
    return DatasetNotFound(f"Data set '{source.name}': {what}. {_obtain(source)}")


def match(names: Iterable[str], found: dict[str, list[Path]], *, partial: bool) -> Match:
    """Match labels with videos by name.

    :param names: of the videos that have labels. :param partial: a video that is missing is a note.
    """
    wanted = sorted(set(names))
    findings = []
    for name in wanted:
        paths = found.get(name, [])
        if not paths:
            message = f"The labels of '{name}' have no video of that name."
            findings.append(Finding("note" if partial else "error", name, message))
        elif len(paths) > 1:
            listed = " and ".join(map(str, paths))
            findings.append(Finding("error", name, f"Video '{name}' is there {len(paths)} times: {listed}. Keep one."))
    videos = {name: found[name][0] for name in wanted if len(found.get(name, [])) == 1}
    return Match(videos, findings, sorted(set(found) - set(wanted)))


def unlabelled(matched: Match, *, partial: bool) -> Iterator[Finding]:
    """Yield what is to be said of videos without labels, where every video should have some."""
    for name in matched.unlabelled:
        yield Finding("note" if partial else "error", name, f"Video '{name}' has no labels.")


def first_existing(root: Path, places: Sequence[str]) -> Path | None:
    """Return the first path that one of the globs under ``root`` names."""
    return next((path for place in places for path in sorted(root.glob(place))), None)


def video_name(path: Path) -> str:
    """Return a video's name: without the suffix of a video file; dots may be part of a name."""
    return path.name[: -len(path.suffix)] if path.suffix.lower() in VIDEO_SUFFIXES else path.name


def _folders(root: Path, place: str) -> list[Path]:
    return [root] if place == "." else sorted(path for path in root.glob(place) if path.is_dir())


def _videos(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.suffix.lower() in VIDEO_SUFFIXES or (path.is_dir() and _holds_frames(path)):
            yield video_name(path), path


def _holds_frames(folder: Path) -> bool:
    """Look at a few entries: a folder of frames holds little else."""
    with os.scandir(folder) as entries:
        return any(
            Path(entry.name).suffix.lower() in FRAME_SUFFIXES for entry, _ in zip(entries, range(8), strict=False)
        )


def _obtain(source: Source) -> str:
    return f"Get it from {source.url}; expected under that folder: {source.layout}."
