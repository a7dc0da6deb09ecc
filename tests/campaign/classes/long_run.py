"""Runs of 20,000 frames: the memory in the second half is that of the first."""

from __future__ import annotations

import time
from pathlib import Path

from tests.campaign.plugin import SEGMENT, level
from tests.campaign.results import read_lines
from tests.campaign.stage import PLAIN_RUN, PLUGIN, Stage

_N_FRAMES = 20_000
_GROWTH_MIB = 24.0
"""What the tables of the interpreter and the caches of a run may add; 12,500 frames held would be 400 MiB."""


def play(stage: Stage) -> str:
    """One long clip, or many clips, with some mix of sinks: all scores right, memory flat."""
    rng = stage.random
    n_clips = rng.choice((1, 1, 5, 50))
    outputs = rng.choice((["out.jsonl"], ["out.jsonl", "out.csv"], ["out.jsonl", "out.json"]))
    n_frames = _N_FRAMES // n_clips // SEGMENT * SEGMENT
    names = [stage.write(f"{number:02}.clip", f"{n_frames} {number}").name for number in range(n_clips)]
    arguments = [
        "-p",
        str(PLUGIN),
        "run",
        *names,
        "-t",
        "red",
        *PLAIN_RUN,
        "--backend",
        "levels",
        *(part for name in outputs for part in ("-o", name)),
        *rng.choice(([], ["--no-cache"])),
    ]
    process_id = stage.start(arguments)
    samples: list[float] = []
    while (resident := _resident_mib(process_id)) > 0 and len(samples) < 6000:
        samples.append(resident)
        time.sleep(0.05)
    stage.finish(process_id, arguments, {0}, 120.0)
    early, late = max(samples[: len(samples) // 2], default=0.0), max(samples[len(samples) // 2 :], default=0.0)
    if late - early > _GROWTH_MIB:
        stage.fault("memory", f"{early:.0f} MiB in the first half, {late:.0f} in the second")
    values = [line["value"] for line in read_lines(stage, "out.jsonl") if line["type"] == "segment"]
    wanted = [level(segment, seed) for seed in range(n_clips) for segment in range(n_frames // SEGMENT)]
    stage.check(values == wanted, f"{len(values)} scores, not the {len(wanted)} right ones")
    return f"{n_clips} clips, {', '.join(outputs)}"


def _resident_mib(process_id: int) -> float:
    """Return the resident memory of a process, in MiB; 0 after its end."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)
