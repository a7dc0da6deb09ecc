"""Write scenes as videos or folders of images, with labels (in the layout of C-VAD and as JSON) and a manifest.

::

    ROOT/videos/NAME.mp4                    or ROOT/frames/NAME/00000.jpg ...
    ROOT/scenes/NAME.json                   the record of one clip; written last, so a clip that has it is complete
    ROOT/labels/demo_hand_truck_label.h5    per class: a key per clip, int8 (n_frames,) of 0 and 1
    ROOT/labels.json                        the same: class, clip, list of 0 and 1
    ROOT/manifest.json                      every clip: seed, style, size, fps, frames, events
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from anyanomaly.builtin.opencv import opencv_path
from anyanomaly.errors import OutputError
from anyanomaly_demo.scenes import FPS, SIZE, VERSION, Scene

JPEG_QUALITY = 85


def write_video(scene: Scene, path: Path) -> None:
    """Write a scene as an mp4 file (MPEG-4 part 2). The file appears only when it is complete.

    :raises OutputError: when it cannot be written.
    """
    partial = path.with_name(f"{path.stem}.{os.getpid()}.partial{path.suffix}")  # another process may write this clip
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(opencv_path(partial), cv2.VideoWriter.fourcc(*"mp4v"), FPS, SIZE)
    if not writer.isOpened():
        raise OutputError(
            f"Cannot write {path}: check that OpenCV has an mp4v encoder and that the folder is writable."
        )
    try:
        for index in range(scene.n_frames):
            writer.write(cv2.cvtColor(scene.frame(index), cv2.COLOR_RGB2BGR))
    finally:
        writer.release()
    partial.replace(path)


def write_frames(scene: Scene, folder: Path, quality: int = JPEG_QUALITY) -> None:
    """Write a scene as ``folder/00000.jpg``, ``00001.jpg`` and so on.

    :raises OutputError: when it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(scene.n_frames):
        picture = cv2.cvtColor(scene.frame(index), cv2.COLOR_RGB2BGR)
        path = folder / f"{index:05d}.jpg"
        if not cv2.imwrite(opencv_path(path), picture, [cv2.IMWRITE_JPEG_QUALITY, quality]):
            raise OutputError(f"Cannot write {path}: check that the disk has room and that the folder is writable.")


def describe(scene: Scene, name: str, texts: Sequence[str], *, boxes: bool = False) -> dict[str, Any]:
    """Return the record of a clip, ready for JSON: seed, style, size, events, the labels of ``texts``.

    :param boxes: whether to add the boxes of every frame.
    """
    record: dict[str, Any] = {
        "name": name,
        "version": VERSION,
        "seed": scene.seed,
        "style": scene.style.name,
        "size": list(SIZE),
        "fps": FPS,
        "n_frames": scene.n_frames,
        "events": [{"name": event.name, "start": event.start, "stop": event.stop} for event in scene.events],
        "labels": {text: scene.labels(text).astype(int).tolist() for text in texts},
    }
    if boxes:
        record["boxes"] = [
            [
                {"name": box.name, "actor": box.actor, "box": list(box.box), "visible": box.visible, "event": box.event}
                for box in scene.boxes(index)
            ]
            for index in range(scene.n_frames)
        ]
    return record


def write_labels(root: Path, clips: Iterable[Mapping[str, Any]]) -> None:
    """Write the labels of ``clips``, records of ``describe``, as HDF5 and JSON, and the manifest."""
    h5py: Any = import_module("h5py")  # the import takes half a second, and is needed only to write clips
    records = sorted(clips, key=lambda clip: str(clip["name"]))
    texts = sorted({text for clip in records for text in clip["labels"]})
    folder = root / "labels"
    folder.mkdir(parents=True, exist_ok=True)
    for text in texts:
        path = folder / f"demo_{text.replace(' ', '_')}_label.h5"
        partial = path.with_suffix(f".{os.getpid()}.partial")
        with h5py.File(partial, "w") as file:
            for clip in records:
                if text in clip["labels"]:
                    file.create_dataset(clip["name"], data=np.array(clip["labels"][text], np.int8))
        partial.replace(path)
    write_json(
        root / "labels.json",
        {text: {clip["name"]: clip["labels"][text] for clip in records if text in clip["labels"]} for text in texts},
    )
    write_json(
        root / "manifest.json",
        {
            "version": VERSION,
            "clips": [
                {key: value for key, value in clip.items() if key not in ("labels", "boxes")} for clip in records
            ],
        },
    )


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as JSON. The file appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)
