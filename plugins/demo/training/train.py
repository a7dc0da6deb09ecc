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
FULL = {"scenes": 3600, "clip": 2400, "crops": 820, "images": 1500, "grids": 1000, "chosen": 1400,
        "again": 2000, "answers": 300, "rounds": 60}  # fmt: skip
QUICK = {"scenes": 24, "clip": 4, "crops": 2, "images": 2, "grids": 2, "chosen": 8,
         "again": 2, "answers": 2, "rounds": 1}  # fmt: skip


def train_answers(scenes: Scenes, tower_from: Path, work: Path, n_steps: int, n_rounds: int) -> None:
    """Train the language model on drawn windows and on what the method chooses; fit its words."""
    last = len(scenes.sequences) * 19 // 20
    seen, unseen = scenes.sequences[:last], scenes.sequences[last:]
    path = work / "chosen.npz"
    border = len(np.load(path)["picked"]) * 9 // 10

    def held_out(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        return asking.drawn(scenes, rng, unseen, 64, 96)

    def ours(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        return chosen.asked(scenes, path, slice(border), rng, 16, 40, boost=0.25)

    def mixed(rng: np.random.Generator) -> Iterator[tuple[asking.Batch, ...]]:
        mine, theirs = ours(rng), asking.drawn(scenes, rng, seen, 8, 16, 8, n_texts=4)
        while True:
            yield next(mine) if rng.random() < 0.4 else next(theirs)

    answers.train(mixed, held_out, tower_from, work / "answers", steps=n_steps)
    saying.fit(work / "answers" / "answers.pt", work / "said.pt", ours, held_out, rounds=n_rounds)


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
    towers = [work / f"tower-{k}" for k in (1, 2, 3, 4)]
    tower.train(scenes, towers[0], steps=sizes["crops"], mix=tower.CROPS)
    tower.train(scenes, towers[1], steps=sizes["images"], start_from=towers[0] / "tower.pt")
    tower.train(scenes, towers[2], steps=sizes["grids"], start_from=towers[1] / "tower.pt", mix=tower.GRIDS)
    chosen.choose(scenes, work / "clip", work / "chosen.npz", sizes["chosen"])
    shown = chosen.Chosen(scenes, work / "chosen.npz", slice(sizes["chosen"] * 9 // 10))
    tower.train(
        scenes, towers[3], steps=sizes["again"], start_from=towers[2] / "tower.pt", rate=2e-3, mix=tower.CHOSEN,
        more=shown.pairs,
    )  # fmt: skip
    train_answers(scenes, towers[3] / "tower.pt", work, sizes["answers"], sizes["rounds"])
    ship.ship(work / "clip", work / "said.pt", models)
    export(models / "qwen2.5-vl", models, "f16")


if __name__ == "__main__":
    main()
