"""Draws static and carried things: posts, bins, benches, trees, boxes, balls. In metres, from the pen's origin."""

from __future__ import annotations

import math

import numpy as np

from anyanomaly_demo.scenes.camera import Colour, Pen, shade


def lamp(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a lamp post, 4.5 m high."""
    pen.line(pen.at(0, 0, 0), pen.at(0, 0, 4.5), 0.13, colour)
    pen.line(pen.at(0, 0, 0), pen.at(0, 0, 0.6), 0.24, colour)
    pen.line(pen.at(0, 0, 4.5), pen.at(0.7 if variant % 2 else -0.7, 0, 4.6), 0.1, colour)


def post(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a bollard, or a sign on a pole."""
    if variant % 2:
        pen.line(pen.at(0, 0, 0), pen.at(0, 0, 0.85), 0.16, colour)
        pen.line(pen.at(0, 0, 0.62), pen.at(0, 0, 0.68), 0.17, (225, 225, 220))
        return
    pen.line(pen.at(0, 0, 0), pen.at(0, 0, 2.2), 0.08, (130, 130, 132))
    pen.disc(pen.at(0, 0, 2.2), 0.32, (215, 215, 215))
    pen.disc(pen.at(0, 0, 2.2), 0.25, colour)


def bin_(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a litter bin."""
    wide = 0.26 + 0.1 * (variant % 3)
    block(pen, wide, wide * 0.8, 0.95, colour)
    pen.line(pen.at(-wide, wide, 0.95), pen.at(wide, wide, 0.95), 0.1, shade(colour, 0.5))


def boxes(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw cardboard boxes on the ground."""
    block(pen, 0.35, 0.3, 0.5, colour)
    if variant % 2:
        block(pen, 0.25, 0.2, 0.35, shade(colour, 1.1), base=0.5)


def cone(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a traffic cone."""
    pen.line(pen.at(-0.22, 0, 0.03), pen.at(0.22, 0, 0.03), 0.08, (60, 40, 30))
    pen.poly([pen.at(-0.2, 0, 0.05), pen.at(-0.04, 0, 0.72), pen.at(0.04, 0, 0.72), pen.at(0.2, 0, 0.05)], colour)
    pen.line(pen.at(-0.1, 0, 0.38), pen.at(0.1, 0, 0.38), 0.1, (235, 235, 235))


def step(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a low podium to stand on."""
    block(pen, 0.5, 0.4, 0.38, colour)


def bench(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a bench without a back, 2 m long, 0.45 m high, along the heading."""
    for u in (-0.8, 0.8):
        pen.line(pen.at(u, -0.2, 0), pen.at(u, -0.2, 0.42), 0.09, shade(colour, 0.5))
        pen.line(pen.at(u, 0.2, 0), pen.at(u, 0.2, 0.42), 0.09, shade(colour, 0.5))
    pen.poly([pen.at(-1, -0.24, 0.45), pen.at(1, -0.24, 0.45), pen.at(1, 0.24, 0.45), pen.at(-1, 0.24, 0.45)], colour)
    pen.line(pen.at(-1, 0.24, 0.42), pen.at(1, 0.24, 0.42), 0.07, shade(colour, 0.7))


def tree(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a tree, 4 m high."""
    pen.line(pen.at(0, 0, 0), pen.at(0, 0, 2.4), 0.28, (84, 66, 50))
    pen.end("tree")  # a part of its own: one box around trunk and crown would hide people beside the trunk
    _leaves(pen, colour, variant, 3.1, 1.25, 26)


def bush(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a bush, about 1 m high."""
    _leaves(pen, colour, variant, 0.5, 0.62, 18)


def trolley(pen: Pen, colour: Colour, variant: int) -> None:
    """Draw a parked shopping trolley: a basket on four small wheels."""
    for u in (-0.35, 0.35):
        pen.disc(pen.at(u, 0.2, 0.07), 0.08, (40, 40, 42))
        pen.line(pen.at(u, 0.2, 0.1), pen.at(u * 0.9, 0.2, 0.5), 0.04, (150, 152, 156))
    ring = [pen.at(-0.45, 0.2, 0.95), pen.at(0.5, 0.2, 0.85), pen.at(0.42, 0.2, 0.5), pen.at(-0.35, 0.2, 0.5)]
    pen.ring(ring, 0.05, colour)
    for k in (-0.25, -0.05, 0.15, 0.35):
        pen.line(pen.at(k, 0.2, 0.5), pen.at(k, 0.2, 0.9), 0.025, (150, 152, 156))
    pen.line(pen.at(-0.45, 0.2, 0.95), pen.at(-0.6, 0.2, 1.05), 0.06, colour)


def ball(pen: Pen, colour: Colour, u: float, v: float, w: float, radius: float) -> None:
    """Draw a ball at a body point."""
    pen.disc(pen.at(u, v, w), radius, shade(colour, 0.7))
    x, y = pen.at(u, v, w)
    pen.disc((x - 0.15 * radius * pen.s, y - 0.2 * radius * pen.s), radius * 0.78, colour)


def block(pen: Pen, u: float, v: float, high: float, colour: Colour, base: float = 0.0, ahead: float = 0.0) -> None:
    """Draw the visible sides and the lid of a box, ``base`` metres up; ``u`` and ``v``: half length and half width."""
    corners = [(-u, -v), (u, -v), (u, v), (-u, v)]
    for k in range(4):
        (u0, v0), (u1, v1) = corners[k], corners[(k + 1) % 4]
        towards = (u0 + u1) * pen.sin + (v0 + v1) * pen.cos  # component of the outward normal towards the viewer
        if towards <= 0:
            continue
        side = [
            pen.at(ahead + u0, v0, base),
            pen.at(ahead + u1, v1, base),
            pen.at(ahead + u1, v1, base + high),
            pen.at(ahead + u0, v0, base + high),
        ]
        pen.poly(side, shade(colour, 0.72 if k % 2 else 0.86))
    pen.poly([pen.at(ahead + a, b, base + high) for a, b in corners], shade(colour, 1.08))


def _leaves(pen: Pen, colour: Colour, variant: int, middle: float, reach: float, count: int) -> None:
    rng = np.random.default_rng(variant)
    for turn, out, light in rng.random((count, 3)).tolist():
        r = reach * math.sqrt(out) * 0.75
        p = pen.at(r * math.cos(6.283 * turn), 0, middle + r * math.sin(6.283 * turn) * 0.85)
        pen.disc(p, reach * 0.3, shade(colour, 0.65 + 0.6 * light))


STATIC = {
    "lamp": (lamp, ((60, 64, 66), (92, 96, 98))),
    "post": (post, ((190, 40, 40), (40, 70, 150), (70, 72, 76))),
    "bin": (bin_, ((50, 84, 60), (80, 82, 86), (60, 70, 110))),
    "box": (boxes, ((178, 142, 98), (150, 118, 82))),
    "cone": (cone, ((235, 110, 40), (225, 80, 45))),
    "step": (step, ((150, 148, 142), (120, 104, 88))),
    "bench": (bench, ((140, 100, 64), (96, 100, 102))),
    "tree": (tree, ((70, 104, 56), (92, 112, 60))),
    "bush": (bush, ((66, 98, 54), (90, 106, 64))),
    "trolley": (trolley, ((200, 60, 50), (60, 90, 170))),
}
"""Drawing function and colours of each static thing."""
