"""AUC per class, to follow the training."""

from __future__ import annotations

import torch


def auc_per_class(logits: torch.Tensor, labels: torch.Tensor) -> list[float]:
    """Return the AUC of each column: the fraction of (positive, negative) pairs in order; NaN when a label is missing.

    :param logits: (n, classes).
    :param labels: (n, classes); 0.5 or more is positive, 0 is negative, all other values and NaN are left out.
    """
    values = []
    for k in range(labels.shape[1]):
        positive, negative = logits[labels[:, k] >= 0.5, k], logits[labels[:, k] == 0, k]
        has_pairs = len(positive) and len(negative)
        values.append(float((positive[:, None] > negative[None]).float().mean()) if has_pairs else float("nan"))
    return values
