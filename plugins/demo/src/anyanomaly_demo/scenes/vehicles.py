"""Draws what people ride, push, hold or lead: bicycle, car, hand truck, stroller, dog, umbrella, and look-alikes."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from anyanomaly_demo.scenes.camera import Colour, Pen, shade
from anyanomaly_demo.scenes.people import Joints, Outfit, draw_person, joints
from anyanomaly_demo.scenes.things import block

_TYRE: Colour = (28, 28, 30)


def bicycle(pen: Pen, colour: Colour, phase: float, outfit: Outfit, pose: list[float]) -> None:
    """Draw a bicycle (two spoked wheels, a frame, a handlebar) and a rider who pedals."""
    r, front, rear = 0.36, 0.55, -0.52
    for u in (rear, front):
        wheel = pen.wheel(u, 0.0, r, r)
        pen.ring(wheel, 0.075, _TYRE)
        turn = phase * 2.2
        for k in range(4):
            c, s = 0.33 * math.cos(turn + k * math.pi / 4), 0.33 * math.sin(turn + k * math.pi / 4)
            pen.line(pen.at(u - c, 0, r - s), pen.at(u + c, 0, r + s), 0.014, (170, 172, 176))
    crank, seat, head = (0.0, 0.3), (-0.17, 0.9), (0.42, 0.92)
    for (u0, w0), (u1, w1) in (
        (crank, seat), (seat, head), (crank, head), (crank, (rear, r)), ((-0.1, 0.72), (rear, r)), (head, (front, r)),
    ):  # fmt: skip
        pen.line(pen.at(u0, 0, w0), pen.at(u1, 0, w1), 0.06, colour)
    pen.line(pen.at(0.42, 0, 0.9), pen.at(0.4, 0, 1.06), 0.05, colour)
    pen.line(pen.at(-0.3, 0, 0.93), pen.at(-0.06, 0, 0.93), 0.09, _TYRE)
    pen.line(pen.at(0.44, -0.26, 1.07), pen.at(0.44, 0.26, 1.07), 0.05, _TYRE)
    pen.end("bicycle")
    body = joints(pose, base=0.98, ahead=-0.17)
    feet = [(0.17 * math.cos(phase + t), 0.3 + 0.17 * math.sin(phase + t)) for t in (0.0, math.pi)]
    knees, ankles, toes = [], [], []
    for side, (u, w) in zip((0.1, -0.1), feet, strict=True):
        knees.append(_knee(body.hips[0][0], 0.98, u - 0.04, w + 0.08, side))
        ankles.append((u - 0.04, side, w + 0.08))
        toes.append((u + 0.12, side, w + 0.03))
    hands = ((0.42, 0.2, 1.08), (0.42, -0.2, 1.08))
    elbows = tuple(
        ((s[0] + h[0]) / 2 - 0.04, s[1], (s[2] + h[2]) / 2 - 0.08) for s, h in zip(body.shoulders, hands, strict=True)
    )
    rider = replace(body, knees=tuple(knees), ankles=tuple(ankles), toes=tuple(toes), hands=hands, elbows=elbows)
    draw_person(pen, replace(outfit, wear="shirt", bag="backpack" if outfit.bag else ""), rider)
    pen.end("person")


def _knee(hu: float, hw: float, au: float, aw: float, side: float) -> tuple[float, float, float]:
    """Return the knee, bent forward, between a hip (``hu``, ``hw``) and an ankle (``au``, ``aw``)."""
    du, dw = au - hu, aw - hw
    half = min(0.43, math.hypot(du, dw) / 2)
    out = math.sqrt(max(0.0, 0.44**2 - half**2)) / (2 * half)
    return ((hu + au) / 2 - dw * out, side, (hw + aw) / 2 + du * out)


_CAR = ((-2.05, 0.35), (-2.1, 0.85), (-1.95, 0.95), (-1.5, 1.42), (0.35, 1.45), (0.95, 0.95), (1.95, 0.8), (2.1, 0.4))
_VAN = ((-2.1, 0.35), (-2.15, 1.0), (-2.05, 1.85), (1.15, 1.88), (1.6, 1.15), (2.05, 0.95), (2.15, 0.4))


def car(pen: Pen, colour: Colour, phase: float, van: bool) -> None:
    """Draw a car or van, 1.7 m wide, with windows, lights and turning wheels."""
    outline, b = (_VAN if van else _CAR), 0.85
    glass: Colour = (52, 62, 74)
    side = b * pen.near()
    for k in range(len(outline)):
        (u0, w0), (u1, w1) = outline[k], outline[(k + 1) % len(outline)]
        towards = (w1 - w0) * -pen.sin + (u1 - u0) * pen.pitch  # component of the outward normal towards the viewer
        if towards <= 0:
            continue
        slope = abs(w1 - w0) / (abs(u1 - u0) + 1e-6)
        face = [pen.at(u0, -b, w0), pen.at(u1, -b, w1), pen.at(u1, b, w1), pen.at(u0, b, w0)]
        pen.poly(face, shade(colour, 1.12 if slope < 0.4 else 0.7))
        if 0.4 < slope < 12 and min(w0, w1) > 0.8 and max(w0, w1) > 1.3:
            pane = [
                pen.at(u0 + f * (u1 - u0), g, w0 + f * (w1 - w0))
                for f, g in ((0.1, -0.7), (0.9, -0.65), (0.9, 0.65), (0.1, 0.7))
            ]
            pen.poly(pane, glass)
        if slope > 3 and max(w0, w1) < 1.1:
            lamps: Colour = (250, 245, 210) if u0 > 0 else (190, 30, 30)
            for v in (-0.6, 0.6):
                pen.disc(pen.at((u0 + u1) / 2, v, 0.72), 0.12, lamps)
    pen.poly([pen.at(u, side, w) for u, w in outline], shade(colour, 0.92))
    if van:
        windows = [((0.1, 1.15), (0.1, 1.7), (1.05, 1.7), (1.4, 1.15))]
    else:
        windows = [
            ((-1.55, 0.98), (-1.32, 1.33), (-0.62, 1.35), (-0.62, 0.98)),
            ((-0.5, 0.98), (-0.5, 1.35), (0.28, 1.35), (0.7, 0.98)),
        ]
    for window in windows:
        pen.poly([pen.at(u, side, w) for u, w in window], glass)
    pen.line(pen.at(-1.95, side, 0.62), pen.at(1.9, side, 0.58), 0.05, shade(colour, 0.7))
    for u in (-1.3, 1.28):
        pen.poly(pen.wheel(u, side, 0.33, 0.36), _TYRE)
        pen.poly(pen.wheel(u, side, 0.33, 0.2), (160, 162, 166))
        c, s = 0.2 * math.cos(phase), 0.2 * math.sin(phase)
        pen.line(pen.at(u - c, side, 0.33 - s), pen.at(u + c, side, 0.33 + s), 0.05, (70, 72, 74))
    pen.disc(pen.at(1.98, side * 0.97, 0.66), 0.09, (250, 245, 210))
    pen.disc(pen.at(-2.03, side * 0.97, 0.74), 0.09, (190, 30, 30))
    pen.end("car")


def hand_truck(pen: Pen, colour: Colour, phase: float) -> None:
    """Draw a hand truck: a tilted frame on two wheels with a stack of boxes."""
    lean = 0.3
    for k, (low, high, light) in enumerate(((0.18, 0.58, 1.0), (0.6, 0.95, 0.86), (0.97, 1.22, 1.1))):
        u0, u1 = 0.72 - low * lean, 0.72 - high * lean
        deep, wide = 0.5 - 0.05 * k, 0.3
        box = shade((186, 150, 104), light)
        near = wide * pen.near()
        front = [
            pen.at(u + deep, v, w)
            for u, v, w in ((u0, -wide, low), (u0, wide, low), (u1, wide, high), (u1, -wide, high))
        ]
        if pen.sin > 0:
            pen.poly(front, shade(box, 0.75))
        pen.poly(
            [
                pen.at(u0, near, low),
                pen.at(u0 + deep, near, low),
                pen.at(u1 + deep, near, high),
                pen.at(u1, near, high),
            ],
            box,
        )
        pen.line(pen.at(u0 + deep / 2, near, low), pen.at(u1 + deep / 2, near, high), 0.05, shade(box, 1.2))
        lid = [
            pen.at(u1, -wide, high),
            pen.at(u1 + deep, -wide, high),
            pen.at(u1 + deep, wide, high),
            pen.at(u1, wide, high),
        ]
        pen.poly(lid, shade(box, 1.15))
    for v in (-0.26, 0.26):
        pen.line(pen.at(0.7, v, 0.12), pen.at(0.27, v, 1.32), 0.06, colour)
        pen.line(pen.at(0.27, v, 1.32), pen.at(0.18, v, 1.22), 0.06, colour)
    for w in (0.45, 0.85, 1.25):
        u = 0.74 - w * 0.36
        pen.line(pen.at(u, -0.26, w), pen.at(u, 0.26, w), 0.05, colour)
    pen.line(pen.at(0.7, 0.26 * pen.near(), 0.12), pen.at(1.2, 0.26 * pen.near(), 0.14), 0.05, colour)
    for v in (-0.3 * pen.near(), 0.3 * pen.near()):
        pen.poly(pen.wheel(0.66, v, 0.17, 0.18), _TYRE)
        pen.disc(pen.at(0.66, v, 0.17), 0.07, (190, 190, 190))
    pen.end("hand truck")


def stroller(pen: Pen, colour: Colour, phase: float) -> None:
    """Draw a pram: a tub with a hood and a handle on four wheels."""
    near = 0.24 * pen.near()
    for v in (-near, near):
        for u in (0.55, 1.1):
            pen.ring(pen.wheel(u, v, 0.17, 0.17), 0.07, _TYRE)
            pen.disc(pen.at(u, v, 0.17), 0.05, (180, 180, 180))
        pen.line(pen.at(0.55, v, 0.17), pen.at(1.05, v, 0.55), 0.045, (140, 142, 146))
        pen.line(pen.at(1.1, v, 0.17), pen.at(0.3, v, 1.02), 0.045, (140, 142, 146))
    pen.line(pen.at(0.3, -0.24, 1.02), pen.at(0.3, 0.24, 1.02), 0.06, _TYRE)
    tub = ((0.42, 0.82), (0.55, 0.48), (1.1, 0.46), (1.28, 0.78))
    pen.poly([pen.at(u, -near, w) for u, w in tub], shade(colour, 0.6))
    pen.poly(
        [
            pen.at(tub[2][0], -near, tub[2][1]),
            pen.at(*_with_v(tub[3], -near)),
            pen.at(*_with_v(tub[3], near)),
            pen.at(*_with_v(tub[2], near)),
        ],
        shade(colour, 0.8),
    )
    pen.poly([pen.at(u, near, w) for u, w in tub], colour)
    # the hood: a quarter of a cylinder over the end that is nearer to the person who pushes
    hood = [(0.85 + 0.45 * math.cos(t), 0.8 + 0.45 * math.sin(t)) for t in (math.pi, 2.75, 2.35, 1.95, 1.57, 1.25)]
    pen.poly([pen.at(0.85, -near, 0.8), *(pen.at(u, -near, w) for u, w in hood)], shade(colour, 0.55))
    for (u0, w0), (u1, w1) in pairwise(hood):
        pen.poly(
            [pen.at(u0, -near, w0), pen.at(u1, -near, w1), pen.at(u1, near, w1), pen.at(u0, near, w0)],
            shade(colour, 1.2),
        )
    pen.poly([pen.at(0.85, near, 0.8), *(pen.at(u, near, w) for u, w in hood)], shade(colour, 0.82))
    for u, w in hood[1::2]:
        pen.line(pen.at(0.85, near, 0.8), pen.at(u, near, w), 0.03, shade(colour, 0.55))
    pen.end("stroller")


def dog(pen: Pen, colour: Colour, phase: float, size: float, tail: float) -> None:
    """Draw a walking dog; ``size`` 1 is 0.6 m at the shoulder, ``tail`` -1 to 1 is the position of the tail."""
    z = size
    near = 0.09 * z * pen.near()
    dark = shade(colour, 0.7)
    for v, tone, turn in ((-near, dark, 0.0), (near, colour, math.pi)):
        for u, off in ((0.3 * z, 0.0), (-0.32 * z, math.pi)):
            swing = 0.16 * z * math.sin(phase + turn + off)
            lift = 0.07 * z * max(0.0, math.cos(phase + turn + off))
            knee = pen.at(u + 0.4 * swing + 0.03 * z, v, 0.25 * z + lift)
            pen.line(pen.at(u, v, 0.46 * z), knee, 0.13 * z, tone)
            pen.line(knee, pen.at(u + swing, v, 0.05 * z + lift), 0.085 * z, tone)
    pen.line(pen.at(-0.34 * z, 0, 0.52 * z), pen.at(0.3 * z, 0, 0.54 * z), 0.26 * z, colour)
    pen.line(pen.at(0.24 * z, 0, 0.5 * z), pen.at(0.3 * z, 0, 0.52 * z), 0.3 * z, colour)
    pen.line(pen.at(0.34 * z, 0, 0.58 * z), pen.at(0.48 * z, 0, 0.74 * z), 0.17 * z, colour)
    pen.disc(pen.at(0.52 * z, 0, 0.78 * z), 0.13 * z, colour)
    pen.line(pen.at(0.55 * z, 0, 0.75 * z), pen.at(0.72 * z, 0, 0.71 * z), 0.11 * z, shade(colour, 0.85))
    pen.disc(pen.at(0.75 * z, 0, 0.73 * z), 0.035 * z, (20, 20, 20))
    pen.line(pen.at(0.46 * z, 0.06, 0.86 * z), pen.at(0.42 * z, 0.09, 0.7 * z), 0.08 * z, dark)
    pen.line(pen.at(-0.44 * z, 0, 0.58 * z), pen.at(-0.62 * z, 0.06 * tail, (0.82 + 0.05 * tail) * z), 0.07 * z, dark)
    pen.end("dog")


def umbrella(pen: Pen, colour: Colour, second_colour: Colour, hand: tuple[float, float, float]) -> None:
    """Draw an umbrella with panels of two colours, held over a person's head."""
    u, v, w = hand
    r = 0.72 * pen.s
    pen.line(pen.at(u, v, w - 0.05), pen.at(0.06, v * 0.4, 2.2), 0.04, (50, 48, 46))
    peak = pen.at(0.06, v * 0.4, 2.3)
    x, y = pen.at(0.06, v * 0.4, 1.86)
    flat = max(0.2, pen.pitch * 0.55)
    turns = [k * math.pi / 6 for k in range(7)]
    low = [(x + r * math.cos(t), y + r * flat * math.sin(t)) for t in turns]
    pen.poly([*low, *((x - r * math.cos(t), y - r * flat * math.sin(t)) for t in turns)], shade(colour, 0.45))
    dome = _dome(x, y, peak[1], r)
    pen.poly([*dome, *low], colour)
    for k, fill in ((0, shade(second_colour, 0.85)), (2, second_colour), (4, shade(second_colour, 1.1))):
        a, b = low[k], low[k + 1]
        out = ((a[0] + peak[0]) / 2 + 0.22 * (a[0] - x), (a[1] + peak[1]) / 2 - 0.05 * pen.s)
        back = ((b[0] + peak[0]) / 2 + 0.22 * (b[0] - x), (b[1] + peak[1]) / 2 - 0.05 * pen.s)
        pen.poly([peak, out, a, b, back], fill)
    pen.line(peak, (peak[0], peak[1] - 0.1 * pen.s), 0.04, (50, 48, 46))
    pen.end("umbrella")


