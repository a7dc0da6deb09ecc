"""How weights are moved: Muon for the matrices inside the blocks, AdamW for the rest, one cycle of the rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


class Optimiser:
    """Both optimisers and their schedules as one. ``groups``: (name, weights) pairs and the peak rate of each group."""

    def __init__(self, groups: Iterable[tuple[Iterable[tuple[str, Any]], float]], *, steps: int) -> None:
        inner: list[dict[str, Any]] = []
        outer: list[dict[str, Any]] = []
        self.weights = []
        for named, rate in groups:
            weights = list({id(p): (name, p) for name, p in named}.values())
            self.weights += [p for _, p in weights]
            matrices = [p for name, p in weights if p.ndim == 2 and (".layers." in name or "blocks." in name)]
            held = {id(p) for p in matrices}
            inner.append({"params": matrices, "lr": rate})
            outer.append({"params": [p for _, p in weights if id(p) not in held], "lr": rate})
        inner = [group for group in inner if group["params"]]
        self.parts: list[Any] = [
            torch.optim.Muon(inner, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(outer, weight_decay=0.01, betas=(0.9, 0.98)),
        ]
        self.schedules = [
            torch.optim.lr_scheduler.OneCycleLR(
                part, [group["lr"] for group in part.param_groups], total_steps=steps, pct_start=0.06,
                cycle_momentum=False,
            )
            for part in self.parts
        ]  # fmt: skip

    def step(self) -> None:
        """Clip the gradients, move the weights, forget the gradients."""
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        for part, schedule in zip(self.parts, self.schedules, strict=True):
            part.step()
            part.zero_grad()
            schedule.step()

    def state(self) -> list[Any]:
        """Return what a checkpoint holds of it."""
        return [each.state_dict() for each in (*self.parts, *self.schedules)]

    def load(self, state: list[Any]) -> None:
        """Go on from ``state``."""
        for each, held in zip((*self.parts, *self.schedules), state, strict=True):
            each.load_state_dict(held)
