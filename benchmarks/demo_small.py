"""Measure whether the position context helps on small things in made clips, and how far the choice of clips decides.

    python benchmarks/demo_small.py [--clips 180] [--split test] [--backend demo-hf] [--scoring expected] [--root DIR]

Key frame alone against key frame and position context with the demo's weights, over frames whose event is small
(``benchmarks/demo.py``). Clips are drawn anew, with replacement, for an interval of the difference. Writes
``small-SPLIT-SCORING-CLIPS.json`` to ``benchmarks/results`` and a section of RESULTS.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from anyanomaly_demo.command import CONTEXTS, MIXES, SELECTOR
from demo import SMALL, pooled, search, small_frames

sys.path.insert(0, str(Path(__file__).parent / "speed"))
from results import record, table

ALONE, BOTH = "key frame alone", "key + position"
DRAWS = 1000


def measure(given: argparse.Namespace) -> dict[str, Any]:
    """Search the clips once; AUC of both mixes and the interval that holds 90 % of the differences."""
    contexts = {name: CONTEXTS[name] for name in MIXES[BOTH]}
    timelines, labels, _ = search("appearance", given, SELECTOR, contexts)
    alone, both = (small_frames(timelines, labels, MIXES[title]) for title in (ALONE, BOTH))
    videos = sorted(alone)
    rng = np.random.default_rng(0)
    differences = []
    for _ in range(DRAWS):
        drawn = rng.choice(videos, len(videos))
        differences.append(pooled(both[each] for each in drawn) - pooled(alone[each] for each in drawn))
    low, high = np.nanquantile(differences, (0.05, 0.95))
    return {
        "split": given.split,
        "clips": given.clips,
        "score": given.scoring,
        "event frames": int(sum(label.sum() for _, label in alone.values())),
        ALONE: pooled(alone.values()),
        BOTH: pooled(both.values()),
        "difference": pooled(both.values()) - pooled(alone.values()),
        "90 %": [float(low), float(high)],
    }


def section(results: Sequence[Mapping[str, Any]]) -> str:
    """Return this part of RESULTS.md."""
    rows = [
        each
        | {title: f"{each[title]:.3f}" for title in (ALONE, BOTH)}
        | {"difference": f"{each['difference']:+.3f}", "90 %": "{:+.3f} to {:+.3f}".format(*each["90 %"])}
        for each in results
    ]
    return (
        f"Micro AUC over all frames, videos and texts; events at most {SMALL} of 240 pixels high. 90 %: of the "
        f"differences when the clips are drawn anew, with replacement, {DRAWS} times.\n\n{table(rows)}"
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=180)
    parser.add_argument("--split", default="test", choices=["validation", "test", "held-out"])
    parser.add_argument("--backend", default="demo-hf")
    parser.add_argument("--scoring", default="expected", choices=["words", "expected"])
    parser.add_argument("--root", default="")
    given = parser.parse_args()
    found = measure(given)
    print(json.dumps(found, indent=1))
    folder = Path(__file__).parent / "results"
    path = folder / f"small-{given.split}-{given.scoring}-{given.clips}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    held = [json.loads(each.read_text(encoding="utf-8")) for each in sorted(folder.glob("small-*.json"))]
    record("demo-small", "The position context on small things in made clips", section(held))


if __name__ == "__main__":
    main()