def _dome(x: float, y: float, peak: float, r: float) -> list[tuple[float, float]]:
    turns = [k * math.pi / 8 for k in range(9)]
    return [(x - r * math.cos(t), y - (y - peak) * math.sin(t) ** 0.8) for t in turns]


def _with_v(point: tuple[float, float], v: float) -> tuple[float, float, float]:
    return (point[0], v, point[1])


def scooter(pen: Pen, colour: Colour) -> None:
    """Draw a kick scooter: a board on two small wheels and an upright bar."""
    for u in (-0.35, 0.45):
        pen.disc(pen.at(u, 0, 0.1), 0.1, _TYRE)
    pen.line(pen.at(-0.35, 0, 0.14), pen.at(0.35, 0, 0.14), 0.07, colour)
    pen.line(pen.at(0.45, 0, 0.12), pen.at(0.33, 0, 1.0), 0.05, colour)
    pen.line(pen.at(0.33, -0.22, 1.0), pen.at(0.33, 0.22, 1.0), 0.05, _TYRE)
    pen.end("scooter")


def suitcase(pen: Pen, colour: Colour, hand: tuple[float, float, float]) -> None:
    """Draw a suitcase on wheels, pulled behind a person."""
    u, v, w = hand
    pen.line(pen.at(u, v, w), pen.at(-0.5, v, 0.6), 0.035, (120, 120, 124))
    pen.line(pen.at(-0.5, v, 0.5), pen.at(-0.68, v, 0.2), 0.3, colour)
    pen.disc(pen.at(-0.66, v, 0.06), 0.06, _TYRE)
    pen.end("suitcase")


def carried_box(pen: Pen, colour: Colour, body: Joints) -> None:
    """Draw a box held in front of the body."""
    u, _, w = body.hands[0]
    block(pen, 0.2, 0.22, 0.32, colour, base=w - 0.08, ahead=u + 0.08)
    pen.end("box")
