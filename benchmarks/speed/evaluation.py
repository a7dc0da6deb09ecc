"""Time the evaluation protocols, and measure what AUC they give to noise, on the published C-VAD labels.

    python benchmarks/speed/evaluation.py LABELS [--seeds 20] [--record]

LABELS: the folder that holds ``c-avenue_labels`` and ``c-shtech_labels``. The scores are random tenths, one per
context and segment of 24 frames, independent of the labels. First all protocols run over all single C-ShanghaiTech
classes, with intervals and null distributions, and are timed; then the mean AUC of each protocol on C-Avenue is taken
over seeds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import h5py
import numpy as np
from results import add_record_options, record, table

from anyanomaly.core.events import EventRule
from anyanomaly.evaluation.measurement import protocol_results
from anyanomaly.metrics.estimates import estimate_classes, mean_auc, null_auc
from anyanomaly.metrics.protocols import PROTOCOLS
from anyanomaly.metrics.resampling import Interval
from anyanomaly.metrics.values import ClassScores, Mix, VideoScores

LENGTH = 24
CONTEXTS = ("key", "position", "temporal")
PAPER = Mix((0.6, 0.3, 0.1), 15)


def noise(path: Path, seed: int) -> ClassScores:
    """Return random scores for the videos of a label file."""
    rng = np.random.default_rng(seed)
    videos = []
    with h5py.File(path) as file:
        for name in sorted(file):
            labels = np.asarray(file[name]).ravel().astype(np.bool_)
            labels = labels[: len(labels) // LENGTH * LENGTH]
            scores = np.round(np.clip(rng.normal(0.2, 0.25, (3, len(labels) // LENGTH)), 0, 1), 1)
            videos.append(VideoScores(name, 24.0, labels, np.repeat(scores, LENGTH, axis=1)))
    return ClassScores(path.stem.removesuffix("_label").partition("_")[2], CONTEXTS, tuple(videos))


def cost(folder: Path) -> list[dict[str, str]]:
    """Time each protocol over all single classes of C-ShanghaiTech."""
    rows = []
    total_wall = total_cpu = 0.0
    classes = [noise(path, at) for at, path in enumerate(sorted(folder.glob("shtech_*_label.h5")))]
    n_frames = sum(map(len, classes[0].labels))
    for protocols in (("fixed",), ("cross-class", "cross-video"), ("paper",), ("paper-oracle",)):
        wall, cpu = time.perf_counter(), time.process_time()
        protocol_results(estimate_classes(classes, PAPER, EventRule(), protocols))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        total_wall, total_cpu = total_wall + wall, total_cpu + cpu
        rows.append({"protocol": ", ".join(protocols), "wall s": f"{wall:.1f}", "CPU s": f"{cpu:.1f}"})
        print(rows[-1], flush=True)
    rows.append({"protocol": "all", "wall s": f"{total_wall:.1f}", "CPU s": f"{total_cpu:.1f}"})
    print(f"{len(classes)} classes, {len(classes[0].videos)} videos, {n_frames} frames: {rows[-1]}", flush=True)
    return rows


def chance(folder: Path, n_seeds: int) -> list[dict[str, str]]:
    """Return a row per protocol: AUC of noise, independent per class and seed, on the single classes of C-Avenue."""
    means: dict[str, list[float]] = {name: [] for name in PROTOCOLS}
    null_aucs: dict[str, list[float]] = {name: [] for name in PROTOCOLS}
    mean_covers: dict[str, list[bool]] = {name: [] for name in PROTOCOLS}  # whether the interval contains 0.5
    class_covers: dict[str, list[bool]] = {name: [] for name in PROTOCOLS}
    highest: dict[str, float] = dict.fromkeys(PROTOCOLS, 0.0)
    for seed in range(n_seeds):
        paths = sorted(folder.glob("avenue_*_label.h5"))
        classes = [noise(path, 100 * seed + at) for at, path in enumerate(paths)]
        report = estimate_classes(classes, PAPER, EventRule(), PROTOCOLS, seed)
        for name, class_results in report.protocols.items():
            value, bounds = mean_auc(class_results)
            means[name].append(value)
            null_aucs[name].append(null_auc(class_results)[0])
            mean_covers[name].append(_covers_chance(bounds))
            class_covers[name] += [_covers_chance(result.interval) for result in class_results]
            highest[name] = max(highest[name], *(result.measurement.auc for result in class_results))
        print(seed, {name: round(float(np.mean(aucs)), 3) for name, aucs in means.items()}, flush=True)
    return [
        {
            "protocol": name,
            "mean AUC": f"{np.mean(means[name]):.3f} ± {np.std(means[name], ddof=1) / n_seeds**0.5:.3f}",
            "highest of a class": f"{highest[name]:.3f}",
            "floor": f"{np.mean(null_aucs[name]):.3f}",
            "intervals of means that hold 0.5": f"{sum(mean_covers[name])} of {n_seeds}",
            "of classes": f"{sum(class_covers[name])} of {len(class_covers[name])}",
        }
        for name in PROTOCOLS
    ]


def _covers_chance(bounds: Interval | None) -> bool:
    return bounds is not None and bounds[0] <= 0.5 <= bounds[1]


def main() -> None:
    """Measure, print, record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    add_record_options(parser)
    arguments = parser.parse_args()
    costs = table(cost(arguments.labels / "c-shtech_labels"))
    aucs = table(chance(arguments.labels / "c-avenue_labels", arguments.seeds))
    print(costs, aucs, sep="\n")
    if arguments.record:
        text = (
            f"Random scores, independent of the published C-VAD labels.\n\n"
            f"C-ShanghaiTech, all single classes, with intervals and floors, on one core:\n\n{costs}\n"
            f"C-Avenue, mean over its single classes (± standard error over {arguments.seeds} seeds):\n\n{aucs}"
        )
        record("evaluation", "Protocols: what they cost, and what they make of noise", text, arguments.results)


if __name__ == "__main__":
    main()
