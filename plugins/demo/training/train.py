"""Trains the demo's models: ``python plugins/demo/training/train.py [--work DIR] [--quick]``.

Seeded; every stage goes on from its checkpoint, so it may be killed and started again. On two CPU cores it takes some
three hours (see LOG.md); ``--quick`` goes through all stages with few steps, to see that they work. What comes out
lies in ``src/anyanomaly_demo/models``, or for ``--quick`` in the work folder.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads that spin while they wait cost the others their core

import answers
import asking
import chosen
import clip
import draw
import numpy as np  # torch reads the policy when it is imported
import ship
import tower
from examples import Scenes
from export_gguf import export

HERE = Path(__file__).resolve().parent
FULL = {"scenes": 3600, "clip": 2400, "crops": 820, "images": 600, "more": 900, "drawn": 1000, "chosen": 1000,
        "answers": 500}  # fmt: skip
QUICK = {"scenes": 24, "clip": 4, "crops": 2, "images": 2, "more": 2, "drawn": 2, "chosen": 8, "answers": 2}


def train_answers(scenes: Scenes, work: Path, n_drawn: int, n_chosen: int) -> None:
    """Train the language model on drawn windows first, then with the tower on what the method chooses, as often."""
    last = len(scenes.sequences) * 19 // 20
    seen, unseen = scenes.sequences[:last], scenes.sequences[last:]
    answers.train(
        lambda rng: asking.drawn(scenes, rng, seen, 8, 14, 12),
        lambda rng: asking.drawn(scenes, rng, unseen, 64, 96),
        work / "tower-2" / "tower.pt",
        work / "drawn",
        steps=n_drawn,
        share=0,
    )
    path = work / "chosen.npz"
    border = len(np.load(path)["picked"]) * 9 // 10

    def mixed(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        ours = chosen.asked(scenes, path, slice(border), rng, 24, 48, boost=0.25)
        theirs = asking.drawn(scenes, rng, seen, 12, 20)
        while True:
            yield next(ours) if rng.random() < 0.75 else next(theirs)

    answers.train(
        mixed,
        lambda rng: chosen.asked(scenes, path, slice(border, None), rng, 64, 128, boost=0.25),
        work / "drawn" / "answers.pt",
        work / "answers",
        steps=n_chosen,
        rate=1.5e-3,
        share=0.4,
        tower_from=work / "tower-3" / "tower.pt",
    )


def main() -> None:
    """Go through the stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("work"), help="scenes and checkpoints (default: work)")
    parser.add_argument("--quick", action="store_true", help="few steps: to see that every stage works")
    given = parser.parse_args()
    sizes = QUICK if given.quick else FULL
    work: Path = given.work
    models = work / "models" if given.quick else HERE.parent / "src" / "anyanomaly_demo" / "models"

    draw.draw(work / "scenes", sizes["scenes"])
    scenes = Scenes(work / "scenes")
    clip.train(scenes, work / "clip", steps=sizes["clip"])
    towers = [work / f"tower-{k}" for k in (1, 2, 3)]
    tower.train(scenes, towers[0], steps=sizes["crops"], lessons="crops")
    tower.train(scenes, towers[1], steps=sizes["images"], start_from=towers[0] / "tower.pt")
    tower.train(scenes, towers[2], steps=sizes["more"], start_from=towers[1] / "tower.pt", hold_heads=True)
    chosen.choose(scenes, work / "clip", work / "chosen.npz", sizes["chosen"])
    train_answers(scenes, work, sizes["drawn"], sizes["answers"])
    ship.ship(work / "clip", work / "answers", models)
    export(models / "qwen2.5-vl", models, "f16")


if __name__ == "__main__":
    main()
