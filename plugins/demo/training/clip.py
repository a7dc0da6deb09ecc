"""Trains the tiny CLIP: which words describe a window or a frame.

The loss is a sigmoid for each pair of an image and a sentence, because an image may show several events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from auc import auc_per_class
from augmentation import augment_colours
from crops import CropSampler
from event_texts import CAPTIONS, NO_EVENTS, WORDS
from examples import SIDE, WINDOWS, Scenes, fraction_inside
from safetensors.torch import save_file
from token_targets import N_CLASSES
from torch.nn import functional

SIZE = 128
CONFIG: dict[str, Any] = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": SIZE, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None},
    "text_cfg": {"context_length": 32, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}
N_FRAMES = 28  # of a batch
N_RANDOM_WINDOWS = 2  # of each frame, beside the windows around one thing


def build_clip() -> Any:
    """Return an open_clip model with CONFIG and random weights."""
    from open_clip.model import CLIP

    return CLIP(**CONFIG)


def sample_batches(scenes: Scenes, rng: np.random.Generator) -> Iterator[tuple[Any, torch.Tensor]]:
    """Yield images uint8 (n, SIZE, SIZE, 3) and targets (n, N_CLASSES): 0, 1, or NaN for a thing partly in a window.

    Every class is sampled equally often. Each frame gives the complete frame, the window around the thing at each
    scale, and random windows.
    """
    crop_sampler = CropSampler(scenes, 0, len(scenes.offsets))
    while True:
        images, targets = [], []
        for _ in range(N_FRAMES):
            row = crop_sampler.sample_box(rng)
            number = int(scenes.box_frames[row])
            frame, boxes, box = scenes.frame(number), scenes.visible_boxes(number), scenes.boxes[row, :4].copy()
            if rng.random() < 0.5:  # mirror
                frame, boxes = frame[:, ::-1], boxes.copy()
                boxes[:, [0, 2]] = 320 - boxes[:, [2, 0]]
                box[[0, 2]] = 320 - box[[2, 0]]
            images.append(cv2.resize(frame[:, 40:280], (SIZE, SIZE), interpolation=cv2.INTER_CUBIC))
            targets.append(_class_targets(boxes, (40, 0, 280, 240), 0.5, 0.2))
            square = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
            for x, y, size in _sample_windows(box, rng):
                cut = square[y : y + size, x : x + size]
                images.append(cv2.resize(cut, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR))
                targets.append(_class_targets(boxes, (x * 4 / 3, y, (x + size) * 4 / 3, y + size), 0.45, 0.1))
        yield np.stack(images), torch.from_numpy(np.stack(targets))


def _sample_windows(box: Any, rng: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """Yield the window (x, y, size) of each scale that holds the centre of a box, and N_RANDOM_WINDOWS others."""
    across, down = (box[0] + box[2]) * 0.375, (box[1] + box[3]) * 0.5
    for size in WINDOWS:
        last = SIDE // size - 1
        yield min(int(across // size), last) * size, min(int(down // size), last) * size, size
    for size in rng.choice(list(WINDOWS), size=N_RANDOM_WINDOWS).tolist():
        corners = WINDOWS[size]
        yield (*corners[int(rng.integers(len(corners)))], size)


def _class_targets(boxes: Any, region: tuple[float, float, float, float], positive: float, negative: float) -> Any:
    """Return targets (N_CLASSES,): 1 from the fraction ``positive`` of a box inside, 0 up to ``negative``, else NaN."""
    target = np.zeros(N_CLASSES, np.float32)
    fractions = fraction_inside(boxes, region)
    for box, fraction in zip(boxes, fractions, strict=True):
        event = box[5]
        if event >= 0 and fraction > negative:
            value = 1.0 if fraction >= positive else np.nan
            if target[event] != 1.0:
                target[event] = value
    return target


def sample_sentences(rng: np.random.Generator) -> list[str]:
    """Sample a sentence for each class, and four that describe no event."""
    sentences = []
    for words in WORDS.values():
        word = words[0] if rng.random() < 0.6 else str(rng.choice(words))
        sentences.append(word if rng.random() < 0.6 else str(rng.choice(CAPTIONS)).replace("{}", word))
    return [*sentences, *rng.choice(NO_EVENTS, size=4, replace=False).tolist()]


def train_text_encoder(model: Any, tokenize: Any, rng: np.random.Generator, *, steps: int) -> float:
    """Train the text encoder to map the sentences of each class to a direction of its own; return the last loss.

    Without this, the words for a bicycle and for a car had one direction for 800 steps of the whole model.
    """
    directions = torch.linalg.qr(torch.from_numpy(rng.normal(size=(CONFIG["embed_dim"], N_CLASSES)))).Q.T.float()
    targets = torch.eye(N_CLASSES + 4, N_CLASSES)
    parameters = [weight for name, weight in model.named_parameters() if not name.startswith("visual.")]
    optimiser = torch.optim.AdamW(parameters, lr=3e-3)
    loss = torch.tensor(torch.inf)
    for _ in range(steps):
        vectors = functional.normalize(model.encode_text(tokenize(sample_sentences(rng))), dim=-1)
        loss = ((vectors @ directions.T - targets) ** 2).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def train(scenes: Scenes, out: Path, *, steps: int, text_steps: int = 300, seed: int = 0, threads: int = 1) -> None:
    """Train for ``steps`` and write a folder for open_clip to ``out``; resume from a checkpoint there.

    :param text_steps: steps of the text encoder alone, before the others.
    """
    import open_clip

    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    out.mkdir(parents=True, exist_ok=True)
    model = build_clip().to(memory_format=torch.channels_last)
    model.logit_scale.data.fill_(np.log(10.0))
    bias = torch.nn.Parameter(torch.tensor(-3.0))
    tokenize = open_clip.SimpleTokenizer(context_length=32)
    text_parameters = [weight for name, weight in model.named_parameters() if not name.startswith("visual.")]
    parameters = [*model.parameters(), bias]
    groups = [{"params": [*model.visual.parameters(), bias]}, {"params": text_parameters}]
    optimiser = torch.optim.AdamW(groups, lr=2.5e-3, weight_decay=0.02, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [2.5e-3, 2.5e-4], total_steps=steps, pct_start=0.08)
    first_step, checkpoint = 0, out / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        bias.data.copy_(state["bias"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        first_step = state["step"]
        rng = np.random.default_rng([seed, first_step])
    if not first_step:
        print(f"text encoder: loss {train_text_encoder(model, tokenize, rng, steps=text_steps):.4f}", flush=True)
    stream, history = sample_batches(scenes, rng), []
    model.train()
    for step in range(first_step, steps):
        images, targets = next(stream)
        pixels = augment_colours(images, rng).contiguous(memory_format=torch.channels_last)
        texts = sample_sentences(rng)
        image_vectors = functional.normalize(model.encode_image(pixels), dim=-1)
        text_vectors = functional.normalize(model.encode_text(tokenize(texts)), dim=-1)
        logits = model.logit_scale.exp() * image_vectors @ text_vectors.T + bias
        pair_targets = torch.cat([targets, torch.zeros(len(targets), 4)], dim=1)
        has_target = ~pair_targets.isnan()
        loss = functional.binary_cross_entropy_with_logits(logits[has_target], pair_targets[has_target])
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
        history.append((loss.item(), auc_per_class(logits[:, :N_CLASSES].detach(), targets)))
        if step % 50 == 49:
            mean_loss = np.mean([loss for loss, _ in history])
            auc = np.nanmean([values for _, values in history], axis=0)
            print(
                f"step {step + 1} loss {mean_loss:.4f} auc {np.nanmean(auc):.3f} {np.round(auc, 2).tolist()}",
                flush=True,
            )
            history = []
        if step % 200 == 199:
            torch.save({"model": model.state_dict(), "bias": bias.data, "optimiser": optimiser.state_dict(),
                        "schedule": schedule.state_dict(), "step": step + 1}, checkpoint)  # fmt: skip
            save(model.state_dict(), out)
    save(model.state_dict(), out)


def save(state: dict[str, torch.Tensor], out: Path) -> None:
    """Write the weights, in half precision, and the configuration as a folder that open_clip loads."""
    config = {"model_cfg": {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"]}},
              "preprocess_cfg": {"mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}}  # fmt: skip
    (out / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    tensors = {
        name: (weight.half() if weight.is_floating_point() else weight).contiguous() for name, weight in state.items()
    }
    save_file(tensors, out / "open_clip_model.safetensors")
