"""A scene: its frames, its boxes, its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from anyanomaly_demo.scenes.actors import Actor, Bools
from anyanomaly_demo.scenes.background import NOISE_ROOM, noise
from anyanomaly_demo.scenes.camera import ZOOM, Extent, Image, Pen
from anyanomaly_demo.scenes.facts import SIZE
from anyanomaly_demo.scenes.style import Style

_W, _H = SIZE
_SEEN = 0.33  # a share of an actor below which its event is not labelled
_COVER = 0.85  # what a box hides of another: nothing fills its box
_STEP = 4  # frames between looks when the span of an event is sought: a look costs half a millisecond


@dataclass(frozen=True, slots=True)
class SceneEvent:
    """An event of class ``name``, seen in frames of ``[start, stop)``."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SceneBox:
    """What is where in a frame. ``box`` is x0, y0, x1, y1 in pixels, half-open, within the frame."""

    name: str  # a class's word, "person", or what a look-alike is
    actor: int  # boxes of one actor belong together: a pusher and a pram
    box: tuple[int, int, int, int]
    visible: float  # 0 to 1: about what share of it is in the frame and not hidden
    event: str | None  # the class it is part of in this frame


@dataclass(eq=False)
class Scene:
    """A clip that is drawn when asked for. The same seed gives the same bytes, in any order of frames."""

    seed: int
    style: Style
    n_frames: int
    background: Image
    light: npt.NDArray[np.float32]
    actors: Sequence[Actor]
    events: tuple[SceneEvent, ...] = ()
    _boxes: dict[int, list[SceneBox]] = field(default_factory=dict)

    def frame(self, index: int) -> Image:
        """Draw a frame: uint8 (240, 320, 3), RGB, with shadows, blur and sensor noise.

        :raises IndexError: when there is no such frame.
        """
        self._check(index)
        there = self._there(index)
        canvas = cv2.resize(self._shaded(there, index), (_W * ZOOM, _H * ZOOM), interpolation=cv2.INTER_NEAREST)
        pen = Pen(canvas, self.style.camera.pitch)
        for number in there:
            self._paint(pen, number, index)
        picture = cv2.resize(canvas, SIZE, interpolation=cv2.INTER_AREA)
        if self.style.blur > 0.3:
            picture = cv2.GaussianBlur(picture, (3, 3), self.style.blur)
        if self.style.tint is not None:
            picture = cv2.transform(picture, self.style.tint)
        picture = cv2.multiply(picture, self.light, dtype=cv2.CV_8U)
        spot = (self.seed * 7919 + index * 104_729) & 0x7FFFFFFF
        dx, dy = spot % NOISE_ROOM, spot // NOISE_ROOM % NOISE_ROOM
        grain = noise(self.style.noise)[dy : dy + _H, dx : dx + _W]
        out: Image = cv2.add(picture, grain, dtype=cv2.CV_8U)
        return out

    def boxes(self, index: int) -> list[SceneBox]:
        """Say what is where in a frame, the nearest last; what is wholly outside is left out.

        :raises IndexError: when there is no such frame.
        """
        self._check(index)
        if index not in self._boxes:
            self._boxes[index] = self._measure(index)
        return list(self._boxes[index])

    def labels(self, name: str) -> Bools:
        """Say in which frames the event ``name`` goes on and at least a third of it is seen. Shape (n_frames,)."""
        found = np.zeros(self.n_frames, np.bool_)
        for event in self.events:
            if event.name == name:
                for index in range(event.start, event.stop):
                    found[index] |= any(b.event == name and b.visible >= _SEEN for b in self.boxes(index))
        return found

    def span(self, actor: int) -> tuple[int, int, int]:
        """First frame and end of what is seen of an actor's event, and in about how many frames it is seen."""
        coarse = [i for i in range(0, self.n_frames, _STEP) if self._shows(actor, i)]
        if not coarse:
            return 0, 0, 0
        start, stop = coarse[0], coarse[-1] + 1
        while start > 0 and start > coarse[0] - _STEP and self._shows(actor, start - 1):
            start -= 1
        while stop < self.n_frames and stop < coarse[-1] + _STEP and self._shows(actor, stop):
            stop += 1
        return start, stop, min(_STEP * len(coarse), stop - start)

    def _shows(self, actor: int, index: int) -> bool:
        if not self.actors[actor].goes_on(index) or not self._within(actor, index):
            return False
        return any(b.actor == actor and b.visible >= _SEEN for b in self.boxes(index))

    def _check(self, index: int) -> None:
        if not 0 <= index < self.n_frames:
            raise IndexError(f"frame {index} of a scene of {self.n_frames}")

    def _within(self, number: int, index: int) -> bool:
        actor = self.actors[number]
        if actor.shown is not None and not actor.shown[index]:
            return False
        x, y = actor.x[index], actor.y[index]
        reach = 3.0 * actor.size * self.style.camera.scale(y)
        # a ball flies farther from its thrower than anything else reaches
        if actor.shadow[1] == 0.0:
            reach *= 4.0
        return bool(-reach < x < _W + reach and y < _H + 2 * reach)

    def _there(self, index: int) -> list[int]:
        """Actors that may be in the frame, the farthest first."""
        numbers = [k for k in range(len(self.actors)) if self._within(k, index)]
        return sorted(numbers, key=lambda k: float(self.actors[k].y[index]))

    def _paint(self, pen: Pen, number: int, index: int) -> None:
        actor = self.actors[number]
        y = float(actor.y[index])
        scale = self.style.camera.scale(y) * actor.size
        pen.place(float(actor.x[index]), y - actor.rise * scale, scale, float(actor.heading[index]))
        actor.paint(pen, index)

    def _shaded(self, there: Sequence[int], index: int) -> Image:
        right, down, strength = self.style.shadow
        mask = np.full((_H // 2, _W // 2), 255, np.uint8)
        cast, contact = 255 * (1 - strength), 255 * (1 - 0.35 - 0.4 * strength)
        for number in there:
            actor = self.actors[number]
            wide, high = actor.shadow
            if wide <= 0:
                continue
            x, y = float(actor.x[index]) / 2, float(actor.y[index]) / 2
            scale = self.style.camera.scale(2 * y) * actor.size / 2
            tip = (int((x + right * high * scale) * 16), int((y + down * high * scale) * 16))
            foot = (int(x * 16), int(y * 16))
            cv2.line(mask, foot, tip, cast, max(1, round(min(wide, 0.4) * 1.3 * scale)), cv2.LINE_AA, 4)
            spread = wide * max(0.45, abs(np.cos(actor.heading[index])))
            axes = (max(16, int(spread * scale * 16)), max(10, int(0.3 * min(wide, 0.6) * scale * 16)))
            cv2.ellipse(mask, foot, axes, 0, 0, 360, contact, -1, cv2.LINE_AA, 4)
        mask = cv2.resize(cv2.GaussianBlur(mask, (5, 5), 0), SIZE, interpolation=cv2.INTER_LINEAR)
        out: Image = cv2.multiply(self.background, cv2.merge((mask, mask, mask)), scale=1 / 255)
        return out

    def _measure(self, index: int) -> list[SceneBox]:
        found: list[SceneBox] = []
        nearer: list[tuple[int, int, Extent]] = []  # number, group, extent of what stands before
        for number in reversed(self._there(index)):
            actor = self.actors[number]
            parts = actor.parts
            if parts is None:
                pen = Pen(None, self.style.camera.pitch)
                self._paint(pen, number, index)
                parts = pen.parts
                if actor.still:
                    actor.parts = parts
            event = actor.event if actor.goes_on(index) else None
            for name, extent in reversed(parts):
                box = _clip(extent)
                if box is None:
                    continue
                area = max(1.0, (extent[2] - extent[0]) * (extent[3] - extent[1]))
                share = min(1.0, (box[2] - box[0]) * (box[3] - box[1]) / area)
                hidden = sum(_common(extent, other) for _, group, other in nearer if not group or group != actor.group)
                visible = share * max(0.0, 1.0 - _COVER * hidden / area)
                found.append(SceneBox(name, number, box, round(visible, 3), event))
            nearer.extend((number, actor.group, extent) for _, extent in parts)
        return found[::-1]


def _clip(extent: Extent) -> tuple[int, int, int, int] | None:
    x0, y0 = max(0, int(extent[0])), max(0, int(extent[1]))
    x1, y1 = min(_W, int(extent[2]) + 1), min(_H, int(extent[3]) + 1)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _common(one: Extent, other: Extent) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)


def compress(frame: Image, quality: int) -> Image:
    """Put a frame through JPEG at ``quality`` (1 to 100): about what a video codec does to a single frame."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    out: Image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return out
