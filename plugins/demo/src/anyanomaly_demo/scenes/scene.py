"""A scene: its frames, its boxes, its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from anyanomaly_demo.scenes.actors import Actor, Bools
from anyanomaly_demo.scenes.background import NOISE_MARGIN, noise
from anyanomaly_demo.scenes.camera import ZOOM, Extent, Image, Pen
from anyanomaly_demo.scenes.constants import SIZE
from anyanomaly_demo.scenes.style import Style

_W, _H = SIZE
_MIN_VISIBLE = 0.33  # fraction of an actor that must be visible for its event to be labelled
_COVERAGE = 0.85  # fraction of an overlap that counts as hidden: nothing fills its box
_STEP = 4  # frames between the samples by which ``span`` finds an event: each costs half a millisecond


@dataclass(frozen=True, slots=True)
class SceneEvent:
    """An event of class ``name``, visible in the frames [start, stop)."""

    name: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class SceneBox:
    """The box of one thing in a frame: x0, y0, x1, y1 in pixels, half-open, within the frame."""

    name: str  # a class, "person", or the name of another thing
    actor: int  # boxes with the same number belong together, such as a person and a pram
    box: tuple[int, int, int, int]
    visible: float  # fraction that is in the frame and not hidden, estimated; 0 to 1
    event: str | None  # class of the event that it is part of in this frame


@dataclass(eq=False)
class Scene:
    """A clip whose frames are drawn on demand. The same seed gives the same bytes, in any order of frames."""

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

        :raises IndexError: when ``index`` is outside the clip.
        """
        self._check(index)
        present = self._present_actors(index)
        canvas = cv2.resize(
            self._background_with_shadows(present, index), (_W * ZOOM, _H * ZOOM), interpolation=cv2.INTER_NEAREST
        )
        pen = Pen(canvas, self.style.camera.pitch)
        for number in present:
            self._paint(pen, number, index)
        picture = cv2.resize(canvas, SIZE, interpolation=cv2.INTER_AREA)
        if self.style.blur > 0.3:
            picture = cv2.GaussianBlur(picture, (3, 3), self.style.blur)
        if self.style.tint is not None:
            picture = cv2.transform(picture, self.style.tint)
        picture = cv2.multiply(picture, self.light, dtype=cv2.CV_8U)
        spot = (self.seed * 7919 + index * 104_729) & 0x7FFFFFFF
        dx, dy = spot % NOISE_MARGIN, spot // NOISE_MARGIN % NOISE_MARGIN
        grain = noise(self.style.noise)[dy : dy + _H, dx : dx + _W]
        out: Image = cv2.add(picture, grain, dtype=cv2.CV_8U)
        return out

    def boxes(self, index: int) -> list[SceneBox]:
        """Return the boxes of a frame, the nearest last, without those wholly outside the frame.

        :raises IndexError: when ``index`` is outside the clip.
        """
        self._check(index)
        if index not in self._boxes:
            self._boxes[index] = self._measure(index)
        return list(self._boxes[index])

    def labels(self, name: str) -> Bools:
        """Return the frames in which the event ``name`` happens and a third of it is visible: bool (n_frames,)."""
        labels = np.zeros(self.n_frames, np.bool_)
        for event in self.events:
            if event.name == name:
                for index in range(event.start, event.stop):
                    labels[index] |= any(box.event == name and box.visible >= _MIN_VISIBLE for box in self.boxes(index))
        return labels

    def span(self, actor: int) -> tuple[int, int, int]:
        """Return the frames [start, stop) in which an actor's event is visible, and about how many of them show it."""
        coarse = [frame for frame in range(0, self.n_frames, _STEP) if self._is_visible(actor, frame)]
        if not coarse:
            return 0, 0, 0
        start, stop = coarse[0], coarse[-1] + 1
        while start > 0 and start > coarse[0] - _STEP and self._is_visible(actor, start - 1):
            start -= 1
        while stop < self.n_frames and stop < coarse[-1] + _STEP and self._is_visible(actor, stop):
            stop += 1
        return start, stop, min(_STEP * len(coarse), stop - start)

    def _is_visible(self, actor: int, index: int) -> bool:
        if not self.actors[actor].is_active(index) or not self._may_be_in_frame(actor, index):
            return False
        return any(box.actor == actor and box.visible >= _MIN_VISIBLE for box in self.boxes(index))

    def _check(self, index: int) -> None:
        if not 0 <= index < self.n_frames:
            raise IndexError(f"frame {index} is outside a clip of {self.n_frames} frames")

    def _may_be_in_frame(self, number: int, index: int) -> bool:
        actor = self.actors[number]
        if actor.present is not None and not actor.present[index]:
            return False
        x, y = actor.x[index], actor.y[index]
        reach = 3.0 * actor.size * self.style.camera.scale(y)
        # a ball, which has no shadow, flies far from its thrower
        if actor.shadow[1] == 0.0:
            reach *= 4.0
        return bool(-reach < x < _W + reach and y < _H + 2 * reach)

    def _present_actors(self, index: int) -> list[int]:
        """Return the numbers of the actors that may be in the frame, the farthest first."""
        numbers = [number for number in range(len(self.actors)) if self._may_be_in_frame(number, index)]
        return sorted(numbers, key=lambda number: float(self.actors[number].y[index]))

    def _paint(self, pen: Pen, number: int, index: int) -> None:
        actor = self.actors[number]
        y = float(actor.y[index])
        scale = self.style.camera.scale(y) * actor.size
        pen.place(float(actor.x[index]), y - actor.rise * scale, scale, float(actor.heading[index]))
        actor.paint(pen, index)

    def _background_with_shadows(self, present: Sequence[int], index: int) -> Image:
        right, down, strength = self.style.shadow
        mask = np.full((_H // 2, _W // 2), 255, np.uint8)
        cast, contact = 255 * (1 - strength), 255 * (1 - 0.35 - 0.4 * strength)
        for number in present:
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
        boxes: list[SceneBox] = []
        nearer: list[tuple[int, int, Extent]] = []  # number, group and extent of the parts nearer to the camera
        for number in reversed(self._present_actors(index)):
            actor = self.actors[number]
            parts = actor.parts
            if parts is None:
                pen = Pen(None, self.style.camera.pitch)
                self._paint(pen, number, index)
                parts = pen.parts
                if actor.is_static:
                    actor.parts = parts
            event = actor.event if actor.is_active(index) else None
            for name, extent in reversed(parts):
                box = _clip(extent)
                if box is None:
                    continue
                area = max(1.0, (extent[2] - extent[0]) * (extent[3] - extent[1]))
                fraction = min(1.0, (box[2] - box[0]) * (box[3] - box[1]) / area)
                hidden = sum(_overlap(extent, cover) for _, group, cover in nearer if not group or group != actor.group)
                visible = fraction * max(0.0, 1.0 - _COVERAGE * hidden / area)
                boxes.append(SceneBox(name, number, box, round(visible, 3), event))
            nearer.extend((number, actor.group, extent) for _, extent in parts)
        return boxes[::-1]


def _clip(extent: Extent) -> tuple[int, int, int, int] | None:
    x0, y0 = max(0, int(extent[0])), max(0, int(extent[1]))
    x1, y1 = min(_W, int(extent[2]) + 1), min(_H, int(extent[3]) + 1)
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


def _overlap(a: Extent, b: Extent) -> float:
    """Return the area that two extents share, in pixels."""
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    return max(0.0, wide) * max(0.0, high)


def compress(frame: Image, quality: int) -> Image:
    """Return a frame after JPEG at ``quality`` (1 to 100): about what a video codec does to a single frame."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    out: Image = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    return out
