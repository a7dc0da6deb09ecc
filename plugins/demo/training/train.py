"""Trains the demo's models: ``python plugins/demo/training/train.py [--work DIR] [--quick]``.

Seeded; every stage goes on from its checkpoint, so it may be killed and started again. On two CPU cores it takes hours
(see LOG.md); ``--quick`` goes through all stages with few steps, to see that they work. What comes out
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
import saying
import ship
import tower
from examples import Scenes
from export_gguf import export

HERE = Path(__file__).resolve().parent
FULL = {"scenes": 3600, "clip": 2400, "crops": 820, "images": 600, "more": 900, "chosen": 600, "drawn": 700,
        "answers": 450, "rounds": 60}  # fmt: skip
QUICK = {"scenes": 24, "clip": 4, "crops": 2, "images": 2, "more": 2, "chosen": 8, "drawn": 2, "answers": 2,
         "rounds": 1}  # fmt: skip


def train_answers(scenes: Scenes, work: Path, n_drawn: int, n_chosen: int, n_rounds: int) -> None:
    """Train the language model on drawn windows, then on what the method chooses too, as often; fit its words."""
    last = len(scenes.sequences) * 19 // 20
    seen, unseen = scenes.sequences[:last], scenes.sequences[last:]
    path = work / "chosen.npz"
    border = len(np.load(path)["picked"]) * 9 // 10

    def some(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        return asking.drawn(scenes, rng, seen, 8, 12, 12, n_texts=4)

    def held_out(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        return asking.drawn(scenes, rng, unseen, 64, 96)

    def ours(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        return chosen.asked(scenes, path, slice(border), rng, 20, 40, boost=0.25)

    def mixed(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        mine, theirs = ours(rng), some(rng)
        while True:
            yield next(mine) if rng.random() < 0.6 else next(theirs)

    began, drawn, answered = work / "tower-2" / "tower.pt", work / "drawn", work / "answers"
    answers.train(some, held_out, began, drawn, steps=n_drawn, rate=2e-3, short=0.6)
    now = work / "tower-3" / "tower.pt"
    answers.train(
        mixed, held_out, drawn / "answers.pt", answered, steps=n_chosen, rate=1.2e-3, short=0.1, tower_from=now
    )
    saying.fit(answered / "answers.pt", work / "said.pt", ours, held_out, rounds=n_rounds)


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
    train_answers(scenes, work, sizes["drawn"], sizes["answers"], sizes["rounds"])
    ship.ship(work / "clip", work / "said.pt", models)
    export(models / "qwen2.5-vl", models, "f16")


if __name__ == "__main__":
    main()
