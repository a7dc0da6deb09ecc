"""Measure the demo's tiny models on synthetic clips outside the training set: AUC per mix of contexts and class.

    python benchmarks/demo.py [--clips 40] [--split test] [--backend demo-hf] [--scoring expected] [--selectors]
                              [--root DIR] [--out DIR]

Nothing is tuned on these labels: the weights are the demo's own. Writes ``demo-SPLIT-SCORING-CLIPS.json`` to
``benchmarks/results``, and the demo's part of RESULTS.md from all such files there; with ``--out`` only the JSON file,
to another folder. The AUC of small events takes as positive only frames whose event is at most 36 of 240 pixels high,
and leaves out frames with a larger event of the class. Smallest size: ``--clips 1 --out DIR``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from anyanomaly_demo.dataset import DemoDataset
from anyanomaly_demo.measure import SMALL_HEIGHT, Labels, auc, auc_per_text, fuse_contexts
from anyanomaly_demo.options import DemoDatasetOptions
from anyanomaly_demo.scenes import CLASSES, Scene, make_scene
from anyanomaly_demo.search_settings import CONTEXTS, MIXES, SELECTOR, SMOOTH_S, WEIGHTS

import anyanomaly
from anyanomaly.metrics.frame_metrics import roc_auc

sys.path.insert(0, str(Path(__file__).parent / "speed"))
from results import origin, record, table

PUBLISHED_WEIGHTS = {"key": 0.6, "position": 0.3, "temporal": 0.1}
SELECTOR_COLUMNS = ("one window", "key frames by whole frames alone", "uniform key frames alone", "uniform, all three")
WHOLE_FRAMES, UNIFORM = {"name": "top-then-group"}, {"name": "uniform"}


def search(
    flavour: str, arguments: argparse.Namespace, selector: Mapping[str, Any], contexts: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Any], Labels, float]:
    """Run the method over the clips of a flavour; return timelines, labels and seconds."""
    options = DemoDatasetOptions(flavour=flavour, split=arguments.split, n_videos=arguments.clips, root=arguments.root)
    with DemoDataset(options) as dataset:
        videos = list(dataset.videos())
    labels = {(video.id, text): video.labels[text] for video in videos for text in video.texts}
    tables: dict[str, Any] = {
        "encoder": "demo-clip",
        "backend": arguments.backend,
        "selector": selector,
        "contexts": list(contexts),
        "context": contexts,
        "run": {"scoring": arguments.scoring, "store": False},
    }
    start = time.perf_counter()
    outcomes = anyanomaly.run([video.uri for video in videos], CLASSES[flavour], **tables)
    timelines = anyanomaly.join_timelines(outcomes)
    return timelines, labels, time.perf_counter() - start


def select_weights(weights: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return the weights of the contexts ``names``."""
    return {name: weights[name] for name in names}


