"""Actors that are no event: people who walk by, look-alikes of events, and static things."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anyanomaly_demo.scenes import poses, things, vehicles
from anyanomaly_demo.scenes.actors import Actor, Stage, make_person, make_walker, travel, walking_phase
from anyanomaly_demo.scenes.camera import Colour, Pen
from anyanomaly_demo.scenes.constants import SIZE
from anyanomaly_demo.scenes.people import Joints
from anyanomaly_demo.scenes.poses import Floats


def pedestrian(stage: Stage) -> list[Actor]:
    """Somebody walks by, alone or beside somebody else."""
    x, y = stage.sample_position(10.0)
    anchor, speed, heading = int(stage.rng.integers(stage.n)), stage.rng.uniform(0.9, 1.5), stage.sample_heading()
    people = [make_walker(stage, anchor, x, y, heading, speed)]
    if stage.chance(0.2):
        gap = 0.65 * stage.camera.scale(y)
        people.append(make_walker(stage, anchor, x + 0.5 * gap, min(y + 0.6 * gap, 250.0), heading, speed))
    return people


def static_thing(stage: Stage, name: str, x: float | None = None, y: float | None = None) -> Actor:
    """Return a thing of ``things.STATIC``, in every frame at one place: ``x``, ``y`` in pixels, None: sampled."""
    spot = stage.sample_position(8.0)
    draw_thing, colours = things.STATIC[name]
    colour, variant = stage.style.sample_colour(stage.rng, colours), int(stage.rng.integers(1000))

    def paint(pen: Pen, index: int) -> None:
        draw_thing(pen, colour, variant)
        pen.end(name)

    n = stage.n
    heading = stage.rng.uniform(-0.3, 0.3)
    wide = {"tree": 0.9, "bench": 0.9, "bush": 0.5, "lamp": 0.15, "post": 0.12}.get(name, 0.35)
    return Actor(
        np.full(n, spot[0] if x is None else x),
        np.full(n, spot[1] if y is None else y),
        np.full(n, heading),
        stage.rng.uniform(0.85, 1.15) if name not in ("bench", "step") else 1.0,
        paint,
        (wide, {"tree": 3.0, "lamp": 4.0, "post": 1.2}.get(name, 0.7)),
        is_static=True,
    )


def sitting_person(stage: Stage) -> list[Actor]:
    """Somebody sits on a bench during the whole clip."""
    x, y = stage.sample_position()
    bench = static_thing(stage, "bench", x, y)
    pose = poses.sit(stage.n) + _sample_fidget(stage, 0.06)
    turn = np.full(stage.n, stage.rng.uniform(0.3, np.pi - 0.3))
    actor = make_person(stage, bench.x + stage.rng.uniform(-8, 8), bench.y + 1.0, turn, pose, shadow=(0.4, 0.8))
    return [bench, replace(actor, group=_sample_group(stage))]


def lying_person(stage: Stage) -> list[Actor]:
    """Somebody lies on a bench or on the ground during the whole clip, and moves a little."""
    x, y = stage.sample_position()
    n = stage.n
    turn = np.full(n, stage.sample_heading(0.2))
    pose = poses.lie(n, -1.0 if stage.chance(0.7) else 1.0) + _sample_fidget(stage, 0.08)
    xs, ys = np.full(n, x), np.full(n, y)
    actor = make_person(stage, xs, ys, turn, pose, shadow=(0.8, 0.2))
    if stage.chance(0.5):
        ahead = np.cos(turn[0]) * np.sign(pose[0, poses.ROLL]) * 0.85 * stage.camera.scale(y)
        return [static_thing(stage, "bench", x + ahead, y - 1.0), replace(actor, rise=0.45)]
    return [actor]


def standing_pair(stage: Stage) -> list[Actor]:
    """Two people stand together and talk, shake hands or hug: slow movements, where a fight is fast."""
    x, y = stage.sample_position()
    n, s = stage.n, stage.camera.scale(y)
    kind = str(stage.rng.choice(("talk", "talk", "hug", "hands")))
    gap = {"talk": stage.rng.uniform(0.6, 0.9), "hug": 0.34, "hands": 0.75}[kind] * s / 2
    tilt, group = stage.rng.uniform(-0.4, 0.4), _sample_group(stage)
    people = []
    for side in (-1.0, 1.0):
        pose = poses.still(n) + _sample_fidget(stage, 0.12)
        if kind == "hug":
            pose[:, [poses.ARM_L, poses.ARM_R]] = (1.25, 1.1)
            pose[:, [poses.ELBOW_L, poses.ELBOW_R]] = 0.7
        elif kind == "hands" or (kind == "talk" and stage.chance(0.6)):
            pose[:, poses.ARM_R] = 0.9 + 0.2 * np.sin(np.arange(n) * stage.rng.uniform(0.15, 0.35))
            pose[:, poses.ELBOW_R] = 0.7
            if kind == "talk":
                pose[:, poses.ARM_L] = pose[::-1, poses.ARM_R]
                pose[:, poses.ELBOW_L] = 1.2
        heading = np.full(n, tilt if side < 0 else np.pi + tilt)
        xs = np.full(n, x + side * gap * np.cos(tilt))
        ys = np.full(n, y + side * gap * np.sin(tilt) * stage.camera.pitch)
        people.append(replace(make_person(stage, xs, ys, heading, pose), group=group))
    return people


def arm_raising_walker(stage: Stage) -> list[Actor]:
    """Somebody walks with a raised ball, or waves: as in a throw, but nothing flies."""
    x, y = stage.sample_position()
    wave = stage.chance(0.4)
    colour, phase = stage.style.sample_colour(stage.rng, stage.style.paints), stage.rng.uniform(0, 6.3)
    level = stage.rng.uniform(2.2, 3.1)

    def raise_arm(pose: Floats) -> Floats:
        pose[:, poses.ARM_R] = level
        pose[:, poses.ELBOW_R] = 0.3
        if wave:
            t = np.arange(stage.n)
            pose[:, poses.SIDE_R] = 0.5 + 0.35 * np.sin(t * 1.1 + phase)
        return pose

    def draw_ball(pen: Pen, index: int, body: Joints) -> None:
        if not wave:
            u, v, w = body.hands[1]
            things.ball(pen, colour, u, v, w + 0.1, 0.15)
            pen.end("ball")

    anchor, speed = int(stage.rng.integers(stage.n)), stage.rng.uniform(0.5, 1.2)
    return [make_walker(stage, anchor, x, y, stage.sample_heading(), speed, raise_arm, after=draw_ball)]


def long_stride_walker(stage: Stage) -> list[Actor]:
    """Somebody walks with long strides: the poses of running at the speed of walking."""
    x, y = stage.sample_position()
    n, heading = stage.n, np.full(stage.n, stage.sample_heading(0.25))
    speed = np.full(n, stage.rng.uniform(0.9, 1.3))
    xs, ys = travel(stage, int(stage.rng.integers(n)), x, y, heading, speed)
    pose = poses.run(walking_phase(speed, 2.5))
    pose[:, poses.LIFT] *= 0.3
    return [make_person(stage, xs, ys, heading, pose)]


def pausing_walker(stage: Stage) -> list[Actor]:
    """Somebody walks, stands still for about a second, and walks on: too short for loitering."""
    x, y = stage.sample_position()
    n, heading = stage.n, np.full(stage.n, stage.sample_heading())
    start = int(stage.rng.integers(10, n - 20))
    moving = 1.0 - poses.ramp(n, start, start + 10)
    speed = stage.rng.uniform(0.9, 1.4) * moving
    xs, ys = travel(stage, start, x, y, heading, speed)
    return [make_person(stage, xs, ys, heading, poses.walk(walking_phase(speed), moving))]


def podium_walker(stage: Stage) -> list[Actor]:
    """Somebody steps onto a podium for a second, with arms up or down, and walks on: high, but no jump."""
    x, y = stage.sample_position()
    n, heading = stage.n, np.full(stage.n, stage.sample_heading(0.2))
    start = int(stage.rng.integers(6, n - 22))
    up = poses.ramp(n, start, start + 16, 4.0)
    speed = stage.rng.uniform(0.9, 1.2) * (1.0 - 0.85 * up)
    xs, ys = travel(stage, start + 8, x, y, heading, speed)
    pose = poses.walk(walking_phase(speed), np.clip(speed, 0.0, 1.0))
    pose[:, poses.LIFT] += 0.36 * poses.ease(up)
    if stage.chance(0.5):
        pose[:, [poses.ARM_L, poses.ARM_R]] += 2.4 * up[:, None]
    return [static_thing(stage, "step", x, y - 1.0), replace(make_person(stage, xs, ys, heading, pose), group=0)]


def scooter_rider(stage: Stage) -> list[Actor]:
    """Somebody rides a kick scooter: wheels and a bar, but no bicycle."""
    colour = stage.style.sample_colour(stage.rng, stage.style.paints)
    x, y = stage.sample_position()

    def stand(pose: Floats) -> Floats:
        pose = poses.push(poses.still(stage.n), 0.95)
        pose[:, poses.LIFT] = 0.14
        return pose

    def draw_scooter(pen: Pen, index: int, body: Joints) -> None:
        vehicles.scooter(pen, colour)

    anchor, speed = int(stage.rng.integers(stage.n)), stage.rng.uniform(1.6, 2.6)
    return [make_walker(stage, anchor, x, y, stage.sample_heading(0.25), speed, stand, before=draw_scooter)]


def luggage_carrier(stage: Stage) -> list[Actor]:
    """Somebody pulls a suitcase or carries a box: luggage, but no hand truck."""
    x, y = stage.sample_position()
    box = stage.chance(0.5)
    colour: Colour = stage.style.sample_colour(stage.rng, ((180, 144, 100),) if box else stage.style.paints)

    def hold(pose: Floats) -> Floats:
        if box:
            return poses.push(pose, 0.6)
        pose[:, poses.ARM_R] = -0.5
        return pose

    def draw_luggage(pen: Pen, index: int, body: Joints) -> None:
        if box:
            vehicles.carried_box(pen, colour, body)
        else:
            vehicles.suitcase(pen, colour, body.hands[1])

    anchor, speed = int(stage.rng.integers(stage.n)), stage.rng.uniform(0.8, 1.3)
    heading = stage.sample_heading(0.3)
    behind = np.sin(heading) < 0 if box else np.sin(heading) > 0
    return [
        make_walker(
            stage,
            anchor,
            x,
            y,
            heading,
            speed,
            hold,
            before=draw_luggage if behind else None,
            after=None if behind else draw_luggage,
        )
    ]


LOOK_ALIKES = {
    "action": (
        sitting_person,
        lying_person,
        standing_pair,
        arm_raising_walker,
        long_stride_walker,
        pausing_walker,
        podium_walker,
        standing_pair,
        lying_person,
        arm_raising_walker,
        long_stride_walker,
    ),
    "appearance": (
        scooter_rider,
        luggage_carrier,
        luggage_carrier,
        sitting_person,
        standing_pair,
        arm_raising_walker,
        scooter_rider,
    ),
}
"""By flavour: functions that return bystanders which resemble its events, as often as they are named."""
STATIC = {
    "action": ("bin", "tree", "bush", "lamp", "post", "bench", "box", "step"),
    "appearance": ("bin", "box", "cone", "post", "trolley", "lamp", "tree", "bush", "bench"),
}
"""By flavour: static things in its scenes."""


def foreground_thing(stage: Stage) -> Actor:
    """Return a lamp post, bush or tree at the lower border, nearer than anybody."""
    name = str(stage.rng.choice(("lamp", "bush", "tree")))
    x = stage.rng.uniform(20, SIZE[0] - 20)
    return static_thing(stage, name, x, SIZE[1] + stage.rng.uniform(4, 30))


def _sample_fidget(stage: Stage, size: float) -> Floats:
    """Sample small slow movements (n, WIDTH) of arms, legs and back."""
    t = np.arange(stage.n)[:, None]
    rates, starts = stage.rng.uniform(0.05, 0.2, poses.WIDTH), stage.rng.uniform(0, 6.3, poses.WIDTH)
    move = size * np.sin(t * rates + starts)
    move[:, [poses.LIFT, poses.ROLL]] = 0.0
    move[:, poses.THIGH_L : poses.KNEE_R + 1] *= 0.4
    return np.asarray(move)


def _sample_group(stage: Stage) -> int:
    return int(stage.rng.integers(1, 1 << 30))
