"""How bodies are held: arrays (n, 13) of joint angles in radians, and two lengths in metres, one row a frame."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

LEAN, LIFT, THIGH_L, KNEE_L, THIGH_R, KNEE_R, ARM_L, ELBOW_L, ARM_R, ELBOW_R, SIDE_L, SIDE_R, ROLL = range(13)
WIDTH = 13


def still(n: int) -> Floats:
    """Stand upright with hanging arms."""
    pose = np.zeros((n, WIDTH))
    pose[:, [KNEE_L, KNEE_R]] = 0.06
    pose[:, [ELBOW_L, ELBOW_R]] = 0.25
    pose[:, [SIDE_L, SIDE_R]] = 0.12
    return pose


def walk(phase: Floats, amount: Floats) -> Floats:
    """Walk; ``phase`` grows by 2 pi in two steps, ``amount`` 0 is standing still."""
    pose = still(len(phase))
    for thigh, knee, arm, elbow, turn in (
        (THIGH_L, KNEE_L, ARM_R, ELBOW_R, 0.0),
        (THIGH_R, KNEE_R, ARM_L, ELBOW_L, np.pi),
    ):
        swing = np.sin(phase + turn)
        pose[:, thigh] = amount * (0.44 * swing + 0.04)
        pose[:, knee] += amount * 0.8 * np.maximum(0.0, np.cos(phase + turn))
        pose[:, arm] = amount * 0.5 * swing
        pose[:, elbow] += amount * 0.2 * np.maximum(0.0, swing)
    pose[:, LEAN] = 0.04 * amount
    return pose


def run(phase: Floats) -> Floats:
    """Run: wide swing, bent elbows, leaning ahead. At a slow ``phase`` it is a walk with long strides."""
    pose = still(len(phase))
    for thigh, knee, arm, elbow, turn in (
        (THIGH_L, KNEE_L, ARM_R, ELBOW_R, 0.0),
        (THIGH_R, KNEE_R, ARM_L, ELBOW_L, np.pi),
    ):
        swing = np.sin(phase + turn)
        pose[:, thigh] = 0.2 + 0.8 * swing
        pose[:, knee] = 0.2 + 1.5 * np.maximum(0.0, np.cos(phase + turn + 0.3))
        pose[:, arm] = 0.95 * swing
        pose[:, elbow] = 1.45
    pose[:, LEAN] = 0.22
    pose[:, LIFT] = 0.09 * np.abs(np.cos(phase))
    return pose


def sit(n: int) -> Floats:
    """Sit, as high as the shin is long."""
    pose = still(n)
    pose[:, [THIGH_L, THIGH_R]] = 1.5
    pose[:, [KNEE_L, KNEE_R]] = 1.55
    pose[:, [ARM_L, ARM_R]] = 0.5
    pose[:, [ELBOW_L, ELBOW_R]] = 0.8
    pose[:, LEAN] = -0.08
    return pose


def lie(n: int, side: float = 1.0) -> Floats:
    """Lie stretched out: ``side`` 1 face down ahead of the feet, -1 on the back."""
    pose = still(n)
    pose[:, ROLL] = side * 1.5
    pose[:, [THIGH_L, KNEE_L]] = (0.35, 0.7)
    pose[:, [ARM_L, ARM_R]] = (0.9, -0.4)
    pose[:, [SIDE_L, SIDE_R]] = 0.5
    return pose


def pedal(phase: Floats) -> Floats:
    """Sit on a bicycle; the feet are put on the pedals by who draws it."""
    pose = still(len(phase))
    pose[:, LEAN] = 0.42
    pose[:, [ARM_L, ARM_R]] = 1.25
    pose[:, [ELBOW_L, ELBOW_R]] = 0.3
    for thigh, knee, turn in ((THIGH_L, KNEE_L, 0.0), (THIGH_R, KNEE_R, np.pi)):
        pose[:, thigh] = 0.95 + 0.4 * np.sin(phase + turn)
        pose[:, knee] = 1.15 + 0.5 * np.sin(phase + turn + 0.6)
    return pose


def push(pose: Floats, reach: float = 0.9) -> Floats:
    """Hold both hands ahead, as on a handle."""
    pose = pose.copy()
    pose[:, [ARM_L, ARM_R]] = reach - 0.25
    pose[:, [ELBOW_L, ELBOW_R]] = 0.55
    pose[:, [SIDE_L, SIDE_R]] = 0.0
    pose[:, LEAN] += 0.12
    return pose


def mix(one: Floats, other: Floats, share: Floats) -> Floats:
    """Go from ``one`` to ``other`` as ``share`` (n,) goes from 0 to 1."""
    return np.asarray(one + (other - one) * share[:, None])


def ramp(n: int, start: float, stop: float, soft: float = 3.0) -> Floats:
    """1 within [start, stop), rising and sinking over ``soft`` frames outside it. Shape (n,)."""
    t = np.arange(n, dtype=np.float64)
    return np.asarray(np.clip((t - start) / soft + 1.0, 0.0, 1.0) * np.clip((stop - 1 - t) / soft + 1.0, 0.0, 1.0))


def ease(share: Floats) -> Floats:
    """Smooth 0 to 1."""
    share = np.clip(share, 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share))
