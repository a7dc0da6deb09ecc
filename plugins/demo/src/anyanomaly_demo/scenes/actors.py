"""The actors of a scene: position, pose and event in every frame, and a function that draws them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anyanomaly_demo.scenes import poses
from anyanomaly_demo.scenes.camera import Camera, Extent, Pen
from anyanomaly_demo.scenes.constants import FPS, SIZE
from anyanomaly_demo.scenes.people import Joints, Outfit, draw_person, joints, sample_outfit
from anyanomaly_demo.scenes.poses import Floats
from anyanomaly_demo.scenes.style import Style

Bools = npt.NDArray[np.bool_]
Extra = Callable[[Pen, int, Joints], None]

STRIDE = 1.5  # metres per walking cycle of two steps


@dataclass(slots=True)
class Actor:
    """A person, animal, vehicle or thing on the ground. Arrays have one entry per frame: shape (n,)."""

    x: Floats  # column in pixels
    y: Floats  # row where it stands; larger is nearer
    heading: Floats  # radians
    size: float  # scale factor of all its lengths
    paint: Callable[[Pen, int], None]  # draws a frame
    shadow: tuple[float, float]  # half width on the ground and height, metres; 0: no shadow
    event: str | None = None
    active: Bools | None = None  # frames in which the event happens; None with an event: all
    present: Bools | None = None  # None: in all frames
    rise: float = 0.0  # metres above the ground
    group: int = 0  # actors of one group do not hide each other
    is_static: bool = False  # the same in every frame
    parts: list[tuple[str, Extent]] | None = None  # cache of the extents of a static actor

    def is_active(self, index: int) -> bool:
        """Return whether its event happens in frame ``index``, visible or not."""
        return self.event is not None and (self.active is None or bool(self.active[index]))


@dataclass(frozen=True, slots=True)
class Stage:
    """Shared inputs of all functions that make actors: random numbers, style and number of frames."""

    rng: np.random.Generator
    style: Style
    n: int  # frames

    @property
    def camera(self) -> Camera:
        """The camera of the clip."""
        return self.style.camera

    def chance(self, p: float) -> bool:
        """Sample True with probability ``p``."""
        return bool(self.rng.random() < p)

    def sample_position(self, margin: float = 40.0) -> tuple[float, float]:
        """Sample a point on the ground (column, row) where a person fits into the frame."""
        low = max(self.camera.top + 4.0, 60.0)
        return float(self.rng.uniform(margin, SIZE[0] - margin)), float(self.rng.uniform(low, SIZE[1] - 8.0))

    def sample_heading(self, spread: float = 0.45) -> float:
        """Sample a heading in radians: to the right or to the left, mostly along the rows."""
        turn = float(np.clip(self.rng.normal(0.0, spread), -1.1, 1.1))
        return turn if self.chance(0.5) else np.pi - turn

    def sample_outfit(self) -> Outfit:
        """Sample an outfit."""
        return sample_outfit(self.rng, self.style)


def travel(stage: Stage, anchor: int, x: float, y: float, heading: Floats, speed: Floats) -> tuple[Floats, Floats]:
    """Return the columns and rows (n,) of an actor that moves.

    :param anchor: the frame in which it is at ``x``, ``y``, in pixels.
    :param heading: radians (n,).
    :param speed: metres a second (n,).
    """
    camera = stage.camera
    xs, ys = np.empty(stage.n), np.empty(stage.n)
    # an actor that left by the lower border stays just below it: farther down it would be a giant
    min_y, max_y = camera.top, SIZE[1] + 60.0
    across, along = (speed * np.cos(heading) / FPS).tolist(), (speed * np.sin(heading) * camera.pitch / FPS).tolist()
    for frames, direction in ((range(anchor, stage.n), 1.0), (range(anchor - 1, -1, -1), -1.0)):
        px, py = x, y
        for i in frames:
            if i != anchor:
                k = i - 1 if direction > 0 else i
                s = camera.scale(py)
                px += direction * s * across[k]
                py = min(max(py + direction * s * along[k], min_y), max_y)
            xs[i], ys[i] = px, py
    return xs, ys


def walking_phase(speed: Floats, stride: float = STRIDE, start: float = 0.0) -> Floats:
    """Return the phase of the walking cycle (n,) in radians, for ``speed`` (n,) in metres a second."""
    return np.asarray(start + np.cumsum(speed) / FPS / stride * 2 * np.pi)


def make_person(
    stage: Stage,
    x: Floats,
    y: Floats,
    heading: Floats,
    pose: Floats,
    outfit: Outfit | None = None,
    *,
    before: Extra | None = None,
    after: Extra | None = None,
    shadow: tuple[float, float] = (0.28, 1.7),
) -> Actor:
    """Return a person; ``before`` and ``after`` draw things behind and in front of the body."""
    clothes = outfit or stage.sample_outfit()
    rows = pose.tolist()

    def paint(pen: Pen, index: int) -> None:
        body = joints(rows[index])
        if before is not None:
            before(pen, index, body)
        draw_person(pen, clothes, body)
        pen.end("person")
        if after is not None:
            after(pen, index, body)

    return Actor(x, y, heading, clothes.stature, paint, shadow)


def make_walker(
    stage: Stage,
    anchor: int,
    x: float,
    y: float,
    heading: Floats | float,
    speed: float,
    change: Callable[[Floats], Floats] | None = None,
    *,
    before: Extra | None = None,
    after: Extra | None = None,
    outfit: Outfit | None = None,
) -> Actor:
    """Return a person who is at ``x``, ``y`` in frame ``anchor`` and walks; ``change`` alters the walking poses."""
    course = np.full(stage.n, heading) if isinstance(heading, float) else heading
    pace = np.full(stage.n, speed)
    xs, ys = travel(stage, anchor, x, y, course, pace)
    pose = poses.walk(walking_phase(pace, start=stage.rng.uniform(0, 6.3)), np.full(stage.n, min(1.1, speed / 1.2)))
    if change is not None:
        pose = change(pose)
    return make_person(stage, xs, ys, course, pose, outfit, before=before, after=after)
