"""Trains the vision tower alone: it learns which classes each token and the whole image show.

It is the vision tower of Qwen2.5-VL in transformers, run through a faster path for batches of one image size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tile_blocks
import torch
from auc import auc_per_class
from augmentation import augment_colours
from crops import CropSampler
from examples import (
    Example,
    Scenes,
    grid_example,
    key_example,
    position_example,
    sample_attention,
    sample_window,
)
from optimiser import Optimiser
from token_targets import N_CLASSES, N_MOVES, N_TARGETS
from torch.nn import functional

MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))[:, None, None]
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))[:, None, None]
WIDTH, DEPTH = 128, 6


def tower_config(depth: int = DEPTH) -> Any:
    """Return the tower's configuration: every block attends to the whole image."""
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig

    return Qwen2_5_VLVisionConfig(
        depth=depth, hidden_size=WIDTH, intermediate_size=384, num_heads=4, out_hidden_size=WIDTH,
        fullatt_block_indexes=list(range(depth)), window_size=112, initializer_range=0.02,
    )  # fmt: skip


def build_tower(depth: int = DEPTH) -> Any:
    """Return a tower with random weights."""
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

    return Qwen2_5_VisionTransformerPretrainedModel._from_config(tower_config(depth))


_rotary_cache: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = {}


