"""Trains the demo's models: ``python plugins/demo/training/train.py [--work DIR] [--quick]``.

Training is seeded, and each stage resumes from its checkpoint, so it can be stopped and started again. On two CPU cores
it takes hours (see LOG.md). ``--quick`` runs every stage in about a minute with a few steps, to test that they work; it
writes the models to the work folder. Without it the models go to ``src/anyanomaly_demo/models``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

# torch reads it when it is imported; LOG.md, "Busy-waiting threads", says why
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import clip
import head_fit
import language_model
import numpy as np
import questions
import selected_contexts
import vision_tower
from draw_scenes import draw_scenes
from examples import Scenes
from export_gguf import export
from export_models import export_models

HERE = Path(__file__).resolve().parent


class Sizes(NamedTuple):
    """Number of scenes, of steps of each stage, and of images in an evaluation."""

    scenes: int
    clip_text: int
    clip: int
    crops: int
    images: int
    grids: int
    selected_segments: int
    selected: int
    language_model: int
    head_rounds: int
    tower_evaluation: tuple[int, int]  # key frames and squares in one batch of an evaluation
    answer_evaluation: tuple[int, int]
    processes: int


FULL = Sizes(3600, 300, 2400, 820, 1500, 1000, 1400, 2000, 300, 60, (96, 128), (64, 96), 2)
QUICK = Sizes(24, 20, 2, 2, 2, 2, 8, 2, 2, 1, (4, 4), (4, 4), 1)


def train_language_model(scenes: Scenes, tower: Path, work: Path, sizes: Sizes) -> None:
    """Train the language model on sampled and on selected contexts, then fit its output matrix.

    :param tower: checkpoint of the vision tower.
    """
    n_train = len(scenes.sequences) * 19 // 20
    train_sequences, unseen_sequences = scenes.sequences[:n_train], scenes.sequences[n_train:]
    path = work / "selected.npz"
    n_selected = len(np.load(path)["segments"]) * 9 // 10

    def unseen_batches(rng: np.random.Generator) -> Iterator[tuple[questions.Batch, ...]]:
        return questions.sample_batches(scenes, rng, unseen_sequences, *sizes.answer_evaluation)

    def selected_batches(rng: np.random.Generator) -> Iterator[tuple[questions.Batch, ...]]:
        return selected_contexts.sample_questions(scenes, path, slice(n_selected), rng, 16, 40, boost=0.25)

    def mixed_batches(rng: np.random.Generator) -> Iterator[tuple[questions.Batch, ...]]:
        selected = selected_batches(rng)
        sampled = questions.sample_batches(scenes, rng, train_sequences, 8, 16, 8, n_texts=4)
        while True:
            yield next(selected) if rng.random() < 0.4 else next(sampled)

    out = work / "language-model"
    language_model.train(mixed_batches, unseen_batches, tower, out, steps=sizes.language_model)
    head_fit.fit(out / "answers.pt", work / "fitted.pt", selected_batches, unseen_batches, rounds=sizes.head_rounds)


def main() -> None:
    """Run all stages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("work"), help="folder of scenes and checkpoints")
    parser.add_argument("--quick", action="store_true", help="few steps, to test that every stage works")
    arguments = parser.parse_args()
    sizes = QUICK if arguments.quick else FULL
    work: Path = arguments.work
    models = work / "models" if arguments.quick else HERE.parent / "src" / "anyanomaly_demo" / "models"

    draw_scenes(work / "scenes", sizes.scenes, processes=sizes.processes)
    scenes = Scenes(work / "scenes")
    clip.train(scenes, work / "clip", steps=sizes.clip, text_steps=sizes.clip_text)
    towers = [work / f"tower-{k}" for k in (1, 2, 3, 4)]
    checkpoints = [tower / "tower.pt" for tower in towers]
    evaluation = vision_tower.Stage(*sizes.tower_evaluation)
    vision_tower.train(scenes, towers[0], steps=sizes.crops, stage=vision_tower.CROPS, evaluation=evaluation)
    vision_tower.train(scenes, towers[1], steps=sizes.images, start_from=checkpoints[0], evaluation=evaluation)
    vision_tower.train(
        scenes, towers[2], steps=sizes.grids, start_from=checkpoints[1], stage=vision_tower.GRIDS, evaluation=evaluation
    )
    selected_contexts.select_contexts(
        scenes, work / "clip", work / "selected.npz", sizes.selected_segments, processes=sizes.processes
    )
    n_train = sizes.selected_segments * 9 // 10
    contexts = selected_contexts.SelectedContexts(scenes, work / "selected.npz", slice(n_train))
    vision_tower.train(
        scenes, towers[3], steps=sizes.selected, start_from=checkpoints[2], rate=2e-3, stage=vision_tower.SELECTED,
        extra_pairs=contexts.pairs, evaluation=evaluation,
    )  # fmt: skip
    train_language_model(scenes, checkpoints[3], work, sizes)
    export_models(work / "clip", work / "fitted.pt", models)
    export(models / "qwen2.5-vl", models, "f16")


if __name__ == "__main__":
    main()
