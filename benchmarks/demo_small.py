"""Measure whether the position context helps on small things in the demo's clips, with an interval for the difference.

    python benchmarks/demo_small.py [--clips 180] [--split test] [--backend demo-hf] [--scoring expected] [--root DIR]
                                    [--out DIR]

Compares the key frame alone with key frame and position context, with the demo's weights, over frames whose event is
small (see ``benchmarks/demo.py``). Writes ``small-SPLIT-SCORING-CLIPS.json`` to ``benchmarks/results``, and a section
of RESULTS.md from all such files there; with ``--out`` only the JSON file, to another folder. Smallest size:
``--clips 1 --out DIR``.
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
from demo import make_parser, search, small_frames, write_result

from anyanomaly.metrics.resampling import LEVEL, N_RESAMPLES, PairCounts, compare_paired, resample_videos

sys.path.insert(0, str(Path(__file__).parent / "speed"))
from results import record, table

KEY_ALONE, KEY_AND_POSITION = "key frame alone", "key + position"


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Search the clips once; return the AUC of both mixes and the interval of their difference."""
    contexts = {name: CONTEXTS[name] for name in MIXES[KEY_AND_POSITION]}
    timelines, labels, _ = search("appearance", arguments, SELECTOR, contexts)
    frames = {title: small_frames(timelines, labels, MIXES[title]).values() for title in (KEY_ALONE, KEY_AND_POSITION)}
    counts = {title: PairCounts(*zip(*videos, strict=True)) for title, videos in frames.items()}
    comparison = compare_paired(
        [counts[KEY_AND_POSITION]], [counts[KEY_ALONE]], [resample_videos(len(frames[KEY_ALONE]), seed=0)]
    )
    return {
        "split": arguments.split,
        "clips": arguments.clips,
        "score": arguments.scoring,
        "event frames": int(counts[KEY_ALONE].n_positives.sum()),
        **{title: pair_counts.auc for title, pair_counts in counts.items()},
        "difference": comparison.difference,
        "interval": comparison.interval,
        "p": comparison.p,
    }


def section(results: Sequence[Mapping[str, Any]]) -> str:
    """Return this part of RESULTS.md."""
    rows = [
        {key: value for key, value in result.items() if key not in ("commit", "command")}
        | {title: f"{result[title]:.3f}" for title in (KEY_ALONE, KEY_AND_POSITION)}
        | {"difference": f"{result['difference']:+.3f}", "p": f"{result['p']:.3f}"}
        | {"interval": "{:+.3f} to {:+.3f}".format(*result["interval"]) if result["interval"] else ""}
        for result in results
    ]
    return (
        f"Micro AUC over the frames of all videos and texts, with events of at most {SMALL_HEIGHT} of 240 pixels high. "
        f"Interval: bootstrap interval of {LEVEL:.0%} for the difference, over {N_RESAMPLES} samples of the clips with "
        f"replacement. p: two-sided, from the fraction of samples with the opposite sign.\n\n{table(rows)}"
    )


def main() -> None:
    """Run the benchmark."""
    arguments = make_parser(__doc__, 180).parse_args()
    result = measure(arguments)
    print(json.dumps(result, indent=1))
    title = "The position context on small things in synthetic clips"
    write_result(
        "small", arguments, result, lambda results: record("demo-small", title, section(results), origins=results)
    )


if __name__ == "__main__":
    main()
