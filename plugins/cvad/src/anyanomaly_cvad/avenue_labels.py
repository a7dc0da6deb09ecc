"""The labels of Avenue that circulate. They differ: https://github.com/StevenLiuWen/ano_pred_cvpr2018/issues/49

==============================  =====================================================================================
file                            content
==============================  =====================================================================================
``1_label.mat`` ... ``21_...``  official: a mask per frame (``volLabel``); a frame with a positive pixel is an anomaly
``01.npy`` ... ``21.npy``       labels per frame, as ShanghaiTech has them
``avenue.mat``                  intervals (``gt``) of Hasan et al. (2016), used by Liu et al. (2018) and after them
``frame_labels_avenue.npy``     the labels per frame that these intervals give, all videos in one array
==============================  =====================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np

from anyanomaly.errors import DatasetError
from anyanomaly_cvad.label_files import read_labels, read_npy
from anyanomaly_cvad.matlab import read_cells
from anyanomaly_cvad.spans import Labels, Spans, parse_labels, parse_spans

FRAME_COUNTS = (
    *(1439, 1211, 923, 947, 1007, 1283, 605, 36, 1175, 841, 472),
    *(1271, 549, 507, 1001, 740, 426, 294, 248, 273, 76),
)
"""Frames of the test videos 01 to 21; needed where all labels are in one array."""

NAMES = tuple(f"{number:02d}" for number in range(1, len(FRAME_COUNTS) + 1))


@dataclass(frozen=True, slots=True)
class LabelSource:
    """One kind of labels of a dataset."""

    kind: str
    place: Path
    readers: Mapping[str, Callable[[], Labels | Spans]]  # by the name of the video; may raise DatasetError


def folder_source(
    kind: str, root: Path, folders: Sequence[str], pattern: str, video_of: Callable[[Path], str]
) -> LabelSource | None:
    """Return the label files, one per video, of the first folder that has any; None: there is none.

    :param folders: globs under ``root``.
    :param video_of: from a label file to the name of its video.
    """
    for glob in folders:
        for folder in [root] if glob == "." else sorted(root.glob(glob)):
            names = {video_of(path): path for path in sorted(folder.glob(pattern))}
            readers = {name: partial(read_labels, path, name) for name, path in names.items() if name}
            if readers:
                return LabelSource(kind, folder, readers)
    return None


def avenue_sources(place: Path) -> Iterator[LabelSource]:
    """Yield the kinds of labels of Avenue at a place, in the order of the table above.

    :param place: a folder, or ``avenue.mat`` or ``frame_labels_avenue.npy`` under any name.
    """
    if place.is_file():
        yield _array_source(place) if place.suffix.lower() == ".npy" else _interval_source(place)
        return
    masks = (
        "ground_truth_demo/testing_label_mask",
        "*/ground_truth_demo/testing_label_mask",
        "testing_label_mask",
        ".",
    )
    if source := folder_source("official masks", place, masks, "*_label.mat", _number_of):
        yield source
    arrays = ("testing/test_frame_mask", "*/testing/test_frame_mask", "test_frame_mask", ".")
    if source := folder_source("labels per frame", place, arrays, "*.npy", _number_of):
        yield source
    for path in _first(place, "avenue.mat"):
        yield _interval_source(path)
    for path in _first(place, "frame_labels_avenue.npy"):
        yield _array_source(path)


def _first(root: Path, name: str) -> list[Path]:
    return next((paths for glob in (name, f"*/{name}") if (paths := sorted(root.glob(glob))[:1])), [])


def _number_of(path: Path) -> str:
    """Return "01" for ``1_label.mat`` and ``01.npy``, the name of ``01.avi``; empty: the file is something else."""
    number = path.stem.removesuffix("_label")
    return number.zfill(2) if number.isdecimal() else ""


def _interval_source(path: Path) -> LabelSource:
    """Return intervals of frames that count from 1, both included: a row of starts and a row of ends per video."""

    @cache
    def load() -> Sequence[Any]:
        cells = read_cells(path, "gt")
        if len(cells) != len(NAMES):
            raise DatasetError(f"{path} has intervals of {len(cells)} videos, but Avenue has {len(NAMES)}.")
        return cells

    def read(index: int) -> Spans:
        where = f"{path}, video {NAMES[index]}"
        intervals = np.asarray(load()[index], np.float64)
        if intervals.size in (0, 2):  # none, or one as a row or a column
            intervals = intervals.reshape(2, -1)
        if intervals.shape[0] != 2:
            raise DatasetError(f"{where}: intervals must be a row of starts and one of ends, not {intervals.shape}.")
        return parse_spans([(first - 1, last) for first, last in intervals.T], "frames", where)

    readers = {name: partial(read, index) for index, name in enumerate(NAMES)}
    return LabelSource("frame intervals of Hasan and Liu et al.", path, readers)


def _array_source(path: Path) -> LabelSource:
    """Return the labels of all videos, one after the other in the order of their names."""

    stops = list(accumulate(FRAME_COUNTS))

    @cache
    def load() -> Labels:
        labels = parse_labels(read_npy(path), str(path))
        if len(labels) != stops[-1]:
            raise DatasetError(f"{path} has {len(labels)} labels, but Avenue's test videos have {stops[-1]}.")
        return labels

    def read(index: int) -> Labels:
        return load()[stops[index] - FRAME_COUNTS[index] : stops[index]]

    readers = {name: partial(read, index) for index, name in enumerate(NAMES)}
    return LabelSource("labels per frame of Hasan and Liu et al.", path, readers)
