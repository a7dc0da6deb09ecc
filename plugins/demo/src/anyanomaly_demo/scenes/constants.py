"""Constants of the scenes: classes, frame size, frame rate, and the seeds of each split."""

from __future__ import annotations

from types import MappingProxyType

APPEARANCE = ("bicycle", "car", "hand truck", "stroller", "dog", "umbrella")
ACTION = ("running", "falling", "jumping", "loitering", "throwing", "fighting")

CLASSES: dict[str, tuple[str, ...]] = {"appearance": APPEARANCE, "action": ACTION}
"""The classes of each flavour, which are also their event texts."""

SIZE = (320, 240)
"""Width and height of a frame in pixels."""

FPS = 12.0
"""Frames per second."""

SPLITS = MappingProxyType(
    {
        "train": (0, "standard"),
        "validation": (1_000_000, "standard"),
        "test": (2_000_000, "standard"),
        "held-out": (3_000_000, "held-out"),
    }
)
"""First seed and style of each split."""

SPLIT_SEEDS = 1_000_000
"""Number of seeds in a split."""

VERSION = 2
"""Increased when a seed draws other pixels or labels than before, so that clips of two versions are never mixed."""
