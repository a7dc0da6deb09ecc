"""Measure the demo's tiny models on made clips that no training saw: AUC per mix of contexts, per class, per question.

    python benchmarks/demo.py [--clips 40] [--split test] [--backend demo-hf] [--scoring expected] [--selectors]
                              [--root DIR]

Nothing is tuned on these labels: the weights are the demo's own. Writes ``demo-SPLIT-SCORING-CLIPS.json`` to
``benchmarks/results`` and, of all that are there, the demo's part of RESULTS.md. "small" counts as positive only frames
whose event is at most 36 of 240 pixels high, and leaves out frames with a larger one of its class.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
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
from results import record, table

PUBLISHED = {"key": 0.6, "position": 0.3, "temporal": 0.1}
COMPARED = ("one window", "key frames by whole frames alone", "uniform key frames alone", "uniform, all three")
WHOLE, UNIFORM = {"name": "top-then-group"}, {"name": "uniform"}


def search(
    flavour: str, given: argparse.Namespace, selector: Mapping[str, Any], contexts: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Any], Labels, float]:
    """Run the method over the clips of a flavour: timelines, labels and seconds."""
    options = DemoDatasetOptions(flavour=flavour, split=given.split, n_videos=given.clips, root=given.root)
    with DemoDataset(options) as dataset:
        videos = list(dataset.videos())
    labels = {(video.id, text): video.labels[text] for video in videos for text in video.texts}
    tables: dict[str, Any] = {
        "encoder": "demo-clip",
        "backend": given.backend,
        "selector": selector,
        "contexts": list(contexts),
        "context": contexts,
        "run": {"scoring": given.scoring, "store": False},
    }
    began = time.perf_counter()
    outcomes = anyanomaly.run([video.uri for video in videos], CLASSES[flavour], **tables)
    timelines = [outcome for outcome in outcomes if isinstance(outcome, anyanomaly.Timeline)]
    return timelines, labels, time.perf_counter() - began


def chosen(weights: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return the weights of some contexts."""
    return {name: weights[name] for name in names}


def small_frames(timelines: Sequence[Any], labels: Labels, names: Sequence[str]) -> dict[str, tuple[Any, Any]]:
    """Return per video the scores of some contexts and the labels, without frames whose event is not small."""
    found: dict[str, list[tuple[Any, Any]]] = {}
    for timeline in timelines:
        scene = scene_of(timeline.video.id)
        series, label = fuse_contexts(timeline, chosen(WEIGHTS, names)), labels[timeline.video.id, timeline.text]
        high = np.zeros(len(series))
        for at in np.flatnonzero(label):
            high[at] = max(b.box[3] - b.box[1] for b in scene.boxes(int(at)) if b.event == timeline.text)
        kept = high <= SMALL_HEIGHT
        found.setdefault(timeline.video.id, []).append((series[kept], label[: len(series)][kept]))
    return {video: tuple(map(np.concatenate, zip(*parts, strict=True))) for video, parts in found.items()}


@cache
def scene_of(video: str) -> Scene:
    """Return what a clip shows, by its name."""
    flavour, seed = video.rsplit("_", 1)
    return make_scene(int(seed), flavour=flavour, style="held-out" if int(seed) >= 3_000_000 else "standard")


def pooled(frames: Iterable[tuple[Any, Any]]) -> float:
    """Return the AUC over the frames of all videos."""
    scores, truth = map(np.concatenate, zip(*frames, strict=True))
    return roc_auc(scores, truth)


