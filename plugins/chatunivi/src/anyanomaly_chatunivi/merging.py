"""Dynamic visual tokens: clusters of similar tokens are merged into one token each (DPC-KNN clustering).

::

    1 or 2 images    patches -> 64 -> 32 -> 16 tokens; an image has all 112 of them
    3 or more        frames -> one event per 16 frames; the 64, 32 and 16 tokens of the frames of an event are merged
                     again to 64, 32 and 16, so that an event has 112 tokens, as an image has

Nothing here is learned. The order of operations and the precision of each equal the original, because the last bits of
a density decide which token is a cluster's centre. For the same reason it runs on the CPU: sums on a GPU change from
run to run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from anyanomaly.errors import UsageError

if TYPE_CHECKING:
    from torch import Generator, Tensor

NOISE_SCALE = 1e-6
MIN_VIDEO_FRAMES = 3  # fewer images are separate images, as in the original


class Stage(NamedTuple):
    """One clustering: the number of clusters, and the number of neighbours that define a token's density."""

    rate: float  # above 1: number of clusters; else: fraction of the number of tokens
    n_neighbours: int

    def count_clusters(self, n_tokens: int) -> int:
        """Return the number of clusters of ``n_tokens`` tokens."""
        n_clusters = math.ceil(self.rate if self.rate > 1 else n_tokens * self.rate)
        return min(max(n_clusters, 1), n_tokens)

    def assign_clusters(self, x: Tensor, noise: Generator | None = None) -> Tensor:
        """Return the cluster index (batch, n) of each token.

        Clusters are numbered by how clearly their centres stand out, not by position.

        :param x: tokens (batch, n, width).
        :param noise: generator of the noise that decides between tokens of equal density; None: no noise.
        """
        import torch

        batch, n_tokens, width = x.shape
        n_clusters = self.count_clusters(n_tokens)
        n_nearest = self.n_neighbours if self.n_neighbours <= n_clusters else min(3, max(n_clusters // 2, 1))
        distances = torch.cdist(x.float(), x.float()) / width**0.5
        nearest_distances = distances.topk(n_nearest, dim=-1, largest=False).values
        density = (-(nearest_distances**2).mean(dim=-1)).exp()
        if noise is not None:
            density = density + torch.rand(density.shape, generator=noise) * NOISE_SCALE
        is_denser = density[:, None, :] > density[:, :, None]
        max_distance = distances.flatten(1).amax(dim=-1)[:, None, None]
        separation = torch.where(is_denser, distances, max_distance).amin(dim=-1)  # from the nearest denser token
        centres = (separation * density).topk(n_clusters, dim=-1).indices
        assignment: Tensor = distances[torch.arange(batch)[:, None], centres].argmin(dim=1)
        return assignment.scatter(1, centres, torch.arange(n_clusters).expand(batch, n_clusters))

    def merge(self, x: Tensor, noise: Generator | None = None) -> Tensor:
        """Return the mean of each cluster (batch, n_clusters, width), in the precision of ``x``.

        :param x: tokens (batch, n, width). :param noise: as in ``assign_clusters``.
        """
        import torch

        batch, n_tokens, width = x.shape
        n_clusters = self.count_clusters(n_tokens)
        rows = (self.assign_clusters(x, noise) + n_clusters * torch.arange(batch)[:, None]).flatten()
        counts = x.new_ones(len(rows), 1)
        sizes = x.new_zeros(batch * n_clusters, 1).index_add_(0, rows, counts) + 1e-6
        weighted = x.reshape(-1, width) * (counts / sizes[rows])
        return x.new_zeros(batch * n_clusters, width).index_add_(0, rows, weighted).reshape(batch, n_clusters, width)


class Merging(NamedTuple):
    """The clusterings of a checkpoint."""

    spatial: tuple[Stage, ...]
    temporal: Stage

    def merge_frames(self, features: Tensor, noise: Generator | None = None) -> Tensor:
        """Return the tokens (n, width) of images, or of a video from ``MIN_VIDEO_FRAMES`` frames.

        :param features: patch features (frames, patches, width). :param noise: as in ``Stage.assign_clusters``.
        """
        import torch

        events = self.find_events(features, noise) if len(features) >= MIN_VIDEO_FRAMES else []
        levels = self._merge_levels(features, noise)
        if not events:
            return torch.cat(levels, dim=1).flatten(0, 1)
        event_tokens = [
            stage.merge(level[frames].flatten(0, 1)[None], noise)[0]
            for frames in events
            for stage, level in zip(self.spatial, levels, strict=True)
        ]
        return torch.cat(event_tokens)

    def find_events(self, features: Tensor, noise: Generator | None = None) -> list[list[int]]:
        """Return the frame indices of each event of a video; events are sorted by their first frames.

        :param features: patch features (frames, patches, width). :param noise: as in ``Stage.assign_clusters``.
        """
        assignment = self.temporal.assign_clusters(features.mean(dim=1)[None], noise)[0].tolist()
        frames: dict[int, list[int]] = {}
        for frame, event in enumerate(assignment):
            frames.setdefault(event, []).append(frame)
        return list(frames.values())

    def _merge_levels(self, x: Tensor, noise: Generator | None) -> list[Tensor]:
        levels = []
        for stage in self.spatial:
            x = stage.merge(x, noise)
            levels.append(x)
        return levels


def read_merging(config: Mapping[str, Any]) -> Merging:
    """Return the clusterings that a checkpoint's configuration sets.

    :raises UsageError: when it sets none.
    """
    settings = config.get("config") or {}
    names = [*(f"spatial_cluster_rate{stage}" for stage in range(3)), "temporal_cluster_rate"]
    if not settings.get("use_cluster") or any(name not in settings for name in names):
        raise UsageError("The checkpoint's configuration has no settings for merged tokens, so it is no Chat-UniVi.")
    *spatial, temporal = (Stage(float(settings[name]), k) for name, k in zip(names, (5, 3, 3, 5), strict=True))
    return Merging(tuple(spatial), temporal)
