"""The dataset of synthetic clips: draws and writes the missing ones, then yields all with their labels."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from platformdirs import user_cache_path

from anyanomaly.api import Dataset
from anyanomaly.errors import DatasetError
from anyanomaly.types import LabelledVideo
from anyanomaly_demo.clip_files import describe, write_frames, write_json, write_labels, write_video
from anyanomaly_demo.options import DemoDatasetOptions
from anyanomaly_demo.scenes import CLASSES, SPLITS, VERSION, make_scene


class DemoDataset(Dataset[DemoDatasetOptions]):
    """Clips of one flavour and split. A clip takes about half a second to write, once, and 0.4 MB."""

    @property
    def folder(self) -> Path:
        """Folder of the clips of this flavour and split."""
        options = self.options
        cache = Path(os.environ.get("ANYANOMALY_CACHE_DIR") or user_cache_path("anyanomaly"))
        root = Path(options.root) if options.root else cache / "demo"
        return root / f"v{VERSION}-{options.split}-{options.flavour}"

    def videos(self) -> Iterator[LabelledVideo]:
        """Yield the clips, each written before it is yielded; write the label files after the last one.

        :raises DatasetError: when the folder holds unreadable clips or those of another version.
        :raises OutputError: when a clip cannot be written.
        """
        clips = []
        for number in range(self.options.n_videos):
            clip = self._load_or_write_clip(number)
            clips.append(clip)
            labels = {text: np.array(values, np.bool_) for text, values in clip["labels"].items()}
            for values in labels.values():
                values.flags.writeable = False
            yield LabelledVideo(str(self._path(clip["name"])), clip["name"], CLASSES[self.options.flavour], labels)
        manifest = self.folder / "manifest.json"
        if not manifest.exists() or len(json.loads(manifest.read_text(encoding="utf-8"))["clips"]) < len(clips):
            write_labels(self.folder, clips)

    def _path(self, name: str) -> Path:
        if self.options.form == "video":
            return self.folder / "videos" / f"{name}.mp4"
        return self.folder / "frames" / name

    def _load_or_write_clip(self, number: int) -> dict[str, Any]:
        """Return the record of a clip (see ``describe``), after drawing and writing it where it is missing."""
        options = self.options
        first, style = SPLITS[options.split]
        seed = first + number
        name = f"{options.flavour}_{seed:07d}"
        path, record_path = self._path(name), self.folder / "scenes" / f"{name}.json"
        as_frames = options.form == "frames"
        if record_path.exists() and path.exists() and (not as_frames or (path / ".complete").exists()):
            return self._read_record(record_path)
        scene = make_scene(seed, flavour=options.flavour, style=style)
        if as_frames:
            write_frames(scene, path)
            (path / ".complete").touch()
        else:
            write_video(scene, path)
        record = describe(scene, name, CLASSES[options.flavour])
        write_json(record_path, record)
        return record

    @staticmethod
    def _read_record(path: Path) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if record["version"] == VERSION and {len(v) for v in record["labels"].values()} == {record["n_frames"]}:
                return record
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetError(f"Cannot read {path}. Delete it, and the demo writes the clip again.") from error
        raise DatasetError(
            f"Another version of the demo wrote {path}. Delete its folder, and the demo writes the clips again."
        )