def calibration(timelines: Sequence[Any], labels: Labels) -> list[tuple[float, int, float]]:
    """Return, per tenth of the score of a context's answer: mean score, answers in frames, share of event frames."""
    scores = np.concatenate([series for t in timelines for series in t.contexts.values()])
    truth = np.concatenate([labels[t.video.id, t.text][: len(s)] for t in timelines for s in t.contexts.values()])
    tenth = np.clip(np.round(scores * 10), 0, 10)
    tenths = [tenth == k for k in range(11)]
    return [(float(scores[m].mean()), int(m.sum()), float(truth[m].mean())) for m in tenths if m.any()]


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Measure both flavours."""
    found: dict[str, Any] = {"split": given.split, "clips": given.clips, "backend": given.backend,
                             "scoring": given.scoring, "weights": WEIGHTS, "flavours": {}}  # fmt: skip
    for flavour in CLASSES:
        timelines, labels, seconds = search(flavour, given, SELECTOR, CONTEXTS)
        answers = np.concatenate([s for t in timelines for s in t.contexts.values()])
        n_frames = sum(len(t.times_s) for t in timelines) // len(CLASSES[flavour])
        row: dict[str, Any] = {
            "auc": {title: auc(timelines, labels, chosen(WEIGHTS, names)) for title, names in MIXES.items()},
            "auc, published weights": auc(timelines, labels, PUBLISHED),
            "per class": {
                title: auc_per_text(timelines, labels, chosen(WEIGHTS, names)) for title, names in MIXES.items()
            },
            "unreadable": float(np.isnan(answers).mean()),
            "calibration": calibration(timelines, labels),
            "frames": n_frames,
            "seconds": seconds,
        }
        if flavour == "appearance":
            row["small"] = {
                title: pooled(small_frames(timelines, labels, names).values()) for title, names in MIXES.items()
            }
        if given.selectors:
            one_window = CONTEXTS | {"temporal": {"windows": 1}}
            uniform, whole, published = (
                search(flavour, given, selector, contexts)[0]
                for selector, contexts in ((UNIFORM, CONTEXTS), (WHOLE, {"key": {}}), (SELECTOR, one_window))
            )
            row |= {
                "one window": auc(published, labels, WEIGHTS),
                "uniform key frames alone": auc(uniform, labels, {"key": 1.0}),
                "uniform, all three": auc(uniform, labels, WEIGHTS),
                "key frames by whole frames alone": auc(whole, labels, {"key": 1.0}),
            }
        found["flavours"][flavour] = row
        print(json.dumps({flavour: row}, indent=1), flush=True)
    return found


def section(results: Sequence[Mapping[str, Any]]) -> str:
    """Return the demo's part of RESULTS.md."""
    rows, classes = [], []
    for each in results:
        for flavour, row in each["flavours"].items():
            about = {"split": each["split"], "clips": each["clips"], "score": each["scoring"], "events": flavour}
            small = {f"small, {title}": f"{value:.3f}" for title, value in row.get("small", {}).items()}
            compared = {title: row.get(title) for title in COMPARED}
            rows.append(
                about
                | {title: f"{value:.3f}" for title, value in row["auc"].items()}
                | {"paper's weights": f"{row['auc, published weights']:.3f}"}
                | {title: f"{value:.3f}" if value else "" for title, value in compared.items()}
                | {"unreadable": f"{row['unreadable']:.2%}"}
            )
            mine = [about | {"mix": title} | {k: f"{v:.2f}" for k, v in per.items()} for title, per in
                    row["per class"].items()]  # fmt: skip
            classes += [table(mine)] + ([table([about | small])] if small else [])
            classes.append(table([about | {f"{mean:.2f}": f"{share:.2f} of {n}" for mean, n, share in
                                           row["calibration"]}]))  # fmt: skip
    weights, windows, sizes = results[0]["weights"], CONTEXTS["temporal"]["windows"], SELECTOR["windows"]
    dimmest = CONTEXTS["position"]["min_brightness"]
    return (
        f"Micro AUC over all frames, videos and texts; weights {weights}, a position context without softmax keeping "
        f"{dimmest} of the brightness, {windows} windows in the temporal context (but one in the column that says so), "
        f"key frames by windows of {sizes} of 240 pixels, smoothed over {SMOOTH_S} s, the same everywhere. Clips are "
        f"counted per kind of events.\n\n{table(rows)}\n"
        "Per class; small appearance events (at most 36 of 240 pixels high); and, under each score that a context's "
        "answer gave, the share of its frames that show the event.\n\n" + "\n".join(classes)
    )


def arguments(description: str | None, clips: int) -> argparse.ArgumentParser:
    """Return what says which clips are measured, and how."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=clips)
    parser.add_argument("--split", default="test", choices=["validation", "test", "held-out"])
    parser.add_argument("--backend", default="demo-hf")
    parser.add_argument("--scoring", default="expected", choices=["words", "expected"])
    parser.add_argument("--root", default="")
    return parser


def keep(kind: str, given: argparse.Namespace, found: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Write what was found to a file of its own; return all of its kind that are there."""
    folder = Path(__file__).parent / "results"
    path = folder / f"{kind}-{given.split}-{given.scoring}-{given.clips}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written: {path}")
    return [json.loads(each.read_text(encoding="utf-8")) for each in sorted(folder.glob(f"{kind}-*.json"))]


def main() -> None:
    """Measure, print, write."""
    parser = arguments(__doc__, 40)
    parser.add_argument(
        "--selectors", action="store_true", help="compare with key frames chosen evenly, and with one window"
    )
    given = parser.parse_args()
    held = keep("demo", given, measure(given))
    record("demo", "The demo's tiny models on made clips that no training saw", section(held))


if __name__ == "__main__":
    main()
