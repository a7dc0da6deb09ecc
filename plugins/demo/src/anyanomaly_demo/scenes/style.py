"""Styles of clips: palettes, light, sizes. "held-out" shares no palette, ground or size with "standard"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from anyanomaly_demo.scenes.camera import Camera, Colour

STYLES = ("standard", "held-out")

_TOPS: tuple[Colour, ...] = (
    (200, 40, 40), (40, 80, 180), (230, 220, 210), (40, 120, 70), (240, 190, 60), (60, 60, 66), (150, 90, 150),
    (110, 160, 200), (205, 110, 60), (120, 30, 50), (30, 40, 70), (170, 170, 165), (90, 110, 70), (235, 150, 170),
)  # fmt: skip
_BOTTOMS: tuple[Colour, ...] = (
    (40, 50, 80), (30, 30, 34), (90, 85, 75), (60, 80, 120), (150, 135, 105), (75, 55, 45), (110, 110, 115),
)  # fmt: skip
_PAINTS: tuple[Colour, ...] = (
    (185, 30, 35), (30, 70, 150), (225, 225, 225), (50, 52, 56), (150, 155, 160), (30, 100, 75), (220, 170, 40),
)  # fmt: skip
_OUT_TOPS: tuple[Colour, ...] = (
    (255, 120, 20), (20, 150, 150), (110, 50, 170), (190, 200, 70), (70, 40, 30), (20, 25, 30), (220, 60, 130),
    (130, 140, 150),
)  # fmt: skip
# most cloth reflects infrared light, so people are bright at night
_NIGHT_TOPS: tuple[Colour, ...] = ((235, 235, 230), (200, 205, 200), (245, 240, 200), (170, 180, 175), (40, 42, 40))
_OUT_BOTTOMS: tuple[Colour, ...] = ((20, 60, 60), (80, 30, 60), (50, 45, 30), (25, 25, 25), (130, 90, 60))
_OUT_PAINTS: tuple[Colour, ...] = ((120, 40, 140), (20, 140, 140), (210, 110, 30), (90, 110, 60), (235, 235, 200))


@dataclass(frozen=True, slots=True)
class Style:
    """The look of one clip."""

    name: str
    camera: Camera
    tops: tuple[Colour, ...]
    bottoms: tuple[Colour, ...]
    paints: tuple[Colour, ...]  # of vehicles, prams, umbrellas
    ground: str  # "asphalt", "paving", "grass", "snow", "tiles", "gravel"
    ground_colour: Colour
    wall: str  # "windows", "fence", "hedge", "shutters", "columns", "planks"
    wall_colour: Colour
    gain: tuple[float, float, float]
    vignette: float
    blur: float  # standard deviation in pixels
    noise: int  # standard deviation in grey levels
    shadow: tuple[float, float, float]  # per metre of height: metres right, metres down; strength 0 to 1
    tint: npt.NDArray[np.float64] | None  # (3, 3), applied to the colours at the end

    @staticmethod
    def sample_colour(rng: np.random.Generator, palette: tuple[Colour, ...]) -> Colour:
        """Sample a colour near one of ``palette``."""
        base = palette[int(rng.integers(len(palette)))]
        red, green, blue = np.clip(np.array(base) * rng.uniform(0.85, 1.15) + rng.integers(-10, 11, 3), 0, 255)
        return (int(red), int(green), int(blue))


def sample_style(rng: np.random.Generator, name: str) -> Style:
    """Sample the style of a clip.

    :raises ValueError: when no style has that name.
    """
    if name not in STYLES:
        raise ValueError(f"unknown style {name!r}; use one of: {', '.join(STYLES)}")
    return _standard(rng) if name == "standard" else _held_out(rng)


def _standard(rng: np.random.Generator) -> Style:
    ground = str(rng.choice(("asphalt", "paving", "grass", "paving", "asphalt")))
    grounds = {"asphalt": (112, 112, 116), "paving": (160, 152, 140), "grass": (104, 128, 76)}
    walls = {
        "windows": ((168, 140, 118), (190, 186, 178), (150, 96, 80), (205, 195, 165)),
        "fence": ((96, 120, 84), (120, 128, 116)),
        "hedge": ((60, 92, 52), (80, 100, 56)),
        "shutters": ((140, 148, 158), (175, 165, 150)),
    }
    wall = str(rng.choice(tuple(walls)))
    warmth, light = rng.uniform(-0.07, 0.07), rng.uniform(0.85, 1.2)
    return Style(
        name="standard",
        camera=Camera(rng.uniform(24.0, 37.0), rng.uniform(-90.0, 5.0), rng.uniform(0.3, 0.45), rng.uniform(78, 104)),
        tops=_TOPS,
        bottoms=_BOTTOMS,
        paints=_PAINTS,
        ground=ground,
        ground_colour=Style.sample_colour(rng, (grounds[ground],)),
        wall=wall,
        wall_colour=Style.sample_colour(rng, walls[wall]),
        gain=(light * (1 + warmth), light, light * (1 - warmth)),
        vignette=rng.uniform(0.0, 0.35),
        blur=rng.uniform(0.35, 0.8),
        noise=int(rng.choice((2, 3, 5))),
        shadow=(rng.uniform(-0.9, 0.9), rng.uniform(-0.1, 0.35), rng.uniform(0.15, 0.5)),
        tint=None,
    )


def _held_out(rng: np.random.Generator) -> Style:
    night = bool(rng.random() < 0.5)
    ground = str(rng.choice(("gravel", "tiles") if night else ("snow", "tiles")))
    grounds = {"gravel": (92, 96, 90), "tiles": (140, 120, 110), "snow": (214, 220, 228)}
    wall = str(rng.choice(("columns", "planks")))
    metre = rng.uniform(20.0, 22.5) if rng.random() < 0.5 else rng.uniform(38.5, 43.0)
    # infrared: mostly one channel of light, displayed grey-green
    weights = np.array([0.5, 0.35, 0.15])
    tint = np.outer(np.array([0.74, 0.92, 0.76]), weights) if night else None
    light = rng.uniform(1.05, 1.4) if night else rng.uniform(0.95, 1.08)
    return Style(
        name="held-out",
        camera=Camera(metre, rng.uniform(-190.0, -120.0), rng.uniform(0.48, 0.58), rng.uniform(92, 112)),
        tops=_NIGHT_TOPS if night else _OUT_TOPS,
        bottoms=_OUT_BOTTOMS,
        paints=_OUT_PAINTS,
        ground=ground,
        ground_colour=Style.sample_colour(rng, (grounds[ground],)),
        wall=wall,
        wall_colour=Style.sample_colour(rng, ((120, 130, 150), (150, 140, 160), (95, 85, 75))),
        gain=(light, light, light),
        vignette=0.5 if night else 0.15,
        blur=rng.uniform(0.5, 0.85),
        noise=7 if night else 4,
        shadow=(rng.uniform(-0.3, 0.3), rng.uniform(0.0, 0.2), 0.2) if night else (rng.uniform(-1.3, 1.3), 0.4, 0.35),
        tint=tint,
    )
