"""Dynamic visual tokens: tokens that are alike become one, around the peaks of their density (DPC-KNN).

::

    image, or one of two   patches -> 64 -> 32 -> 16 tokens, and all 112 are its tokens
    video, three and more  frames  -> one event per 16; the 64, 32 and 16 tokens of an event's frames, together, are
                           merged once more to 64, 32 and 16, so that an event has 112 tokens as an image has

Nothing here is learnt. The order of operations and the precision of each are the original's: which token leads hangs
on last bits. For the same reason it is computed on the CPU, where sums do not change from run to run as on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from torch import Generator, Tensor

NOISE = 1e-6  # how much of it there is
VIDEO = 3  # this many images are a video; the original tells one by that


class Stage(NamedTuple):
    """One merging: how many tokens it leaves, and how many neighbours tell how dense it is around a token."""

    rate: float  # above 1 a count, else a share of the tokens that it gets
    neighbours: int

    def count(self, n_tokens: int) -> int:
        """Return how many of ``n_tokens`` are left."""
        wanted = math.ceil(self.rate if self.rate > 1 else n_tokens * self.rate)
        return min(max(wanted, 1), n_tokens)

    def owners(self, x: Tensor, noise: Generator | None = None) -> Tensor:
        """Return which merged token each token of ``x`` (batch, n, width) goes to, as (batch, n).

        The merged tokens are numbered by how clearly they lead, not by where they lie.
        """
        import torch

        batch, n_tokens, width = x.shape
        n_left = self.count(n_tokens)
        n_near = self.neighbours if self.neighbours <= n_left else min(3, max(n_left // 2, 1))
        away = torch.cdist(x.float(), x.float()) / width**0.5
        near = away.topk(n_near, dim=-1, largest=False).values
        density = (-(near**2).mean(dim=-1)).exp()
        if noise is not None:
            density = density + torch.rand(density.shape, generator=noise) * NOISE
        denser = density[:, None, :] > density[:, :, None]
        farthest = away.flatten(1).amax(dim=-1)[:, None, None]
        apart = torch.where(denser, away, farthest).amin(dim=-1)  # from the next denser token; the densest: from all
        leaders = (apart * density).topk(n_left, dim=-1).indices
        nearest: Tensor = away[torch.arange(batch)[:, None], leaders].argmin(dim=1)
        return nearest.scatter(1, leaders, torch.arange(n_left).expand(batch, n_left))

    def merge(self, x: Tensor, noise: Generator | None = None) -> Tensor:
        """Return the merged tokens (batch, n left, width): means, in the precision of ``x``."""
        import torch

        batch, n_tokens, width = x.shape
        n_left = self.count(n_tokens)
        rows = (self.owners(x, noise) + n_left * torch.arange(batch)[:, None]).flatten()
        ones = x.new_ones(len(rows), 1)
        sizes = x.new_zeros(batch * n_left, 1).index_add_(0, rows, ones) + 1e-6
        parts = x.reshape(-1, width) * (ones / sizes[rows])
        return x.new_zeros(batch * n_left, width).index_add_(0, rows, parts).reshape(batch, n_left, width)


class Merging(NamedTuple):
    """The merging of a checkpoint."""

    spatial: tuple[Stage, ...]
    temporal: Stage

    def tokens(self, features: Tensor, noise: Generator | None = None) -> Tensor:
        """Turn patch features (frames, patches, width) of images, or of a video, into tokens (n, width)."""
        import torch

        events = self.events(features, noise) if len(features) >= VIDEO else []
        levels = self._levels(features, noise)
        if not events:
            return torch.cat(levels, dim=1).flatten(0, 1)
        merged = [
            stage.merge(level[frames].flatten(0, 1)[None], noise)[0]
            for frames in events
            for stage, level in zip(self.spatial, levels, strict=True)
        ]
        return torch.cat(merged)

    def events(self, features: Tensor, noise: Generator | None = None) -> list[list[int]]:
        """Return the frames of each event of a video, in the order of the events' first frames."""
        owners = self.temporal.owners(features.mean(dim=1)[None], noise)[0].tolist()
        frames: dict[int, list[int]] = {}
        for frame, owner in enumerate(owners):
            frames.setdefault(owner, []).append(frame)
        return list(frames.values())

    def _levels(self, x: Tensor, noise: Generator | None) -> list[Tensor]:
        levels = []
        for stage in self.spatial:
            x = stage.merge(x, noise)
            levels.append(x)
        return levels


def read_merging(config: Mapping[str, Any]) -> Merging:
    """Return the merging that a checkpoint's configuration tells of.

    :raises UsageError: when it tells of none.
    """
    told = config.get("config") or {}
    names = [*(f"spatial_cluster_rate{stage}" for stage in range(3)), "temporal_cluster_rate"]
    if not told.get("use_cluster") or any(name not in told for name in names):
        raise UsageError("The configuration of the checkpoint says nothing of merged tokens, so it is no Chat-UniVi.")
    *spatial, temporal = (Stage(float(told[name]), k) for name, k in zip(names, (5, 3, 3, 5), strict=True))
    return Merging(tuple(spatial), temporal)
