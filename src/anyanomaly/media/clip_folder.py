"""The folder of the clips: which files in it are of this or of an earlier run, and which of them go."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from anyanomaly.api.safe_file import write_file
from anyanomaly.errors import OutputError
from anyanomaly.media.clip_record import ClipRecord
from anyanomaly.media.names import safe_stem
from anyanomaly.outside_files import read_bounded
from anyanomaly.outside_text import json_text

_SUFFIXES = (".mp4", ".mkv", ".jpg", ".json")
_NAME = re.compile(r"(?P<stem>\d{4,}_.*_\d\dh\d\dm\d\ds_.*)(?P<suffix>\.mp4|\.mkv|\.jpg|\.json)(?P<partial>\.partial)?")
_MAX_RECORD_BYTES = 2**24
_MAX_VIDEO_CHARACTERS = 16


class ClipFolder:
    """Files of clips, each ``STEM.json`` with its video ``STEM.mp4`` or ``.mkv`` and its image ``STEM.jpg``.

    Which files are clips is known from the JSON files alone, which are written first: whatever else is in the folder
    stays as it is. The folder is locked by the caller.
    """

    def __init__(self, path: Path) -> None:
        """Find the clips of earlier runs, and remove what a killed run has left incomplete.

        :raises OutputError: when the folder cannot be read or written.
        """
        self.path = path
        self._written: set[str] = set()
        self._old: set[str] = set()
        try:
            for file in list(path.iterdir()):
                if not (match := _NAME.fullmatch(file.name)):
                    continue
                if match["partial"]:
                    file.unlink()
                elif match["suffix"] == ".json" and _is_record(file):
                    self._old.add(match["stem"])
        except OSError as error:
            raise OutputError(f"Cannot use the folder {path}: {error.strerror}. Use another one.") from error

    def write_record(self, stem: str, record: ClipRecord) -> None:
        """Write the JSON file of a clip, and remove files of an older clip of this name that it does not mention.

        :raises OutputError: when that fails.
        """
        without = {"event": {"unasked"}} if record.event.unasked is None else None
        fields = record.model_dump(mode="json", exclude=without)
        write_file(self.path / f"{stem}.json", json_text(fields, indent=1) + "\n")
        self._written.add(stem)
        if record.status != "unfinished" and stem in self._old:
            self._remove(stem, {f"{stem}.json", record.clip, record.thumbnail})

    def remove_old(self) -> None:
        """Remove the clips of earlier runs that this one has not written again.

        :raises OutputError: when that fails.
        """
        for stem in sorted(self._old - self._written):
            self._remove(stem, set())

    def _remove(self, stem: str, kept_names: set[str | None]) -> None:
        try:
            for suffix in _SUFFIXES:  # the JSON file last: without it, nobody knows that the others are clips
                if f"{stem}{suffix}" not in kept_names:
                    (self.path / f"{stem}{suffix}").unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(
                f"Cannot remove the old clip {self.path / stem}: {error.strerror}. Use another folder."
            ) from error


def clip_stem(number: int, video: str, start_s: float, text: str) -> str:
    """Return the name of a clip's files without suffix: its number, video, start and event text."""
    seconds = int(max(0.0, start_s))
    time = f"{seconds // 3600:02}h{seconds // 60 % 60:02}m{seconds % 60:02}s"
    name = f"{number:04}_{safe_stem(video)[:_MAX_VIDEO_CHARACTERS]}_{time}_{safe_stem(text)}"
    return safe_stem(name.replace(" ", "-"))


def _is_record(path: Path) -> bool:
    with suppress(OSError, ValidationError):
        ClipRecord.model_validate_json(read_bounded(path, _MAX_RECORD_BYTES))
        return True
    return False
