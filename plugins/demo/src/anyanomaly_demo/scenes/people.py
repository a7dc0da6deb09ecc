"""People: their clothes, the positions of their joints, and how to draw them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly_demo.scenes import poses
from anyanomaly_demo.scenes.camera import Colour, Pen, Point, shade
from anyanomaly_demo.scenes.style import Style

_THIGH, _SHIN, _ANKLE = 0.44, 0.42, 0.07  # metres
_TORSO, _UPPER, _FORE = 0.52, 0.30, 0.30


@dataclass(frozen=True, slots=True)
class Outfit:
    """Clothes, stature and bag of a person; the same in every frame of a clip."""

    top: Colour
    bottom: Colour
    shoes: Colour
    skin: Colour
    hair: Colour
    stature: float
    girth: float
    wear: str  # "shirt", "coat" or "skirt"
    hat: str  # "", "cap", "brim" or "hood"
    bag: str  # "", "backpack", "handbag" or "shoulder"
    bag_colour: Colour


def sample_outfit(rng: np.random.Generator, style: Style) -> Outfit:
    """Sample the outfit of a person."""
    return Outfit(
        top=style.sample_colour(rng, style.tops),
        bottom=style.sample_colour(rng, style.bottoms),
        shoes=style.sample_colour(rng, ((30, 30, 32), (70, 50, 40), (200, 200, 200), (45, 45, 60))),
        skin=style.sample_colour(rng, ((224, 180, 150), (198, 150, 120), (150, 105, 80), (95, 65, 50))),
        hair=style.sample_colour(rng, ((35, 28, 25), (80, 55, 35), (150, 120, 70), (120, 120, 120), (20, 20, 22))),
        stature=float(rng.uniform(0.9, 1.07)),
        girth=float(rng.uniform(0.9, 1.25)),
        wear=str(rng.choice(("shirt", "shirt", "coat", "skirt"))),
        hat=str(rng.choice(("", "", "", "cap", "brim", "hood"))),
        bag=str(rng.choice(("", "", "backpack", "handbag", "shoulder"))),
        bag_colour=style.sample_colour(rng, style.tops),
    )


@dataclass(frozen=True, slots=True)
class Joints:
    """Body points (u, v, w) in metres; limbs as (left, right)."""

    hips: tuple[tuple[float, float, float], ...]
    knees: tuple[tuple[float, float, float], ...]
    ankles: tuple[tuple[float, float, float], ...]
    toes: tuple[tuple[float, float, float], ...]
    shoulders: tuple[tuple[float, float, float], ...]
    elbows: tuple[tuple[float, float, float], ...]
    hands: tuple[tuple[float, float, float], ...]
    waist: tuple[float, float, float]
    neck: tuple[float, float, float]
    head: tuple[float, float, float]


def joints(pose: Sequence[float], base: float | None = None, ahead: float = 0.0) -> Joints:
    """Return the joints of a pose, one row of ``poses``.

    :param base: height of the hips in metres; None: the lower foot stands on the ground.
    :param ahead: metres by which to shift the body forward.
    """
    legs = []
    for side, thigh, knee in (
        (1.0, pose[poses.THIGH_L], pose[poses.KNEE_L]),
        (-1.0, pose[poses.THIGH_R], pose[poses.KNEE_R]),
    ):
        shin = thigh - knee
        ku, kw = _THIGH * math.sin(thigh), -_THIGH * math.cos(thigh)
        au, aw = ku + _SHIN * math.sin(shin), kw - _SHIN * math.cos(shin)
        legs.append((side * 0.09, ku, kw, au, aw, au + 0.19 * math.cos(shin), aw + 0.19 * math.sin(shin) - 0.04))
    hip = (base if base is not None else _ANKLE - min(leg[4] for leg in legs)) + pose[poses.LIFT]
    lean, roll = pose[poses.LEAN], pose[poses.ROLL]
    cr, sr = math.cos(roll), math.sin(roll)

    def place(u: float, v: float, w: float) -> tuple[float, float, float]:
        if not roll:
            return (u + ahead, v, w)
        return (u * cr + w * sr + ahead, v, max(0.08 + 0.3 * abs(v), w * cr - u * sr))

    su, sw = _TORSO * math.sin(lean), hip + _TORSO * math.cos(lean)
    shoulders, elbows, hands = [], [], []
    for side, arm, elbow, out in (
        (1.0, pose[poses.ARM_L], pose[poses.ELBOW_L], pose[poses.SIDE_L]),
        (-1.0, pose[poses.ARM_R], pose[poses.ELBOW_R], pose[poses.SIDE_R]),
    ):
        arm += lean * 0.5
        shoulder = (su, side * 0.18, sw - 0.04)
        co, so = math.cos(out), math.sin(out)
        eu, ev, ew = (
            shoulder[0] + _UPPER * math.sin(arm) * co,
            shoulder[1] + side * _UPPER * so,
            shoulder[2] - _UPPER * math.cos(arm) * co,
        )
        fore = arm + elbow
        shoulders.append(place(*shoulder))
        elbows.append(place(eu, ev, ew))
        hands.append(
            place(eu + _FORE * math.sin(fore) * co, ev + side * _FORE * so * 0.5, ew - _FORE * math.cos(fore) * co)
        )
    return Joints(
        hips=tuple(place(0.0, leg[0], hip) for leg in legs),
        knees=tuple(place(leg[1], leg[0], hip + leg[2]) for leg in legs),
        ankles=tuple(place(leg[3], leg[0], hip + leg[4]) for leg in legs),
        toes=tuple(place(leg[5], leg[0], hip + leg[6]) for leg in legs),
        shoulders=tuple(shoulders),
        elbows=tuple(elbows),
        hands=tuple(hands),
        waist=place(0.0, 0.0, hip + 0.02),
        neck=place(su, 0.0, sw),
        head=place(su + 0.17 * math.sin(lean * 0.7) + 0.02, 0.0, sw + 0.19),
    )


def draw_person(pen: Pen, outfit: Outfit, body: Joints) -> None:
    """Draw a person, the far side first."""
    near = 0 if pen.near() > 0 else 1
    back = pen.sin < -0.3  # walks away from the camera: the back of the head is visible
    if outfit.bag == "backpack" and not back:
        _draw_backpack(pen, outfit, body)
    _draw_arm(pen, outfit, body, 1 - near, 0.78)
    _draw_leg(pen, outfit, body, 1 - near, 0.78)
    _draw_leg(pen, outfit, body, near, 1.0)
    _draw_torso(pen, outfit, body)
    if outfit.bag == "backpack" and back:
        _draw_backpack(pen, outfit, body)
    _draw_head(pen, outfit, body, back)
    if outfit.bag == "shoulder":
        p = pen.at(*body.hips[near])
        pen.line(pen.at(*body.neck), p, 0.04, shade(outfit.bag_colour, 0.6))
        pen.line((p[0] - 0.07 * pen.s, p[1]), (p[0] + 0.07 * pen.s, p[1]), 0.2, outfit.bag_colour)
    _draw_arm(pen, outfit, body, near, 1.0)
    if outfit.bag == "handbag":
        u, v, w = body.hands[near]
        low = pen.at(u, v, max(0.12, w - 0.24))
        pen.line(pen.at(u, v, w), low, 0.03, shade(outfit.bag_colour, 0.6))
        pen.line((low[0] - 0.06 * pen.s, low[1]), (low[0] + 0.06 * pen.s, low[1]), 0.2, outfit.bag_colour)


def _draw_leg(pen: Pen, outfit: Outfit, body: Joints, side: int, light: float) -> None:
    hip, knee, ankle = pen.at(*body.hips[side]), pen.at(*body.knees[side]), pen.at(*body.ankles[side])
    cloth = shade(outfit.skin if outfit.wear == "skirt" else outfit.bottom, light)
    pen.line(ankle, pen.at(*body.toes[side]), 0.09, shade(outfit.shoes, light))
    pen.line(knee, ankle, 0.115, cloth)
    pen.line(hip, knee, 0.155 * outfit.girth, cloth)


def _draw_arm(pen: Pen, outfit: Outfit, body: Joints, side: int, light: float) -> None:
    shoulder, elbow, hand = pen.at(*body.shoulders[side]), pen.at(*body.elbows[side]), pen.at(*body.hands[side])
    sleeve = shade(outfit.top, 0.9 * light)
    pen.line(shoulder, elbow, 0.11, sleeve)
    pen.line(elbow, hand, 0.085, sleeve)
    pen.disc(hand, 0.05, shade(outfit.skin, light))


def _band(a: Point, b: Point, ra: float, rb: float) -> list[Point]:
    """Return the corners of a tapered band from ``a`` to ``b``, with half widths ``ra`` and ``rb`` in pixels."""
    du, dw = b[0] - a[0], b[1] - a[1]
    length = math.hypot(du, dw) or 1.0
    nx, ny = -dw / length, du / length
    return [
        (a[0] + nx * ra, a[1] + ny * ra),
        (b[0] + nx * rb, b[1] + ny * rb),
        (b[0] - nx * rb, b[1] - ny * rb),
        (a[0] - nx * ra, a[1] - ny * ra),
    ]


def _draw_torso(pen: Pen, outfit: Outfit, body: Joints) -> None:
    neck, waist = pen.at(*body.neck), pen.at(*body.waist)
    wide = math.hypot(0.2 * pen.sin, 0.125 * pen.cos) * outfit.girth * pen.s
    if outfit.wear != "shirt":
        (u0, _, w0), (u1, _, w1) = body.knees
        reach = 0.9 if outfit.wear == "skirt" else 0.6
        hem = pen.at(
            body.waist[0] + reach * ((u0 + u1) / 2 - body.waist[0]),
            0.0,
            body.waist[2] + reach * ((w0 + w1) / 2 - body.waist[2]),
        )
        stride = 0.5 * reach * abs(u0 - u1) * abs(pen.cos) * pen.s
        cloth = outfit.top if outfit.wear == "coat" else outfit.bottom
        pen.poly(_band(waist, hem, wide * 0.9, max(wide * 1.1, stride + 0.08 * pen.s)), cloth)
    # the shoulders are a little below the neck; a round-ended line rounds them
    pen.poly(_band(neck, waist, wide * 0.95, wide * 0.85), outfit.top)
    shoulder = (neck[0] + 0.1 * (waist[0] - neck[0]), neck[1] + 0.1 * (waist[1] - neck[1]))
    pen.line(shoulder, waist, max(0.1, 1.7 * wide / pen.s), outfit.top)
    dark = (waist[0] + 0.45 * wide, waist[1]), (neck[0] + 0.55 * wide, neck[1] + 0.1 * pen.s)
    if abs(body.neck[2] - body.waist[2]) > 0.3:
        pen.line(dark[0], dark[1], 0.09, shade(outfit.top, 0.8))


def _draw_head(pen: Pen, outfit: Outfit, body: Joints, back: bool) -> None:
    u, v, w = body.head
    head = pen.at(u, v, w)
    pen.line(pen.at(*body.neck), head, 0.09, shade(outfit.skin, 0.85))
    hood = outfit.hat == "hood"
    pen.disc(pen.at(u - 0.03, v, w + 0.02), 0.125, outfit.top if hood else outfit.hair)
    if not back:
        pen.disc(pen.at(u + 0.035, v, w - 0.025), 0.098, outfit.skin)
    if outfit.hat == "cap":
        pen.line(pen.at(u - 0.07, v, w + 0.09), pen.at(u + 0.16, v, w + 0.07), 0.09, outfit.bag_colour)
    elif outfit.hat == "brim":
        p = pen.at(u, v, w + 0.08)
        pen.line((p[0] - 0.2 * pen.s, p[1]), (p[0] + 0.2 * pen.s, p[1]), 0.045, outfit.bag_colour)
        pen.disc((p[0], p[1] - 0.04 * pen.s), 0.1, outfit.bag_colour)


def _draw_backpack(pen: Pen, outfit: Outfit, body: Joints) -> None:
    (u0, _, w0), (u1, _, w1) = body.neck, body.waist
    du, dw = 0.16 * (w0 - w1), 0.16 * (u0 - u1)
    top = pen.at(u0 - du * 1.6, 0.0, w0 + dw - 0.12)
    low = pen.at(u1 - du * 1.6, 0.0, w1 + dw + 0.12)
    pen.line(top, low, 0.23, outfit.bag_colour)
