"""Who is in a scene: a place, a pose and an event for every frame, and how it is painted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anyanomaly_demo.scenes import poses
from anyanomaly_demo.scenes.camera import Camera, Extent, Pen
from anyanomaly_demo.scenes.facts import FPS, SIZE
from anyanomaly_demo.scenes.people import Joints, Outfit, draw_outfit, draw_person, joints
from anyanomaly_demo.scenes.poses import Floats
from anyanomaly_demo.scenes.style import Style

Bools = npt.NDArray[np.bool_]
Extra = Callable[[Pen, int, Joints], None]

STRIDE = 1.5  # metres of a walking cycle of two steps


@dataclass(slots=True)
class Actor:
    """Something that stands on the ground. Arrays have a row per frame."""

    x: Floats
    y: Floats  # the row where it stands; nearer actors have larger ones
    heading: Floats
    size: float  # what metres are multiplied with
    paint: Callable[[Pen, int], None]
    shadow: tuple[float, float]  # half width on the ground and height, metres; 0: none
    event: str | None = None
    active: Bools | None = None  # None with an event: always
    shown: Bools | None = None  # None: always
    rise: float = 0.0  # metres above the ground it stands on
    group: int = 0  # actors of one group do not hide each other
    still: bool = False  # the same in every frame
    parts: list[tuple[str, Extent]] | None = None  # of what is still: measured once

    def goes_on(self, index: int) -> bool:
        """Whether its event goes on in a frame, seen or not."""
        return self.event is not None and (self.active is None or bool(self.active[index]))


@dataclass(frozen=True, slots=True)
class Stage:
    """What the builders of actors share."""

    rng: np.random.Generator
    style: Style
    n: int

    @property
    def camera(self) -> Camera:
        """The camera of the clip."""
        return self.style.camera

    def chance(self, p: float) -> bool:
        """Draw True with probability ``p``."""
        return bool(self.rng.random() < p)

    def spot(self, margin: float = 40.0) -> tuple[float, float]:
        """A place on the ground whose whole person is in the frame."""
        low = max(self.camera.top + 4.0, 60.0)
        return float(self.rng.uniform(margin, SIZE[0] - margin)), float(self.rng.uniform(low, SIZE[1] - 8.0))

    def course(self, spread: float = 0.45) -> float:
        """A heading, mostly along the rows, to the right or to the left."""
        turn = float(np.clip(self.rng.normal(0.0, spread), -1.1, 1.1))
        return turn if self.chance(0.5) else np.pi - turn

    def outfit(self) -> Outfit:
        """Somebody's looks."""
        return draw_outfit(self.rng, self.style)


def travel(stage: Stage, at: int, x: float, y: float, heading: Floats, speed: Floats) -> tuple[Floats, Floats]:
    """Columns and rows (n,) of who is at ``x``, ``y`` in frame ``at`` and goes with ``speed`` metres a second."""
    camera = stage.camera
    xs, ys = np.empty(stage.n), np.empty(stage.n)
    # who left by the lower border stays out: rows far below it would be giants
    low, floor = camera.top, SIZE[1] + 60.0
    across, along = (speed * np.cos(heading) / FPS).tolist(), (speed * np.sin(heading) * camera.pitch / FPS).tolist()
    for frames, way in ((range(at, stage.n), 1.0), (range(at - 1, -1, -1), -1.0)):
        px, py = x, y
        for i in frames:
            if i != at:
                k = i - 1 if way > 0 else i
                s = camera.scale(py)
                px += way * s * across[k]
                py = min(max(py + way * s * along[k], low), floor)
            xs[i], ys[i] = px, py
    return xs, ys


def gait(speed: Floats, stride: float = STRIDE, start: float = 0.0) -> Floats:
    """Phase of the walking cycle (n,) for ``speed`` in metres a second."""
    return np.asarray(start + np.cumsum(speed) / FPS / stride * 2 * np.pi)


def person(
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
    """Make a person; ``before`` and ``after`` paint what is behind and in front of the body."""
    looks = outfit or stage.outfit()
    rows = pose.tolist()

    def paint(pen: Pen, index: int) -> None:
        where = joints(rows[index])
        if before is not None:
            before(pen, index, where)
        draw_person(pen, looks, where)
        pen.end("person")
        if after is not None:
            after(pen, index, where)

    return Actor(x, y, heading, looks.stature, paint, shadow)


def walker(
    stage: Stage,
    at: int,
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
    """Make a person who walks through ``x``, ``y`` in frame ``at``; ``change`` alters the walking poses."""
    course = np.full(stage.n, heading) if isinstance(heading, float) else heading
    pace = np.full(stage.n, speed)
    xs, ys = travel(stage, at, x, y, course, pace)
    pose = poses.walk(gait(pace, start=stage.rng.uniform(0, 6.3)), np.full(stage.n, min(1.1, speed / 1.2)))
    if change is not None:
        pose = change(pose)
    return person(stage, xs, ys, course, pose, outfit, before=before, after=after)