def small_frames(timelines: Sequence[Any], labels: Labels, names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Return, per video, the fused scores of the contexts ``names`` and the labels, without frames of larger events."""
    frames: dict[str, list[tuple[Any, Any]]] = {}
    for timeline in timelines:
        scene = scene_of(timeline.video.id)
        series = fuse_contexts(timeline, select_weights(WEIGHTS, names))
        label = labels[timeline.video.id, timeline.text]
        height = np.zeros(len(series))
        for index in np.flatnonzero(label):
            height[index] = max(b.box[3] - b.box[1] for b in scene.boxes(int(index)) if b.event == timeline.text)
        is_small = height <= SMALL_HEIGHT
        frames.setdefault(timeline.video.id, []).append((series[is_small], label[: len(series)][is_small]))
    return {video: tuple(map(np.concatenate, zip(*parts, strict=True))) for video, parts in frames.items()}


@cache
def scene_of(video: str) -> Scene:
    """Return the scene of a clip by the clip's name."""
    flavour, seed = video.rsplit("_", 1)
    return make_scene(int(seed), flavour=flavour, style="held-out" if int(seed) >= 3_000_000 else "standard")


def pooled_auc(frames: Iterable[tuple[Any, Any]]) -> float:
    """Return the AUC over the frames of all videos, from scores and labels of each."""
    scores, truth = map(np.concatenate, zip(*frames, strict=True))
    return roc_auc(scores, truth)


def calibration(timelines: Sequence[Any], labels: Labels) -> list[tuple[float, int, float]]:
    """Return, for each tenth of an answer's score: mean score, number of frames, fraction of event frames."""
    scores = np.concatenate([series for t in timelines for series in t.contexts.values()])
    truth = np.concatenate([labels[t.video.id, t.text][: len(s)] for t in timelines for s in t.contexts.values()])
    tenth = np.clip(np.round(scores * 10), 0, 10)
    masks = [tenth == k for k in range(11)]
    return [(float(scores[mask].mean()), int(mask.sum()), float(truth[mask].mean())) for mask in masks if mask.any()]


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure both flavours and return the content of the JSON file."""
    result: dict[str, Any] = {"split": arguments.split, "clips": arguments.clips, "backend": arguments.backend,
                              "scoring": arguments.scoring, "weights": WEIGHTS, "flavours": {}}  # fmt: skip
    mixes = {title: select_weights(WEIGHTS, names) for title, names in MIXES.items()}
    for flavour in CLASSES:
        timelines, labels, seconds = search(flavour, arguments, SELECTOR, CONTEXTS)
        answers = np.concatenate([s for t in timelines for s in t.contexts.values()])
        n_frames = sum(len(t.times_s) for t in timelines) // len(CLASSES[flavour])
        row: dict[str, Any] = {
            "auc": {title: auc(timelines, labels, weights) for title, weights in mixes.items()},
            "auc, published weights": auc(timelines, labels, PUBLISHED_WEIGHTS),
            "per class": {title: auc_per_text(timelines, labels, weights) for title, weights in mixes.items()},
            "unreadable": float(np.isnan(answers).mean()),
            "calibration": calibration(timelines, labels),
            "frames": n_frames,
            "seconds": seconds,
        }
        if flavour == "appearance":
            row["small"] = {
                title: pooled_auc(small_frames(timelines, labels, names).values()) for title, names in MIXES.items()
            }
        if arguments.selectors:
            row |= compare_selectors(flavour, arguments, labels)
        result["flavours"][flavour] = row
        print(json.dumps({flavour: row}, indent=1), flush=True)
    return result


def compare_selectors(flavour: str, arguments: argparse.Namespace, labels: Labels) -> dict[str, float]:
    """Return the AUC with one window, with evenly spaced key frames, and with key frames by whole frames."""
    one_window = CONTEXTS | {"temporal": {"windows": 1}}
    uniform, whole_frames, published = (
        search(flavour, arguments, selector, contexts)[0]
        for selector, contexts in ((UNIFORM, CONTEXTS), (WHOLE_FRAMES, {"key": {}}), (SELECTOR, one_window))
    )
    return {
        "one window": auc(published, labels, WEIGHTS),
        "uniform key frames alone": auc(uniform, labels, {"key": 1.0}),
        "uniform, all three": auc(uniform, labels, WEIGHTS),
        "key frames by whole frames alone": auc(whole_frames, labels, {"key": 1.0}),
    }


def section(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the demo's part of RESULTS.md."""
    rows, class_tables = [], []
    for result in results:
        for flavour, row in result["flavours"].items():
            run = {"split": result["split"], "clips": result["clips"], "score": result["scoring"], "events": flavour}
            selectors = {title: row.get(title) for title in SELECTOR_COLUMNS}
            rows.append(
                run
                | {title: f"{value:.3f}" for title, value in row["auc"].items()}
                | {"paper's weights": f"{row['auc, published weights']:.3f}"}
                | {title: f"{value:.3f}" if value else "" for title, value in selectors.items()}
                | {"unreadable": f"{row['unreadable']:.2%}"}
            )
            class_tables.append(
                table(
                    [
                        run | {"mix": title} | {text: f"{value:.2f}" for text, value in per_text.items()}
                        for title, per_text in row["per class"].items()
                    ]
                )
            )
            if "small" in row:
                class_tables.append(
                    table([run | {f"small, {title}": f"{value:.3f}" for title, value in row["small"].items()}])
                )
            tenths = {f"{mean:.2f}": f"{fraction:.2f} of {n}" for mean, n, fraction in row["calibration"]}
            class_tables.append(table([run | tenths]))
    weights, windows, sizes = results[0]["weights"], CONTEXTS["temporal"]["windows"], SELECTOR["windows"]
    min_brightness = CONTEXTS["position"]["min_brightness"]
    return (
        f"Micro AUC over the frames of all videos and texts. All rows have the same settings: weights {weights}; a "
        f"position context without softmax, with a minimum brightness of {min_brightness}; {windows} windows in the "
        f'temporal context (except in the column "one window"); key frames by windows of {sizes} of 240 pixels; '
        f"smoothing over {SMOOTH_S} s. The number of clips is that of each kind of events.\n\n{table(rows)}\n"
        f"Per class; for small appearance events (at most {SMALL_HEIGHT} of 240 pixels high); and, for each score that "
        "the answers gave to a context, the fraction of its frames that show the event, with their number.\n\n"
        + "\n".join(class_tables)
    )


def make_parser(description: str | None, clips: int) -> argparse.ArgumentParser:
    """Return a parser of the options that both benchmarks of the demo have; ``clips`` is the default number."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=clips, help="number of clips of each flavour")
    parser.add_argument("--split", default="test", choices=["validation", "test", "held-out"])
    parser.add_argument("--backend", default="demo-hf")
    parser.add_argument("--scoring", default="expected", choices=["words", "expected"])
    parser.add_argument("--root", default="", help="folder of the clips; default: the user's cache")
    parser.add_argument("--out", type=Path, help="folder of the JSON file; then RESULTS.md is not written")
    return parser


def write_result(
    prefix: str,
    arguments: argparse.Namespace,
    result: Mapping[str, Any],
    write_section: Callable[[list[dict[str, Any]]], None],
) -> None:
    """Write ``result`` as a JSON file; without ``--out`` also call ``write_section`` with all results of the prefix."""
    folder = arguments.out or Path(__file__).parent / "results"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{prefix}-{arguments.split}-{arguments.scoring}-{arguments.clips}.json"
    path.write_text(json.dumps({**result, **origin()}, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {path}")
    if not arguments.out:
        paths = sorted(folder.glob(f"{prefix}-*.json"))
        write_section([json.loads(path.read_text(encoding="utf-8")) for path in paths])


def main() -> None:
    """Run the benchmark."""
    parser = make_parser(__doc__, 40)
    parser.add_argument(
        "--selectors", action="store_true", help="also measure other key frame selectors and a single window"
    )
    arguments = parser.parse_args()
    title = "The demo's tiny models on synthetic clips outside the training set"
    write_result(
        "demo", arguments, measure(arguments), lambda results: record("demo", title, section(results), origins=results)
    )


if __name__ == "__main__":
    main()
