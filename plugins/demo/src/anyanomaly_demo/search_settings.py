"""How the demo searches its clips: contexts with their weights, key frames, smoothing and threshold.

All values were chosen on the validation split, with the models that ship with the plugin.
"""

from __future__ import annotations

from typing import Any

CONTEXTS: dict[str, dict[str, Any]] = {
    "key": {"weight": 0.2},
    "position": {"weight": 0.1, "softmax": False, "min_brightness": 0.3},
    "temporal": {"weight": 0.7, "windows": 5},
}
"""Options of each context.

The paper has the weights 0.6, 0.3 and 0.1, a softmax over the texts, a position context that is black where the windows
resemble the text least, and one window in the temporal context.
"""
SELECTOR: dict[str, Any] = {"name": "top-then-group", "windows": [120]}
"""Options of the key frame selector.

The paper compares complete frames with the text; in those, this small CLIP hardly recognises things.
"""
WEIGHTS: dict[str, float] = {name: options["weight"] for name, options in CONTEXTS.items()}
"""Fusion weight of each context."""
SMOOTH_S = 1.0
"""Standard deviation of the smoothing, in seconds. An event lasts about four seconds."""
THRESHOLD = 0.35
"""Lowest score of a frame that belongs to an event: the threshold with the best F1.

It is low, because the scores are probabilities of rare events.
"""
MIXES: dict[str, tuple[str, ...]] = {
    "key frame alone": ("key",),
    "key + position": ("key", "position"),
    "key + temporal": ("key", "temporal"),
    "all three": ("key", "position", "temporal"),
}
"""Which contexts are fused in each row of the AUC table."""
