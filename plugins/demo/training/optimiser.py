"""The optimiser: Muon for the matrices inside blocks, AdamW for all other weights, one cycle of the learning rate."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch


class Optimiser:
    """Muon, AdamW and their schedules in one object. ``groups``: (name, weight) pairs and the peak learning rate."""

    def __init__(self, groups: Iterable[tuple[Iterable[tuple[str, Any]], float]], *, steps: int) -> None:
        muon_groups: list[dict[str, Any]] = []
        adamw_groups: list[dict[str, Any]] = []
        self.weights = []
        for parameters, rate in groups:
            weights = list({id(weight): (name, weight) for name, weight in parameters}.values())
            self.weights += [weight for _, weight in weights]
            matrices = [
                weight for name, weight in weights if weight.ndim == 2 and (".layers." in name or "blocks." in name)
            ]
            matrix_ids = {id(matrix) for matrix in matrices}
            muon_groups.append({"params": matrices, "lr": rate})
            adamw_groups.append(
                {"params": [weight for _, weight in weights if id(weight) not in matrix_ids], "lr": rate}
            )
        muon_groups = [group for group in muon_groups if group["params"]]
        self.optimisers: list[Any] = [
            torch.optim.Muon(muon_groups, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(adamw_groups, weight_decay=0.01, betas=(0.9, 0.98)),
        ]
        self.schedules = [
            torch.optim.lr_scheduler.OneCycleLR(
                optimiser, [group["lr"] for group in optimiser.param_groups], total_steps=steps, pct_start=0.06,
                cycle_momentum=False,
            )
            for optimiser in self.optimisers
        ]  # fmt: skip

    def step(self) -> None:
        """Clip the gradients, update the weights, and clear the gradients."""
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        for optimiser, schedule in zip(self.optimisers, self.schedules, strict=True):
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()

    def state(self) -> list[Any]:
        """Return the state for a checkpoint."""
        return [part.state_dict() for part in (*self.optimisers, *self.schedules)]

    def load(self, state: list[Any]) -> None:
        """Load the ``state`` of a checkpoint."""
        for part, part_state in zip((*self.optimisers, *self.schedules), state, strict=True):
            part.load_state_dict(part_state)
