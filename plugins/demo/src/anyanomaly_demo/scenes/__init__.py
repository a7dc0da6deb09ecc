"""Synthetic scenes: clips of a fixed camera over a street, drawn from a seed, with boxes and labels."""

from anyanomaly_demo.scenes.constants import ACTION, APPEARANCE, CLASSES, FPS, SIZE, SPLIT_SEEDS, SPLITS, VERSION
from anyanomaly_demo.scenes.planning import make_scene
from anyanomaly_demo.scenes.scene import Scene, SceneBox, SceneEvent, compress
from anyanomaly_demo.scenes.style import STYLES

__all__ = [
    "ACTION",
    "APPEARANCE",
    "CLASSES",
    "FPS",
    "SIZE",
    "SPLITS",
    "SPLIT_SEEDS",
    "STYLES",
    "VERSION",
    "Scene",
    "SceneBox",
    "SceneEvent",
    "compress",
    "make_scene",
]
