"""Action events, which only motion shows: somebody acts for some seconds, and may walk before and after."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anyanomaly_demo.scenes import poses, things
from anyanomaly_demo.scenes.actors import Actor, Bools, Stage, make_person, travel, walking_phase
from anyanomaly_demo.scenes.camera import Pen
from anyanomaly_demo.scenes.constants import FPS, SIZE
from anyanomaly_demo.scenes.people import joints
from anyanomaly_demo.scenes.poses import Floats


def _sample_span(stage: Stage, low: int, high: int) -> tuple[int, int]:
    """Sample the frames [start, stop) of an act that lasts ``low`` frames or more, fewer than ``high``."""
    duration = min(int(stage.rng.integers(low, high)), stage.n - 12)
    start = int(stage.rng.integers(4, stage.n - duration - 3))
    return start, start + duration


def _frames_between(stage: Stage, start: int, stop: int) -> Bools:
    t = np.arange(stage.n)
    return np.asarray((t >= start) & (t < stop))


def running(stage: Stage) -> list[Actor]:
    """Somebody runs, and may walk before and after."""
    rng, n = stage.rng, stage.n
    pace = rng.uniform(3.2, 4.6)
    duration = int(rng.uniform(26, 46))
    start, stop = _sample_span(stage, duration, duration + 1)
    mid = (start + stop) // 2
    heading = np.full(n, stage.sample_heading(0.3))
    _, y = stage.sample_position()
    y = min(y, stage.camera.row_for(0.85 * stage.camera.metre) + 40.0)
    if stage.chance(0.5):
        runs, active = poses.ramp(n, start, stop, 4.0), _frames_between(stage, start, stop)
    else:
        runs, active = np.ones(n), np.ones(n, np.bool_)
    speed = 1.2 + (pace - 1.2) * runs
    xs, ys = travel(stage, mid, rng.uniform(110, 210), y, heading, speed)
    phase = np.cumsum(speed / (1.5 + 1.2 * runs)) / FPS * 2 * np.pi
    pose = poses.mix(poses.walk(phase, np.ones(n)), poses.run(phase), runs)
    return [replace(make_person(stage, xs, ys, heading, pose), event="running", active=active)]


def falling(stage: Stage) -> list[Actor]:
    """Somebody walks, falls over, lies for a moment, and gets up unless the clip ends."""
    rng, n = stage.rng, stage.n
    drop, lying = int(rng.integers(8, 12)), int(rng.integers(12, 24))
    stays = stage.chance(0.3)
    start = n - drop - lying if stays else int(rng.integers(8, n - drop - lying - 6))
    down = start + drop
    up = down + lying
    heading = np.full(n, stage.sample_heading(0.35))
    x, y = stage.sample_position(55.0)
    moving = 1.0 - poses.ramp(n, start + 2, up + 16, 2.0)
    speed = rng.uniform(0.9, 1.5) * moving
    xs, ys = travel(stage, start, x, y, heading, speed)
    side = 1.0 if stage.chance(0.75) else -1.0
    t = np.arange(n, dtype=np.float64)
    tipped = np.clip((t - start) / drop, 0, 1) ** 1.8 * (1.0 - poses.ease((t - up) / 14.0))
    middle = 4.0 * tipped * (1.0 - tipped)
    pose = poses.mix(poses.walk(walking_phase(speed), moving), poses.lie(n, side), tipped)
    pose[:, [poses.ARM_L, poses.ARM_R]] += 1.3 * middle[:, None]
    pose[:, [poses.THIGH_L, poses.KNEE_R]] += 0.5 * middle[:, None]
    # people squat while they get up
    rises = np.where(t > up, middle, 0.0)[:, None]
    pose[:, [poses.THIGH_L, poses.THIGH_R]] += 0.9 * rises
    pose[:, [poses.KNEE_L, poses.KNEE_R]] += 1.3 * rises
    actor = make_person(stage, xs, ys, heading, pose)
    return [replace(actor, event="falling", active=_frames_between(stage, start, up))]


def jumping(stage: Stage) -> list[Actor]:
    """Somebody stops and hops several times."""
    rng, n = stage.rng, stage.n
    period, count = float(rng.uniform(7.5, 10.0)), int(rng.integers(3, 6))
    start, stop = _sample_span(stage, int(period * count), int(period * count) + 1)
    x, y = stage.sample_position()
    heading = np.full(n, stage.sample_heading())
    acts = poses.ramp(n, start, stop, 3.0)
    speed = rng.uniform(0.9, 1.4) * (1.0 - acts)
    xs, ys = travel(stage, (start + stop) // 2, x, y, heading, speed)
    beat = np.clip((np.arange(n) - start) / period, 0, count) % 1.0
    crouch = np.clip(1.0 - np.abs(beat - 0.12) / 0.16, 0, 1) + np.clip(1.0 - np.abs(beat - 0.95) / 0.12, 0, 1)
    flight = np.clip((beat - 0.22) / 0.66, 0, 1)
    air = 4.0 * flight * (1.0 - flight)
    hop = poses.still(n)
    for thigh, knee in ((poses.THIGH_L, poses.KNEE_L), (poses.THIGH_R, poses.KNEE_R)):
        hop[:, thigh] += 0.75 * crouch + 0.35 * air
        hop[:, knee] += 1.35 * crouch + 0.7 * air
    arms = rng.uniform(1.2, 2.7)
    hop[:, [poses.ARM_L, poses.ARM_R]] = (-0.5 * crouch + arms * air)[:, None]
    hop[:, poses.LEAN] = 0.35 * crouch
    pose = poses.mix(poses.walk(walking_phase(speed), 1.0 - acts), hop, acts)
    during = _frames_between(stage, start, stop)
    pose[:, poses.LIFT] = rng.uniform(0.35, 0.6) * air * during
    return [replace(make_person(stage, xs, ys, heading, pose), event="jumping", active=during)]


def loitering(stage: Stage) -> list[Actor]:
    """Somebody loiters: stands, turns, and paces two steps to and fro."""
    rng, n = stage.rng, stage.n
    start, stop = _sample_span(stage, 44, 84)
    if stage.chance(0.3):
        start = 0
    x, y = stage.sample_position()
    course = stage.sample_heading()
    t = np.arange(n, dtype=np.float64)
    stays = poses.ramp(n, start, stop, 3.0)
    # paces of about a second, each with a new heading, some of them standing
    heading, speed = np.full(n, course), np.full(n, rng.uniform(0.9, 1.3))
    frame, turn, paces = start, course, stage.chance(0.65)
    while frame < stop:
        until = min(stop, frame + int(rng.integers(9, 18)))
        turn += np.pi + rng.uniform(-0.7, 0.7) if paces else rng.uniform(-1.5, 1.5)
        heading[frame:until] = turn
        speed[frame:until] = rng.uniform(0.35, 0.6) if paces and stage.chance(0.7) else 0.0
        frame = until
    kernel = np.ones(4) / 4.0
    speed = np.convolve(np.pad(speed, 3, mode="edge"), kernel, "same")[3:-3]
    compass = np.convolve(np.pad(np.exp(1j * heading), 3, mode="edge"), kernel, "same")[3:-3]
    heading = np.asarray(np.angle(compass), np.float64)
    xs, ys = travel(stage, (start + stop) // 2, x, y, heading, speed)
    pose = poses.walk(walking_phase(speed), np.clip(speed / 0.9, 0.0, 1.0))
    if stage.chance(0.5):  # folds the arms, or looks at a telephone
        pose[:, [poses.ELBOW_L, poses.ELBOW_R]] += (rng.uniform(1.2, 1.8) * stays)[:, None]
    pose[:, poses.LEAN] += 0.05 * np.sin(t * 0.3) * stays
    actor = make_person(stage, xs, ys, heading, pose)
    return [replace(actor, event="loitering", active=_frames_between(stage, start, stop))]


def throwing(stage: Stage) -> list[Actor]:
    """Somebody swings an arm, and a ball or a bag flies away in an arc; two or three times."""
    rng, n = stage.rng, stage.n
    period, count = int(rng.integers(15, 19)), int(rng.integers(2, 4))
    start, stop = _sample_span(stage, period * count, period * count + 1)
    x, y = stage.sample_position(60.0)
    course = float(np.clip(rng.normal(0, 0.3), -0.7, 0.7))
    course = course if x < SIZE[0] / 2 else np.pi - course  # to the wider side, so that the flight is visible
    heading = np.full(n, course)
    acts = poses.ramp(n, start, stop, 3.0)
    speed = rng.uniform(0.9, 1.3) * (1.0 - acts)
    xs, ys = travel(stage, (start + stop) // 2, x, y, heading, speed)
    beat = np.clip(np.arange(n, dtype=np.float64) - start, 0, period * count) % period
    # the arm in the frames of one throw: back and up until 5, down by 8, hanging at 12; the ball leaves the hand at 6.5
    swing = np.interp(beat, (0, 2, 5, 6, 7, 8, 12), (0.2, 1.6, 3.9, 3.5, 2.2, 0.6, 0.2))
    lean = np.interp(beat, (0, 5, 8, 12), (0.0, -0.25, 0.4, 0.0))
    act = poses.still(n)
    act[:, poses.ARM_R], act[:, poses.LEAN] = swing, lean
    act[:, poses.ELBOW_R] = np.interp(beat, (0, 4, 7, 12), (0.4, 1.0, 0.1, 0.3))
    act[:, poses.ARM_L] = np.interp(beat, (0, 5, 8, 12), (0.2, 1.3, -0.4, 0.0))
    act[:, poses.THIGH_L] = np.interp(beat, (0, 5, 8, 12), (0.1, 0.5, 0.45, 0.1))
    act[:, poses.THIGH_R] = np.interp(beat, (0, 5, 8, 12), (-0.05, -0.2, -0.45, -0.05))
    pose = poses.mix(poses.walk(walking_phase(speed), 1.0 - acts), act, acts)
    during = _frames_between(stage, start, stop)
    thrower = replace(make_person(stage, xs, ys, heading, pose), event="throwing", active=during)
    return [thrower, _projectile(stage, thrower, pose, beat, during)]


def _projectile(stage: Stage, thrower: Actor, pose: Floats, beat: Floats, during: Bools) -> Actor:
    """Return the ball: in the hand until frame 6 of a throw, then in the air, then on the ground."""
    rng, n = stage.rng, stage.n
    radius, out, up = rng.uniform(0.13, 0.19), rng.uniform(5.0, 7.5), rng.uniform(2.0, 3.6)
    colour = stage.style.sample_colour(rng, stage.style.tops)
    positions = np.zeros((n, 3))
    for i in range(n):
        if beat[i] < 6.5:
            positions[i] = joints(pose[i].tolist()).hands[1]
            continue
        t = (beat[i] - 6.0) / FPS
        landing = (up + np.sqrt(up * up + 2 * 9.81 * 1.9)) / 9.81  # seconds after the throw
        rolling = max(0.0, t - landing)
        bounce = max(0.0, 2.2 * rolling - 4.9 * rolling * rolling)
        height = 1.9 + up * t - 4.905 * t * t if t < landing else bounce
        positions[i] = (0.3 + out * min(t, landing) + 0.4 * out * rolling, -0.15, height + radius)
    rows = positions.tolist()

    def paint(pen: Pen, index: int) -> None:
        u, v, w = rows[index]
        things.ball(pen, colour, u, v, w, radius)
        pen.end("ball")

    return replace(thrower, paint=paint, y=thrower.y + 0.5, shadow=(0.0, 0.0), present=during)


def fighting(stage: Stage) -> list[Actor]:
    """Two people meet, punch and push each other, and walk away."""
    rng, n = stage.rng, stage.n
    start, stop = _sample_span(stage, 28, 60)
    x, y = stage.sample_position(55.0)
    s, tilt = stage.camera.scale(y), stage.rng.uniform(-0.35, 0.35)
    acts, during = poses.ramp(n, start, stop, 3.0), _frames_between(stage, start, stop)
    t = np.arange(n, dtype=np.float64)
    drift = np.cumsum(rng.normal(0, 0.05, n)) * during
    shove = 0.16 * np.sin(t * rng.uniform(0.7, 1.1) + rng.uniform(0, 6))
    group, fighters = int(rng.integers(1, 1 << 30)), []
    for side in (-1.0, 1.0):
        facing = tilt if side < 0 else np.pi + tilt
        # each comes from one side and goes back there
        away = np.clip(start - t, 0, None) + np.clip(t - stop, 0, None)
        distance = rng.uniform(0.3, 0.38) + rng.uniform(0.9, 1.3) * away / FPS
        jerk = np.where(during, shove + rng.normal(0, 0.05, n) + drift, 0.0)
        along = side * distance + jerk
        xs = x + s * along * np.cos(tilt)
        ys = np.maximum(y + s * along * np.sin(tilt) * stage.camera.pitch, stage.camera.top)
        beat = t * rng.uniform(1.9, 2.7) + rng.uniform(0, 6)
        act = poses.still(n)
        for arm, elbow, turn in ((poses.ARM_L, poses.ELBOW_L, 0.0), (poses.ARM_R, poses.ELBOW_R, np.pi)):
            punch = 0.5 + 0.5 * np.sin(beat + turn)
            act[:, arm] = 0.5 + 1.1 * punch
            act[:, elbow] = 2.0 * (1.0 - punch) + 0.05
        act[:, poses.LEAN] = 0.12 + 0.35 * np.sin(beat * 0.45 + rng.uniform(0, 6))
        act[:, poses.THIGH_L] = 0.4 + 0.3 * np.sin(beat * 0.5)
        act[:, poses.THIGH_R] = -0.35 + 0.25 * np.sin(beat * 0.6)
        act[:, [poses.KNEE_L, poses.KNEE_R]] = 0.35
        pose = poses.mix(poses.walk(walking_phase(1.1 * (1.0 - acts)), 1.0 - acts), act, acts)
        heading = np.where(t < stop, facing, facing + np.pi)
        fighters.append(
            replace(make_person(stage, xs, ys, heading, pose), event="fighting", active=during, group=group)
        )
    return fighters


BUILDERS = {
    "running": running,
    "falling": falling,
    "jumping": jumping,
    "loitering": loitering,
    "throwing": throwing,
    "fighting": fighting,
}
"""By class: the function that returns the actors of an event."""
