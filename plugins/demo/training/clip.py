"""Trains the tiny CLIP: which words belong to a window or a frame.

Each pair of an image and a sentence is a question of its own (a sigmoid loss): an image may show several events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from cells import N_CLASSES
from crops import Around
from examples import SIDE, WINDOWS, Scenes, shown
from looks import change_looks
from safetensors.torch import save_file
from torch.nn import functional
from wording import NOTHING, SENTENCES, WORDS

SIZE = 128
CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": SIZE, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
N_FRAMES, N_OTHERS = 28, 2  # of a batch; windows of each frame beside those around one thing


def build() -> Any:
    """Return an open_clip model with CONFIG."""
    from open_clip.model import CLIP

    return CLIP(**CONFIG)


def batches(scenes: Scenes, rng: np.random.Generator) -> Iterator[tuple[Any, torch.Tensor]]:
    """Yield images uint8 (n, SIZE, SIZE, 3) and targets (n, N_CLASSES): 0, 1, or NaN for what is half in a window.

    Every class is looked for as often: of a frame with it, the whole, the window around it at each scale, and others.
    """
    around = Around(scenes, 0, len(scenes.offsets))
    while True:
        images, targets = [], []
        for _ in range(N_FRAMES):
            row = around.row(rng)
            number = int(scenes.box_frames[row])
            frame, boxes, box = scenes.frame(number), scenes.seen(number), scenes.boxes[row, :4].copy()
            if rng.random() < 0.5:  # mirrored
                frame, boxes = frame[:, ::-1], boxes.copy()
                boxes[:, [0, 2]] = 320 - boxes[:, [2, 0]]
                box[[0, 2]] = 320 - box[[2, 0]]
            images.append(cv2.resize(frame[:, 40:280], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))
            targets.append(_target(boxes, (40, 0, 280, 240), 0.5, 0.2))
            square = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            for x, y, size in _windows(box, rng):
                cut = square[y : y + size, x : x + size]
                images.append(cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
                targets.append(_target(boxes, (x * 4 / 3, y, (x + size) * 4 / 3, y + size), 0.45, 0.1))
        yield np.stack(images), torch.from_numpy(np.stack(targets))


def _windows(box: Any, rng: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """Yield the window of each scale that holds the middle of a box, and N_OTHERS at random: x, y, size."""
    across, down = (box[0] + box[2]) * 0.375, (box[1] + box[3]) * 0.5
    for size in WINDOWS:
        last = SIDE // size - 1
        yield min(int(across // size), last) * size, min(int(down // size), last) * size, size
    for size in rng.choice(list(WINDOWS), size=N_OTHERS).tolist():
        corners = WINDOWS[size]
        yield (*corners[int(rng.integers(len(corners)))], size)


def _target(boxes: Any, part: tuple[float, float, float, float], enough: float, some: float) -> Any:
    target = np.zeros(N_CLASSES, np.float32)
    share = shown(boxes, part)
    for row, here in zip(boxes, share, strict=True):
        event = row[5]
        if event >= 0 and here > some:
            value = 1.0 if here >= enough else np.nan
            if target[event] != 1.0:
                target[event] = value
    return target


def sentences(rng: np.random.Generator) -> list[str]:
    """Draw a sentence per class, and some of what is no event."""
    drawn = []
    for words in WORDS.values():
        word = words[0] if rng.random() < 0.6 else str(rng.choice(words))
        drawn.append(word if rng.random() < 0.6 else str(rng.choice(SENTENCES)).replace("{}", word))
    return [*drawn, *rng.choice(NOTHING, size=4, replace=False).tolist()]


def teach_words(model: Any, tokenize: Any, rng: np.random.Generator, *, steps: int = 300) -> float:
    """Give each class's sentences a direction of their own, orthogonal to the others; return the last loss.

    Without it the words for a bicycle and for a car stayed one direction for 800 steps of the whole model.
    """
    directions = torch.linalg.qr(torch.from_numpy(rng.normal(size=(CONFIG["embed_dim"], N_CLASSES)))).Q.T.float()
    wanted = torch.eye(N_CLASSES + 4, N_CLASSES)
    parameters = [p for name, p in model.named_parameters() if not name.startswith("visual.")]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3)
    loss = torch.tensor(torch.inf)
    for _ in range(steps):
        vectors = functional.normalize(model.encode_text(tokenize(sentences(rng))), dim=-1)
        loss = ((vectors @ directions.T - wanted) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def train(scenes: Scenes, out: Path, *, steps: int, seed: int = 0, threads: int = 1) -> None:
    """Train for ``steps`` and write an open_clip folder; goes on from a checkpoint in ``out``."""
    import open_clip

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    model = build().to(memory_format=torch.channels_last)
    model.logit_scale.data.fill_(np.log(10.0))
    bias = torch.nn.Parameter(torch.tensor(-3.0))
    tokenize = open_clip.SimpleTokenizer(context_length=32)
    words = [p for name, p in model.named_parameters() if not name.startswith("visual.")]
    parameters = [*model.parameters(), bias]
    groups = [{"params": [*model.visual.parameters(), bias]}, {"params": words}]
    optimiser = torch.optim.AdamW(groups, lr=2.5e-3, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [2.5e-3, 2.5e-4], total_steps=steps, pct_start=0.08)
    start, checkpoint = 0, out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        bias.data.copy_(state["bias"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        start = state["step"]
        rng = np.random.default_rng([seed, start])
    if not start:
        print(f"words: loss {teach_words(model, tokenize, rng):.4f}", flush=True)
    stream, held = batches(scenes, rng), []
    model.train()
    for step in range(start, steps):
        images, targets = next(stream)
        pixels = change_looks(images, rng).contiguous(memory_format=torch.channels_last)
        texts = sentences(rng)
        image_vectors = functional.normalize(model.encode_image(pixels), dim=-1)
        text_vectors = functional.normalize(model.encode_text(tokenize(texts)), dim=-1)
        logits = model.logit_scale.exp() * image_vectors @ text_vectors.T + bias
        wanted = torch.cat([targets, torch.zeros(len(targets), 4)], dim=1)
        known = ~wanted.isnan()
        loss = functional.binary_cross_entropy_with_logits(logits[known], wanted[known])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        held.append((loss.item(), _auc(logits[:, :N_CLASSES].detach(), targets)))
        if step % 50 == 49:
            loss_mean = np.mean([h[0] for h in held])
            auc = np.nanmean([h[1] for h in held], axis=0)
            print(
                f"step {step + 1} loss {loss_mean:.4f} auc {np.nanmean(auc):.3f} {np.round(auc, 2).tolist()}",
                flush=True,
            )
            held = []
        if step % 200 == 199:
            torch.save({"model": model.state_dict(), "bias": bias.data, "optimiser": optimiser.state_dict(),
                        "schedule": schedule.state_dict(), "step": step + 1}, checkpoint)  # fmt: skip
            save(model.state_dict(), out)
    save(model.state_dict(), out)


def _auc(logits: torch.Tensor, targets: torch.Tensor) -> list[float]:
    """Share of (positive, negative) pairs in order, per class."""
    found = []
    for k in range(N_CLASSES):
        yes, no = logits[targets[:, k] == 1, k], logits[targets[:, k] == 0, k]
        found.append(float((yes[:, None] > no[None]).float().mean()) if len(yes) else float("nan"))
    return found


def save(state: dict[str, torch.Tensor], out: Path) -> None:
    """Write the folder that open_clip loads, in half precision."""
    described = {"model_cfg": {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"]}},
                 "preprocess_cfg": {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}}  # fmt: skip
    (out / "open_clip_config.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
    tensors = {name: (t.half() if t.is_floating_point() else t).contiguous() for name, t in state.items()}
    save_file(tensors, out / "open_clip_model.safetensors")


if __name__ == "__main__":
    import sys

    train(Scenes(Path(sys.argv[1])), Path(sys.argv[2]), steps=int(sys.argv[3]))
