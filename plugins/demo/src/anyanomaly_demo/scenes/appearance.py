"""Appearance events, which one frame shows: things that move through the scene for some seconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from anyanomaly_demo.scenes import poses, vehicles
from anyanomaly_demo.scenes.actors import Actor, Stage, make_person, make_walker, travel, walking_phase
from anyanomaly_demo.scenes.camera import Pen
from anyanomaly_demo.scenes.constants import FPS, SIZE
from anyanomaly_demo.scenes.people import Joints
from anyanomaly_demo.scenes.poses import Floats


def _sample_passage(stage: Stage, speed: float, spread: float = 0.3) -> tuple[int, float, float, Floats]:
    """Sample how something crosses the scene: a frame, its column and row in that frame, and its headings (n,)."""
    rng, n = stage.rng, stage.n
    _, y = stage.sample_position()
    rightward = stage.chance(0.5)
    turn = float(np.clip(rng.normal(0, spread), -0.8, 0.8))
    heading = turn if rightward else np.pi - turn
    course = np.full(n, heading)
    cross = SIZE[0] / (speed * stage.camera.scale(y)) * FPS
    duration = int(rng.uniform(28, 64))
    if cross < 1.25 * duration or stage.chance(0.12):
        return int(rng.integers(n // 4, 3 * n // 4)), rng.uniform(120, 200), y, course
    entry, exit_ = (-6.0, SIZE[0] + 6.0) if rightward else (SIZE[0] + 6.0, -6.0)
    kind = rng.random()
    if kind < 0.35:  # enters and stays until the end
        return n - duration, entry, y, course
    if kind < 0.7:  # is in the frame at the start and leaves
        return duration, exit_, y, course
    start = int(rng.integers(4, n - duration))  # enters, turns round, and leaves where it entered
    back = poses.ease((np.arange(n, dtype=np.float64) - start - duration / 2 + 4) / 8.0)
    return start, entry, y, course + np.where(np.sin(heading) > 0, 1.0, -1.0) * np.pi * back


def bicycle(stage: Stage) -> list[Actor]:
    """Somebody rides a bicycle."""
    speed = stage.rng.uniform(2.4, 4.2)
    anchor, x, y, course = _sample_passage(stage, speed, 0.25)
    xs, ys = travel(stage, anchor, x, y, course, np.full(stage.n, speed))
    phase = walking_phase(np.full(stage.n, speed), 4.2)
    rows = poses.pedal(phase).tolist()
    outfit, colour = stage.sample_outfit(), stage.style.sample_colour(stage.rng, stage.style.paints)

    def paint(pen: Pen, index: int) -> None:
        vehicles.bicycle(pen, colour, float(phase[index]), outfit, rows[index])

    return [Actor(xs, ys, course, outfit.stature, paint, (0.75, 1.6), "bicycle")]


def car(stage: Stage) -> list[Actor]:
    """A car or a van drives by."""
    speed = stage.rng.uniform(2.5, 5.5)
    anchor, x, _, course = _sample_passage(stage, speed, 0.2)
    # not too near: a car is nearly as high as a person and three times as long
    y = stage.rng.uniform(stage.camera.top + 10.0, max(stage.camera.top + 30.0, 205.0))
    xs, ys = travel(stage, anchor, x, y, course, np.full(stage.n, speed))
    phase, van = walking_phase(np.full(stage.n, speed), 2.1), stage.chance(0.3)
    colour = stage.style.sample_colour(stage.rng, stage.style.paints)

    def paint(pen: Pen, index: int) -> None:
        vehicles.car(pen, colour, float(phase[index]), van)

    return [Actor(xs, ys, course, stage.rng.uniform(0.8, 1.0), paint, (1.9, 1.1), "car")]


def hand_truck(stage: Stage) -> list[Actor]:
    """Somebody pushes a hand truck with boxes."""
    colour = stage.style.sample_colour(stage.rng, ((190, 40, 36), (40, 70, 150), (130, 132, 136)))
    return _person_with_cart(stage, "hand truck", lambda pen, phase: vehicles.hand_truck(pen, colour, phase))


def stroller(stage: Stage) -> list[Actor]:
    """Somebody pushes a pram."""
    colour = stage.style.sample_colour(stage.rng, stage.style.paints)
    return _person_with_cart(stage, "stroller", lambda pen, phase: vehicles.stroller(pen, colour, phase))


def _person_with_cart(stage: Stage, name: str, paint: Callable[[Pen, float], None]) -> list[Actor]:
    """Return a person who pushes something on wheels, which ``paint`` draws for the metres that it has rolled."""
    speed = stage.rng.uniform(0.9, 1.4)
    anchor, x, y, course = _sample_passage(stage, speed)

    def draw_cart(pen: Pen, index: int) -> None:
        paint(pen, speed * index / FPS)

    def before(pen: Pen, index: int, body: Joints) -> None:
        if np.sin(course[index]) < 0:
            draw_cart(pen, index)

    def after(pen: Pen, index: int, body: Joints) -> None:
        if np.sin(course[index]) >= 0:
            draw_cart(pen, index)

    outfit = replace(stage.sample_outfit(), bag="")
    actor = make_walker(stage, anchor, x, y, course, speed, poses.push, before=before, after=after, outfit=outfit)
    return [replace(actor, event=name, shadow=(0.6, 1.5))]


def dog(stage: Stage) -> list[Actor]:
    """A dog, alone or on a leash beside somebody."""
    has_owner = stage.chance(0.65)
    speed = stage.rng.uniform(1.0, 1.5) if has_owner else stage.rng.uniform(1.2, 2.4)
    anchor, x, y, course = _sample_passage(stage, speed)
    n, size = stage.n, stage.rng.uniform(0.9, 1.3)
    pace = np.full(n, speed)
    xs, ys = travel(stage, anchor, x, y, course, pace)
    phase = walking_phase(pace, 0.95 * size)
    coats = ((120, 80, 45), (40, 36, 34), (205, 180, 140), (230, 226, 220), (150, 120, 90))
    colour = stage.style.sample_colour(stage.rng, coats)
    s = stage.camera.scale(y)

    def paint(pen: Pen, index: int) -> None:
        vehicles.dog(pen, colour, float(phase[index]), size, float(np.sin(index * 1.9)))

    animal = Actor(xs, ys, course, 1.0, paint, (0.45, 0.5), "dog")
    if not has_owner:
        return [animal]

    def draw_leash(pen: Pen, index: int, body: Joints) -> None:
        neck = pen.at(1.35 * size, 0.55, 0.62 * size)
        pen.line(pen.at(*body.hands[0]), neck, 0.025, (40, 30, 30))

    def hold_leash(pose: Floats) -> Floats:
        pose[:, poses.ARM_L] = 0.55
        return pose

    # the owner walks a metre behind and a little farther away
    ox = xs - 0.95 * s * np.cos(course)
    oy = ys - 0.95 * s * np.sin(course) * stage.camera.pitch - 2.0
    pose = hold_leash(poses.walk(walking_phase(pace), np.full(n, min(1.1, speed / 1.2))))
    owner = make_person(stage, ox, oy, course, pose, after=draw_leash)
    group = int(stage.rng.integers(1, 1 << 30))
    return [replace(owner, group=group), replace(animal, group=group)]


def umbrella(stage: Stage) -> list[Actor]:
    """Somebody walks under an umbrella."""
    speed = stage.rng.uniform(0.9, 1.4)
    anchor, x, y, course = _sample_passage(stage, speed)
    colour = stage.style.sample_colour(stage.rng, stage.style.paints)
    second_colour = colour if stage.chance(0.5) else stage.style.sample_colour(stage.rng, stage.style.tops)

    def raise_hand(pose: Floats) -> Floats:
        pose[:, poses.ARM_R] = 0.5 + 0.1 * pose[:, poses.ARM_R]
        pose[:, poses.ELBOW_R] = 1.9
        return pose

    def draw_umbrella(pen: Pen, index: int, body: Joints) -> None:
        vehicles.umbrella(pen, colour, second_colour, body.hands[1])

    outfit = replace(stage.sample_outfit(), hat="")
    actor = make_walker(stage, anchor, x, y, course, speed, raise_hand, after=draw_umbrella, outfit=outfit)
    return [replace(actor, event="umbrella", shadow=(0.6, 1.9))]


BUILDERS = {
    "bicycle": bicycle,
    "car": car,
    "hand truck": hand_truck,
    "stroller": stroller,
    "dog": dog,
    "umbrella": umbrella,
}
"""By class: the function that returns the actors of an event."""
