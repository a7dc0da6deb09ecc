"""Measure whether the position context helps on small things in made clips, and how far the choice of clips decides.

    python benchmarks/demo_small.py [--clips 180] [--split test] [--backend demo-hf] [--scoring expected] [--root DIR]

Key frame alone against key frame and position context with the demo's weights, over frames whose event is small
(``benchmarks/demo.py``). Writes ``small-SPLIT-SCORING-CLIPS.json`` to ``benchmarks/results`` and a section of
RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from anyanomaly_demo.measure import SMALL_HEIGHT
from anyanomaly_demo.search_settings import CONTEXTS, MIXES, SELECTOR
from demo import arguments, keep, search, small_frames

from anyanomaly.metrics.resampling import LEVEL, N_RESAMPLES, PairCounts, compare_paired, resample_videos

sys.path.insert(0, str(Path(__file__).parent / "speed"))
from results import record, table

ALONE, BOTH = "key frame alone", "key + position"


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Search the clips once; AUC of both mixes, and how sure their difference is."""
    contexts = {name: CONTEXTS[name] for name in MIXES[BOTH]}
    timelines, labels, _ = search("appearance", given, SELECTOR, contexts)
    frames = {title: small_frames(timelines, labels, MIXES[title]).values() for title in (ALONE, BOTH)}
    counts = {title: PairCounts(*zip(*each, strict=True)) for title, each in frames.items()}
    found = compare_paired([counts[BOTH]], [counts[ALONE]], [resample_videos(len(frames[ALONE]), seed=0)])
    return {
        "split": given.split,
        "clips": given.clips,
        "score": given.scoring,
        "event frames": int(counts[ALONE].n_positives.sum()),
        **{title: each.auc for title, each in counts.items()},
        "difference": found.difference,
        "interval": found.interval,
        "p": found.p,
    }


def section(results: Sequence[Mapping[str, Any]]) -> str:
    """Return this part of RESULTS.md."""
    rows = [
        each
        | {title: f"{each[title]:.3f}" for title in (ALONE, BOTH)}
        | {"difference": f"{each['difference']:+.3f}", "p": f"{each['p']:.3f}"}
        | {"interval": "{:+.3f} to {:+.3f}".format(*each["interval"]) if each["interval"] else ""}
        for each in results
    ]
    return (
        f"Micro AUC over all frames, videos and texts; events at most {SMALL_HEIGHT} of 240 pixels high. Interval: of "
        f"{LEVEL:.0%} of the differences when the clips are drawn anew, with replacement, {N_RESAMPLES} times; p: how "
        f"often, at worst, draws say otherwise, of both sides.\n\n{table(rows)}"
    )


def main() -> None:
    """Measure, print, write."""
    given = arguments(__doc__, 180).parse_args()
    found = measure(given)
    print(json.dumps(found, indent=1))
    record("demo-small", "The position context on small things in made clips", section(keep("small", given, found)))


if __name__ == "__main__":
    main()
