"""Trains the vision tower alone: which class is seen in each token, and in the image.

It is transformers' own Qwen2.5-VL tower, seen through a faster path: all images of a batch have one size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import fusion
import numpy as np
import torch
from cells import N_CLASSES, N_MOVES, N_TARGETS
from crops import Around
from examples import (
    Example,
    Scenes,
    grid,
    key,
    position,
    some_attention,
    some_window,
)
from looks import change_looks
from steps import Optimiser
from torch.nn import functional

MEAN = torch.tensor((0.48145466, 0.4578275, 0.40821073))[:, None, None]
STD = torch.tensor((0.26862954, 0.26130258, 0.27577711))[:, None, None]
WIDTH, DEPTH = 128, 6


def config(depth: int = DEPTH) -> Any:
    """Return the tower's configuration: every block attends to the whole image. It begins with four blocks."""
    from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig

    return Qwen2_5_VLVisionConfig(
        depth=depth, hidden_size=WIDTH, intermediate_size=384, num_heads=4, out_hidden_size=WIDTH,
        fullatt_block_indexes=list(range(depth)), window_size=112, initializer_range=0.02,
    )  # fmt: skip


def build(depth: int = DEPTH) -> Any:
    """Return a tower."""
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel

    return Qwen2_5_VisionTransformerPretrainedModel._from_config(config(depth))


_angles: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]] = {}


def _rotary(tower: Any, rows: int, columns: int) -> tuple[torch.Tensor, torch.Tensor]:
    from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import get_vision_position_ids

    if (rows, columns) not in _angles:
        ids = get_vision_position_ids(torch.tensor([[1, rows, columns]]), 2)
        _angles[rows, columns] = tower.rotary_pos_emb(torch.zeros(1), ids)
    return _angles[rows, columns]


