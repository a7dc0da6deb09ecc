"""What is fixed about the made scenes: classes, frame size, rate, and which seeds belong to which split."""

from __future__ import annotations

from types import MappingProxyType

APPEARANCE = ("bicycle", "car", "hand truck", "stroller", "dog", "umbrella")
ACTION = ("running", "falling", "jumping", "loitering", "throwing", "fighting")

CLASSES: dict[str, tuple[str, ...]] = {"appearance": APPEARANCE, "action": ACTION}
"""The event texts of each flavour, word for word."""

SIZE = (320, 240)
"""Width and height of a frame in pixels."""

FPS = 12.0

SPLITS = MappingProxyType(
    {
        "train": (0, "standard"),
        "validation": (1_000_000, "standard"),
        "test": (2_000_000, "standard"),
        "held-out": (3_000_000, "held-out"),
    }
)
"""Split to its first seed and its style. A split has a million seeds."""

SPLIT_SEEDS = 1_000_000

VERSION = 2
"""Goes up when a seed draws something else than before: written clips are not mixed with those of another version."""
