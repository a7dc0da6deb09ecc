"""The static background (ground, kerbs, roads, walls), the light, and the sensor noise."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from anyanomaly_demo.scenes.camera import Colour, Image, shade
from anyanomaly_demo.scenes.constants import SIZE
from anyanomaly_demo.scenes.style import Style

_W, _H = SIZE
NOISE_MARGIN = 64  # pixels by which the noise image is larger than a frame, so that each frame takes another crop


def draw_background(rng: np.random.Generator, style: Style) -> Image:
    """Draw the static background: uint8 (240, 320, 3), RGB."""
    wall_foot = int(style.camera.top) - int(rng.integers(4, 10))
    picture: Image = np.empty((_H, _W, 3), np.uint8)
    picture[:] = style.ground_colour
    _draw_ground(rng, style, picture, wall_foot)
    _draw_wall(rng, style, picture, wall_foot)
    kerb = shade(style.ground_colour, 1.2)
    cv2.rectangle(picture, (0, wall_foot), (_W, wall_foot + 3), kerb, -1)
    cv2.line(picture, (0, wall_foot + 4), (_W, wall_foot + 4), shade(style.ground_colour, 0.6), 1)
    grain = _grain(rng, 1) * 5 + _grain(rng, 4) * 4 + _grain(rng, 40) * 9
    out: Image = np.clip(picture + grain[:, :, None], 0, 255).astype(np.uint8)
    return out


def light(style: Style) -> npt.NDArray[np.float32]:
    """Return the gain per pixel and channel (240, 320, 3): exposure, colour cast, vignette."""
    rows, columns = np.mgrid[-1 : 1 : _H * 1j, -1 : 1 : _W * 1j]
    fall = 1.0 - style.vignette * np.clip(rows**2 + columns**2, 0, 2) / 2
    return np.asarray(fall[:, :, None] * np.array(style.gain), np.float32)


@lru_cache(maxsize=8)
def noise(sigma: int) -> npt.NDArray[np.int16]:
    """Return sensor noise of standard deviation ``sigma`` in grey levels: (304, 384, 3). Shared: do not write to it."""
    rng = np.random.default_rng(sigma)
    shape = (_H + NOISE_MARGIN, _W + NOISE_MARGIN)
    field = rng.normal(0, sigma, shape)[:, :, None] * 0.8 + rng.normal(0, sigma, (*shape, 3)) * 0.6
    return field.round().astype(np.int16)


def _grain(rng: np.random.Generator, size: int) -> npt.NDArray[np.float32]:
    small = rng.standard_normal((_H // size + 2, _W // size + 2), dtype=np.float32)
    if size == 1:
        return small[:_H, :_W]
    return np.asarray(cv2.resize(small, (_W, _H), interpolation=cv2.INTER_CUBIC), np.float32)


def _draw_ground(rng: np.random.Generator, style: Style, picture: Image, top: int) -> None:
    camera = style.camera
    if style.ground in ("paving", "tiles"):
        joint = shade(style.ground_colour, 0.82 if style.ground == "paving" else 1.22)
        row, gap = float(top), rng.uniform(0.9, 1.8)
        while row < _H:
            cv2.line(picture, (0, int(row)), (_W, int(row)), joint, 1)
            row += max(3.0, gap * camera.scale(row) * camera.pitch)
        vanish, step = rng.uniform(60, 260), gap * camera.scale(_H)
        for k in range(-30, 31):
            foot = vanish + k * step
            head = vanish + k * gap * camera.scale(top)
            cv2.line(picture, (int(head), top), (int(foot), _H), joint, 1, cv2.LINE_AA)
    if style.ground == "grass":
        for _ in range(260):
            x, y = int(rng.integers(_W)), int(rng.integers(top, _H))
            blade = shade(style.ground_colour, rng.uniform(0.75, 1.25))
            cv2.line(picture, (x, y), (x + int(rng.integers(-2, 3)), y - 3), blade, 1)
    if style.ground in ("gravel", "snow"):
        for _ in range(220):
            x, y = int(rng.integers(_W)), int(rng.integers(top, _H))
            spot = shade(style.ground_colour, rng.uniform(0.82, 1.1))
            cv2.ellipse(picture, (x, y), (int(rng.integers(1, 9)), int(rng.integers(1, 3))), 0, 0, 360, spot, -1)
    for _ in range(int(rng.integers(0, 4))):
        _draw_patch(rng, style, picture, top)
    if rng.random() < 0.5:
        _draw_road(rng, style, picture, top)


def _draw_patch(rng: np.random.Generator, style: Style, picture: Image, top: int) -> None:
    """Draw a lawn, a stain, or a piece of newer asphalt."""
    x, y = rng.uniform(0, _W), rng.uniform(top + 10, _H)
    wide, high = rng.uniform(20, 90), rng.uniform(5, 25)
    turns = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    reach = rng.uniform(0.7, 1.2, 14)
    corners = np.stack([x + wide * reach * np.cos(turns), y + high * reach * np.sin(turns)], 1).astype(np.int32)
    colour = shade(style.ground_colour, rng.uniform(0.8, 1.12))
    if style.name == "standard" and rng.random() < 0.4:
        colour = Style.sample_colour(rng, ((96, 122, 70),))
    cv2.fillPoly(picture, [corners], colour, cv2.LINE_AA)


def _draw_road(rng: np.random.Generator, style: Style, picture: Image, top: int) -> None:
    high = int(rng.uniform(3.0, 4.5) * style.camera.scale(170) * style.camera.pitch)
    y0 = int(rng.uniform(top + 12, _H - high * 0.6))
    tilt = int(rng.integers(-14, 15))
    base: Colour = (84, 84, 88) if style.name == "standard" else shade(style.ground_colour, 0.72)
    corners = np.array([(0, y0), (_W, y0 + tilt), (_W, y0 + tilt + high), (0, y0 + high)], np.int32)
    cv2.fillPoly(picture, [corners], base, cv2.LINE_AA)
    for edge in (0, high):
        cv2.line(picture, (0, y0 + edge), (_W, y0 + tilt + edge), shade(base, 1.6), 2, cv2.LINE_AA)
    for x in range(int(rng.integers(0, 20)), _W, 36):
        mid = y0 + high // 2
        left_y, right_y = mid + tilt * x // _W, mid + tilt * (x + 18) // _W
        cv2.line(picture, (x, left_y), (x + 18, right_y), (205, 205, 195), 1, cv2.LINE_AA)


def _draw_wall(rng: np.random.Generator, style: Style, picture: Image, foot: int) -> None:
    colour = style.wall_colour
    cv2.rectangle(picture, (0, 0), (_W, foot), colour, -1)
    high = int(style.camera.scale(foot) * 1.9)
    if style.wall == "windows":
        for y in range(foot, 0, -5):
            cv2.line(picture, (0, y), (_W, y), shade(colour, 0.94), 1)
        step, glass = int(rng.integers(34, 62)), Style.sample_colour(rng, ((70, 84, 100), (48, 56, 66)))
        for x in range(int(rng.integers(-20, 10)), _W, step):
            for y in (foot - high - int(rng.integers(6, 9)), foot - 2 * high - 20):
                cv2.rectangle(picture, (x, y), (x + step // 2, y + high * 2 // 3), shade(colour, 1.25), -1)
                cv2.rectangle(picture, (x + 2, y + 2), (x + step // 2 - 2, y + high * 2 // 3 - 2), glass, -1)
                cv2.line(picture, (x + step // 4, y), (x + step // 4, y + high * 2 // 3), shade(colour, 1.25), 1)
                cv2.line(picture, (x + 3, y + high // 2), (x + step // 4 - 2, y + 4), shade(glass, 1.4), 1)
        if rng.random() < 0.6:
            x = int(rng.integers(20, 280))
            cv2.rectangle(picture, (x, foot - high - 4), (x + high // 2 + 2, foot), shade(colour, 0.55), -1)
    elif style.wall == "fence":
        cv2.rectangle(picture, (0, 0), (_W, foot - high), shade(colour, 1.35), -1)
        for _ in range(60):
            x, y = int(rng.integers(_W)), int(rng.integers(max(1, foot - high - 10), foot))
            cv2.circle(picture, (x, y), int(rng.integers(3, 12)), shade(colour, rng.uniform(0.75, 1.2)), -1)
        for x in range(int(rng.integers(6)), _W, 7):
            cv2.line(picture, (x, foot - high), (x, foot), (70, 74, 78), 1)
        for y in (foot - high, foot - 3):
            cv2.line(picture, (0, y), (_W, y), (60, 64, 68), 2)
    elif style.wall == "hedge":
        for _ in range(420):
            x, y = int(rng.integers(_W)), int(rng.integers(0, foot))
            cv2.circle(picture, (x, y), int(rng.integers(2, 8)), shade(colour, rng.uniform(0.65, 1.35)), -1)
    elif style.wall == "shutters":
        step = int(rng.integers(60, 110))
        for x in range(int(rng.integers(-30, 0)), _W, step):
            panel = shade(colour, rng.uniform(0.7, 1.0))
            cv2.rectangle(picture, (x + 4, foot - high - 6), (x + step - 4, foot), panel, -1)
            for y in range(foot - high - 4, foot, 4):
                cv2.line(picture, (x + 5, y), (x + step - 5, y), shade(panel, 0.85), 1)
        sign = Style.sample_colour(rng, style.paints)
        cv2.rectangle(picture, (0, foot - high - 22), (_W, foot - high - 10), sign, -1)
    elif style.wall == "columns":
        cv2.rectangle(picture, (0, 0), (_W, foot), shade(colour, 0.5), -1)
        for x in range(int(rng.integers(-10, 20)), _W, int(rng.integers(38, 58))):
            cv2.rectangle(picture, (x, 0), (x + 11, foot), colour, -1)
            cv2.rectangle(picture, (x + 8, 0), (x + 11, foot), shade(colour, 0.75), -1)
    else:
        for x in range(0, _W, 11):
            cv2.rectangle(picture, (x, 0), (x + 9, foot), shade(colour, rng.uniform(0.8, 1.1)), -1)
        cv2.line(picture, (0, foot - high), (_W, foot - high), shade(colour, 0.6), 3)