def _turn(states: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    half = states.shape[-1] // 2
    turned = torch.cat((-states[..., half:], states[..., :half]), dim=-1)
    return states * cos + turned * sin


def see(tower: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Turn normalised pixels (n, 3, H, W), H and W multiples of 28, into tokens (n, H // 28 * W // 28, out)."""
    n, _, high, wide = pixels.shape
    rows, columns = high // 14, wide // 14
    weight = tower.patch_embed.proj.weight.sum(2)  # a picture is a film of two equal frames
    states = functional.conv2d(pixels, weight, stride=14)
    states = (
        states.reshape(n, -1, rows // 2, 2, columns // 2, 2).permute(0, 2, 4, 3, 5, 1).reshape(n, rows * columns, -1)
    )
    cos, sin = _rotary(tower, rows, columns)
    for block in tower.blocks:
        seen = block.norm1(states)
        heads = block.attn.qkv(seen).reshape(n, rows * columns, 3, block.attn.num_heads, -1).permute(2, 0, 3, 1, 4)
        query, other, value = _turn(heads[0], cos, sin), _turn(heads[1], cos, sin), heads[2]
        mixed = functional.scaled_dot_product_attention(query, other, value).transpose(1, 2)
        states = states + block.attn.proj(mixed.reshape(n, rows * columns, -1))
        states = states + block.mlp(block.norm2(states))
    return tower.merger(states).reshape(n, rows * columns // 4, -1)


def normalise(pixels: torch.Tensor) -> torch.Tensor:
    """Apply the processor's mean and deviation to pixels (n, 3, H, W) of 0 to 1."""
    return (pixels - MEAN) / STD


Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def collate(examples: list[Example], rng: np.random.Generator) -> Batch:
    """Return pixels (n, 3, H, W), y (n, N_CLASSES) and cells (n, H // 28, W // 28, targets), with other looks."""
    pixels = change_looks(np.stack([e.image for e in examples]), rng)
    y = torch.from_numpy(np.stack([e.y for e in examples]))
    return normalise(pixels), y, torch.from_numpy(np.stack([e.cells for e in examples]))


class Mix(NamedTuple):
    """How many images of each kind a step has, and what share of the squares and sequences is what."""

    keys: int
    squares: int
    crops: int = 0
    positions: float = 0.25  # of the squares: position contexts, the rest grids
    actions: float = 0.0  # of the sequences: those in which an action is seen


CROPS, IMAGES, GRIDS, CHOSEN = Mix(0, 0, 256), Mix(24, 40, 64), Mix(8, 64, 0, 0.2, 0.5), Mix(4, 16, 0, 0.15, 0.6)
"""The lessons: around one thing; what the method shows; most of all grids of actions, for a tower that grew; as many of
what the method chooses (see ``train``)."""
UNSEEN = Mix(96, 128)
Pair = tuple[list[Example], list[Example]]


def drawn(scenes: Scenes, rng: np.random.Generator, sequences: Any, mix: Mix) -> Iterator[Pair]:
    """Yield key frames; and grids and position contexts."""
    pools = [scenes.with_events(sequences, k) for k in range(N_CLASSES)]  # a few scenes lack some of the classes
    every, actions = ([pool for pool in part if len(pool)] or [sequences] for part in (pools, pools[6:]))

    def draw_sequence() -> Any:
        draw = rng.random()
        among = actions if draw < mix.actions else every if draw < 0.7 else [sequences]
        pool = among[int(rng.integers(len(among)))]
        return pool[int(rng.integers(len(pool)))]

    while True:
        keys = [mirror(key(scenes, int(rng.choice(draw_sequence()))), rng) for _ in range(mix.keys)]
        squares = []
        for _ in range(mix.squares):
            sequence = draw_sequence()
            if rng.random() < mix.positions:
                number = int(rng.choice(sequence))
                squares.append(mirror(position(scenes, number, some_attention(scenes, number, rng)), rng))
            else:
                squares.append(mirror(grid(scenes, sequence, some_window(scenes, sequence, rng)), rng, tiles=True))
        yield keys, squares


def mirror(example: Example, rng: np.random.Generator, *, tiles: bool = False) -> Example:
    """Mirror half of the examples left to right; of a grid each tile, so that time still runs in reading order."""
    if rng.random() < 0.5:
        return example
    image, cells = example.image[:, ::-1], example.cells[:, ::-1]
    if tiles:
        half, part = image.shape[1] // 2, cells.shape[1] // 2
        image = np.concatenate((image[:, half:], image[:, :half]), axis=1)
        cells = np.concatenate((cells[:, part:], cells[:, :part]), axis=1)
    return Example(np.ascontiguousarray(image), example.y, np.ascontiguousarray(cells))


def ahead(batches: Iterator[Any]) -> Iterator[Any]:
    """Yield the same, each drawn while the one before is learned from."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches)
        while True:
            drawn_now, coming = coming.result(), pool.submit(next, batches)
            yield drawn_now


class Heads(torch.nn.Module):
    """What tokens say: a target each, and the image's classes through their strongest token."""

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
        """Return the loss and the image's logits (n, N_CLASSES)."""
        cells, moves = batch[2].flatten(1, 2).split((N_TARGETS, N_MOVES), dim=2)
        logits = self.cells(tokens)
        weight = 1.0 + 4.0 * cells
        dense = (
            functional.binary_cross_entropy_with_logits(logits, cells, weight, reduction="none").mean(dim=(0, 1)).sum()
        )
        image = torch.logsumexp(self.image(tokens), dim=1)
        known = ~moves.isnan()
        moved = functional.smooth_l1_loss(self.moves(tokens), moves.nan_to_num(), beta=0.3, reduction="none") * known
        motion = 6.0 * moved.sum() / known.sum().clamp(min=1)
        return dense + functional.binary_cross_entropy_with_logits(image, batch[1]) + motion, image


def auc(logits: torch.Tensor, y: torch.Tensor) -> list[float]:
    """Share of (positive, negative) pairs in order, per class."""
    found = []
    for k in range(y.shape[1]):
        yes, no = logits[y[:, k] >= 0.5, k], logits[y[:, k] == 0, k]
        found.append(float((yes[:, None] > no[None]).float().mean()) if len(yes) and len(no) else float("nan"))
    return found


def train(
    scenes: Scenes,
    out: Path,
    *,
    steps: int,
    seed: int = 0,
    threads: int = 1,
    rate: float = 3e-3,
    start_from: Path | None = None,
    mix: Mix = IMAGES,
    more: Callable[[np.random.Generator], Iterator[Pair]] | None = None,
) -> None:
    """Train for ``steps``; goes on from a checkpoint in ``out``. The last segments are for looking only.

    The lesson ``GRIDS`` lets the tower of ``start_from`` grow by the blocks of ``fusion``, and holds its readout.
    ``more``, of the lesson ``CHOSEN``, is shown beside what is drawn.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    tower, heads = build(DEPTH if mix in (GRIDS, CHOSEN) else DEPTH - len(fusion.FUSION)), Heads()
    groups: list[Any] = [(tower.named_parameters(), rate), (heads.named_parameters(), rate)]
    if start_from:
        begin = torch.load(start_from, weights_only=True)
        heads.load_state_dict(begin["heads"])
        if mix == GRIDS:
            fusion.grow(tower, begin["tower"])
            for readout in (heads.cells, heads.image):
                readout.requires_grad_(False)
            groups = [*fusion.groups(tower, rate), (heads.moves.named_parameters(), rate)]
        else:
            tower.load_state_dict(begin["tower"])
            if mix == CHOSEN:
                groups = [*fusion.groups(tower, rate), (heads.named_parameters(), rate / 4)]
    optimiser = Optimiser(groups, steps=steps)
    start, checkpoint = 0, out / "tower.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        tower.load_state_dict(state["tower"])
        heads.load_state_dict(state["heads"])
        optimiser.load(state["optimiser"])
        start = state["step"]
    last = len(scenes.sequences) * 19 // 20
    rng = np.random.default_rng([seed, start])
    around = Around(scenes, 0, int(scenes.sequences[last].min()))
    crops = ((each,) for each in around.batches(rng, mix.crops)) if mix.crops else repeat(())
    images = drawn(scenes, rng, scenes.sequences[:last], mix)
    if more:
        images = (([*a, *c], [*b, *d]) for (a, b), (c, d) in zip(images, more(rng), strict=True))
    lists = crops if mix == CROPS else (pair + others for pair, others in zip(images, crops, strict=True))
    batches = ahead(tuple(collate(each, rng) for each in kinds) for kinds in lists)
    looks = np.random.default_rng(99)
    unseen = drawn(scenes, looks, scenes.sequences[last:], UNSEEN)
    held: list[list[float]] = []
    began = time.time()
    for step in range(start, steps):
        tower.train()
        losses = []
        for batch in next(batches):
            loss, _ = heads.loss(see(tower, batch[0]), batch)
            loss.backward()
            losses.append(loss.item())
        optimiser.step()
        held.append(losses)
        if step % 50 == 49:
            mean, pace = np.round(np.mean(held, axis=0), 3).tolist(), (time.time() - began) / 50
            print(f"step {step + 1} loss {mean} {pace:.2f} s", flush=True)
            held, began = [], time.time()
        if step % 200 == 199 or step + 1 == steps:
            with torch.no_grad():
                looked = [collate(each, looks) for _ in range(3) for each in next(unseen)]
                pairs = [(heads.loss(see(tower, b[0]), b)[1], b[1]) for b in looked]
            for name, part in (("key", pairs[::2]), ("squares", pairs[1::2])):
                found = auc(torch.cat([p[0] for p in part]), torch.cat([p[1] for p in part]))
                print(f"  unseen {name}: {np.nanmean(found):.3f} {np.round(found, 2).tolist()}", flush=True)
            torch.save({"tower": tower.state_dict(), "heads": heads.state_dict(), "optimiser": optimiser.state(),
                        "step": step + 1}, checkpoint)  # fmt: skip
