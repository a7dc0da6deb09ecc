"""Poses: arrays (n, 13) with one row per frame, of joint angles in radians; LIFT is a height in metres."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

LEAN, LIFT, THIGH_L, KNEE_L, THIGH_R, KNEE_R, ARM_L, ELBOW_L, ARM_R, ELBOW_R, SIDE_L, SIDE_R, ROLL = range(13)
WIDTH = 13


def still(n: int) -> Floats:
    """Return the pose of somebody who stands upright with hanging arms."""
    pose = np.zeros((n, WIDTH))
    pose[:, [KNEE_L, KNEE_R]] = 0.06
    pose[:, [ELBOW_L, ELBOW_R]] = 0.25
    pose[:, [SIDE_L, SIDE_R]] = 0.12
    return pose


def walk(phase: Floats, amount: Floats) -> Floats:
    """Return walking poses: ``phase`` (n,) grows by 2 pi in two steps, ``amount`` (n,) is 0 for standing still."""
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
    """Return running poses for ``phase`` (n,): wide swing, bent elbows. A slow phase gives a walk with long strides."""
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
    """Return the pose of somebody who sits, as high as the shin is long."""
    pose = still(n)
    pose[:, [THIGH_L, THIGH_R]] = 1.5
    pose[:, [KNEE_L, KNEE_R]] = 1.55
    pose[:, [ARM_L, ARM_R]] = 0.5
    pose[:, [ELBOW_L, ELBOW_R]] = 0.8
    pose[:, LEAN] = -0.08
    return pose


def lie(n: int, side: float = 1.0) -> Floats:
    """Return the pose of somebody who lies: ``side`` 1 face down, ahead of the feet; -1 on the back."""
    pose = still(n)
    pose[:, ROLL] = side * 1.5
    pose[:, [THIGH_L, KNEE_L]] = (0.35, 0.7)
    pose[:, [ARM_L, ARM_R]] = (0.9, -0.4)
    pose[:, [SIDE_L, SIDE_R]] = 0.5
    return pose


def pedal(phase: Floats) -> Floats:
    """Return cycling poses for the pedals' ``phase`` (n,). ``vehicles.bicycle`` places the feet on the pedals."""
    pose = still(len(phase))
    pose[:, LEAN] = 0.42
    pose[:, [ARM_L, ARM_R]] = 1.25
    pose[:, [ELBOW_L, ELBOW_R]] = 0.3
    for thigh, knee, turn in ((THIGH_L, KNEE_L, 0.0), (THIGH_R, KNEE_R, np.pi)):
        pose[:, thigh] = 0.95 + 0.4 * np.sin(phase + turn)
        pose[:, knee] = 1.15 + 0.5 * np.sin(phase + turn + 0.6)
    return pose


def push(pose: Floats, reach: float = 0.9) -> Floats:
    """Return ``pose`` with both hands ahead, as on a handle."""
    pose = pose.copy()
    pose[:, [ARM_L, ARM_R]] = reach - 0.25
    pose[:, [ELBOW_L, ELBOW_R]] = 0.55
    pose[:, [SIDE_L, SIDE_R]] = 0.0
    pose[:, LEAN] += 0.12
    return pose


def mix(first: Floats, second: Floats, fraction: Floats) -> Floats:
    """Interpolate between two poses: ``fraction`` (n,) 0 is ``first``, 1 is ``second``."""
    return np.asarray(first + (second - first) * fraction[:, None])


def ramp(n: int, start: float, stop: float, soft: float = 3.0) -> Floats:
    """Return 1 for the frames [start, stop), with a slope of ``soft`` frames down to 0 on either side. Shape (n,)."""
    t = np.arange(n, dtype=np.float64)
    return np.asarray(np.clip((t - start) / soft + 1.0, 0.0, 1.0) * np.clip((stop - 1 - t) / soft + 1.0, 0.0, 1.0))


def ease(fraction: Floats) -> Floats:
    """Return ``fraction``, clipped to 0 to 1, with a smooth start and end."""
    fraction = np.clip(fraction, 0.0, 1.0)
    return np.asarray(fraction * fraction * (3.0 - 2.0 * fraction))