def _rotary_embedding(tower: Any, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import get_vision_position_ids

    if (rows, columns) not in _rotary_cache:
        ids = get_vision_position_ids(torch.tensor([[1, rows, columns]]), 2)
        _rotary_cache[rows, columns] = tower.rotary_pos_emb(torch.zeros(1), ids)
    return _rotary_cache[rows, columns]


def _rotate(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = states.shape[-1] // 2
    rotated = torch.cat((-states[..., half:], states[..., :half]), dim=-1)
    return states * cos + rotated * sin


def encode_images(tower: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Return the image tokens (n, H // 28 * W // 28, WIDTH) of normalised pixels (n, 3, H, W), multiples of 28."""
    n, _, high, wide = pixels.shape
    rows, columns = high // 14, wide // 14
    weight = tower.patch_embed.proj.weight.sum(2)  # the model reads an image as a video of two equal frames
    states = functional.conv2d(pixels, weight, stride=14)
    states = (
        states.reshape(n, -1, rows // 2, 2, columns // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(n, rows * columns, -1)
    )
    cos, sin = _rotary_embedding(tower, rows, columns)
    for block in tower.blocks:
        normalised = block.norm1(states)
        heads = (
            block.attn.qkv(normalised).reshape(n, rows * columns, 3, block.attn.num_heads, -1).permute(2, 0, 3, 1, 4)
        )
        query, key, value = _rotate(heads[0], cos, sin), _rotate(heads[1], cos, sin), heads[2]
        attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        states = states + block.attn.proj(attended.reshape(n, rows * columns, -1))
        states = states + block.mlp(block.norm2(states))
    return tower.merger(states).reshape(n, rows * columns // 4, -1)


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Return pixels (n, 3, H, W), 0 to 1, with the processor's mean and standard deviation applied."""
    return (pixels - MEAN) / STD


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def collate(examples: list[Example], rng: np.random.Generator) -> Batch:
    """Return augmented pixels (n, 3, H, W), labels (n, N_CLASSES), token targets (n, H // 28, W // 28, targets)."""
    pixels = augment_colours(np.stack([example.image for example in examples]), rng)
    labels = torch.from_numpy(np.stack([example.labels for example in examples]))
    return normalise(pixels), labels, torch.from_numpy(np.stack([example.token_targets for example in examples]))


class Stage(NamedTuple):
    """The images of one training step: how many of each kind, and fractions among them."""

    keys: int
    squares: int
    crops: int = 0
    positions: float = 0.25  # fraction of position contexts among the squares; the others are grids
    actions: float = 0.0  # fraction of sequences in which an action is visible


CROPS, IMAGES, GRIDS = Stage(0, 0, 256), Stage(24, 40, 64), Stage(8, 64, 0, 0.2, 0.5)
SELECTED = Stage(4, 16, 0, 0.15, 0.6)
"""The stages of training: crops around one thing; all kinds of images; mostly grids of actions, for the larger tower;
and contexts that the method selects, beside sampled ones (see ``train``)."""
EVALUATION = Stage(96, 128)
Pair = tuple[list[Example], list[Example]]


def sample_examples(scenes: Scenes, rng: np.random.Generator, sequences: Any, stage: Stage) -> Iterator[Pair]:
    """Yield key frames, and squares: grids and position contexts."""
    pools = [
        scenes.with_events(sequences, number) for number in range(N_CLASSES)
    ]  # a few scenes lack some of the classes
    any_class, actions = ([pool for pool in part if len(pool)] or [sequences] for part in (pools, pools[6:]))

    def sample_sequence() -> Any:
        kind = rng.random()
        candidates = actions if kind < stage.actions else any_class if kind < 0.7 else [sequences]
        pool = candidates[int(rng.integers(len(candidates)))]
        return pool[int(rng.integers(len(pool)))]

    while True:
        keys = [mirror(key_example(scenes, int(rng.choice(sample_sequence()))), rng) for _ in range(stage.keys)]
        squares = []
        for _ in range(stage.squares):
            sequence = sample_sequence()
            if rng.random() < stage.positions:
                number = int(rng.choice(sequence))
                example = position_example(scenes, number, sample_attention(scenes, number, rng))
                squares.append(mirror(example, rng))
            else:
                example = grid_example(scenes, sequence, sample_window(scenes, sequence, rng))
                squares.append(mirror(example, rng, tiles=True))
        yield keys, squares


def mirror(example: Example, rng: np.random.Generator, *, tiles: bool = False) -> Example:
    """Mirror half of the examples left to right; of a grid (``tiles``) each tile, to keep their order in time."""
    if rng.random() < 0.5:
        return example
    image, targets = example.image[:, ::-1], example.token_targets[:, ::-1]
    if tiles:
        half, n_columns = image.shape[1] // 2, targets.shape[1] // 2
        image = np.concatenate((image[:, half:], image[:, :half]), axis=1)
        targets = np.concatenate((targets[:, n_columns:], targets[:, :n_columns]), axis=1)
    return Example(np.ascontiguousarray(image), example.labels, np.ascontiguousarray(targets))


def prefetch(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield ``batches``, each prepared in a thread during the training step before it."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(next, batches)
        while True:
            batch, future = future.result(), pool.submit(next, batches)
            yield batch


class Heads(torch.nn.Module):
    """Linear readouts of image tokens: the targets of each token, and the classes of the image by its strongest token.

    The attribute names are keys of ``readout.safetensors``.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cells = torch.nn.Linear(WIDTH, N_TARGETS)
        self.image = torch.nn.Linear(WIDTH, N_CLASSES)
        self.moves = torch.nn.Linear(WIDTH, N_MOVES)
        torch.nn.init.constant_(self.cells.bias, -3.0)
        torch.nn.init.constant_(self.image.bias, -5.0)
        torch.nn.init.zeros_(self.moves.weight)
        torch.nn.init.zeros_(self.moves.bias)

    def loss(self, tokens: torch.Tensor, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the loss and the image's logits (n, N_CLASSES) from tokens (n, tokens, WIDTH)."""
        targets, moves = batch[2].flatten(1, 2).split((N_TARGETS, N_MOVES), dim=2)
        logits = self.cells(tokens)
        weight = 1.0 + 4.0 * targets
        dense = (
            functional.binary_cross_entropy_with_logits(logits, targets, weight, reduction="none")
            .mean(dim=(0, 1))
            .sum()
        )
        image = torch.logsumexp(self.image(tokens), dim=1)
        has_move = ~moves.isnan()
        errors = functional.smooth_l1_loss(self.moves(tokens), moves.nan_to_num(), beta=0.3, reduction="none")
        motion = 6.0 * (errors * has_move).sum() / has_move.sum().clamp(min=1)
        return dense + functional.binary_cross_entropy_with_logits(image, batch[1]) + motion, image


def train(
    scenes: Scenes,
    out: Path,
    *,
    steps: int,
    seed: int = 0,
    threads: int = 1,
    rate: float = 3e-3,
    start_from: Path | None = None,
    stage: Stage = IMAGES,
    extra_pairs: Callable[[np.random.Generator], Iterator[Pair]] | None = None,
    evaluation: Stage = EVALUATION,
) -> None:
    """Train for ``steps`` and write ``out/tower.pt``; resume from a checkpoint there.

    The last twentieth of the sequences is for evaluation only. The stage ``GRIDS`` inserts the blocks of
    ``tile_blocks`` into the tower of ``start_from`` and freezes its readout.

    :param extra_pairs: in the stage ``SELECTED``, examples to add to the sampled ones of each step.
    :param evaluation: images of one of the three batches that the evaluation takes.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    depth = DEPTH if stage in (GRIDS, SELECTED) else DEPTH - len(tile_blocks.NEW_BLOCKS)
    tower, heads = build_tower(depth), Heads()
    groups: list[Any] = [(tower.named_parameters(), rate), (heads.named_parameters(), rate)]
    if start_from:
        initial = torch.load(start_from, weights_only=True)
        heads.load_state_dict(initial["heads"])
        if stage == GRIDS:
            tile_blocks.insert_blocks(tower, initial["tower"])
            for readout in (heads.cells, heads.image):
                readout.requires_grad_(False)
            groups = [*tile_blocks.parameter_groups(tower, rate), (heads.moves.named_parameters(), rate)]
        else:
            tower.load_state_dict(initial["tower"])
            if stage == SELECTED:
                groups = [*tile_blocks.parameter_groups(tower, rate), (heads.named_parameters(), rate / 4)]
    optimiser = Optimiser(groups, steps=steps)
    first_step, checkpoint = 0, out / "tower.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        tower.load_state_dict(state["tower"])
        heads.load_state_dict(state["heads"])
        optimiser.load(state["optimiser"])
        first_step = state["step"]
    n_train = len(scenes.sequences) * 19 // 20
    rng = np.random.default_rng([seed, first_step])
    crop_sampler = CropSampler(scenes, 0, int(scenes.sequences[n_train].min()))
    crops = ((batch,) for batch in crop_sampler.batches(rng, stage.crops)) if stage.crops else repeat(())
    pairs = sample_examples(scenes, rng, scenes.sequences[:n_train], stage)
    if extra_pairs:
        pairs = (
            ([*keys, *extra_keys], [*squares, *extra_squares])
            for (keys, squares), (extra_keys, extra_squares) in zip(pairs, extra_pairs(rng), strict=True)
        )
    lists = crops if stage == CROPS else (pair + crop for pair, crop in zip(pairs, crops, strict=True))
    batches = prefetch(tuple(collate(examples, rng) for examples in kinds) for kinds in lists)
    eval_rng = np.random.default_rng(99)
    unseen = sample_examples(scenes, eval_rng, scenes.sequences[n_train:], evaluation)
    losses: list[list[float]] = []
    start = time.time()
    for step in range(first_step, steps):
        tower.train()
        step_losses = []
        for batch in next(batches):
            loss, _ = heads.loss(encode_images(tower, batch[0]), batch)
            loss.backward()
            step_losses.append(loss.item())
        optimiser.step()
        losses.append(step_losses)
        if step % 50 == 49:
            mean, seconds = np.round(np.mean(losses, axis=0), 3).tolist(), (time.time() - start) / 50
            print(f"step {step + 1} loss {mean} {seconds:.2f} s", flush=True)
            losses, start = [], time.time()
        if step % 200 == 199 or step + 1 == steps:
            _print_evaluation(tower, heads, unseen, eval_rng)
            torch.save({"tower": tower.state_dict(), "heads": heads.state_dict(), "optimiser": optimiser.state(),
                        "step": step + 1}, checkpoint)  # fmt: skip


@torch.no_grad()
def _print_evaluation(tower: Any, heads: Heads, unseen: Iterator[Pair], rng: np.random.Generator) -> None:
    """Print the mean AUC over classes on three batches of unseen examples, and the AUC of each class."""
    batches = [collate(examples, rng) for _ in range(3) for examples in next(unseen)]
    pairs = [(heads.loss(encode_images(tower, batch[0]), batch)[1], batch[1]) for batch in batches]
    for name, part in (("key", pairs[::2]), ("squares", pairs[1::2])):
        values = auc_per_class(torch.cat([logits for logits, _ in part]), torch.cat([labels for _, labels in part]))
        print(f"  unseen {name}: {np.nanmean(values):.3f} {np.round(values, 2).tolist()}", flush=True)
