"""Evidence of a made segment, and a parser that says what a page holds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from html.parser import HTMLParser

import cv2
import numpy as np

from anyanomaly.evidence import Evidence, Exchange, Picture

HOSTILE = (
    "<script>alert(1)</script> \"quoted\" 'single' </style></pre> javascript:alert(1) "
    "🚲 \u202eright-to-left \x1b[31mred"
)


def picture(shade: int, frame: int | None = None, size: tuple[int, int] = (64, 48)) -> Picture:
    """Return a grey picture; shades give different bytes."""
    width, height = size
    _, jpeg = cv2.imencode(".jpg", np.full((height, width, 3), shade, dtype=np.uint8))
    return Picture(jpeg.tobytes(), width, height, frame, None if frame is None else frame / 25)


def sample_evidence(
    *, text: str = "bicycle", answer: str = "0.8. A bicycle.", scores: Mapping[str, float] | None = None
) -> Evidence:
    """Return evidence with the contexts key, position, and temporal with two grids."""
    values = {"key": 0.9, "position": 0.5, "temporal": 0.7, "temporal 2": 0.4} | dict(scores or {})
    views = {
        "similarity_small": np.array([[0.1, 0.2], [0.3, 0.4]], dtype=np.float32),
        "similarity_large": np.array([[0.25]], dtype=np.float32),
    }
    grid = {"window": np.array([80, 0, 160, 80]), "side": np.array(240)}
    logprobs = {"0.0": math.log(0.2), "1.0": math.log(0.6), "0.5": -math.inf}
    exchanges = (
        Exchange("key", 0, (picture(90),), "System.", f"Is **{text}** there?", answer, values["key"]),
        Exchange("position", 0, (picture(60),), "", "Where?", "", values["position"], 0.8, logprobs, answer, views),
        Exchange("temporal", 0, (picture(30),), "", "When?", answer, values["temporal"], views=grid),
        Exchange("temporal", 1, (picture(31),), "", "When?", answer, values["temporal 2"], views=grid),
    )
    frames = tuple(picture(90 + number, 72 + number) for number in range(4))
    weights = {"key": 0.6, "position": 0.3, "temporal": 0.1}
    return Evidence("cam", text, 3, 72, 96, 2.88, 3.84, 0.76, weights, picture(90, 72), frames, exchanges)


class ParsedPage(HTMLParser):
    """The elements, the addresses and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._style = self._style and tag != "style"

    def handle_data(self, data: str) -> None:
        self.text += "" if self._style else data

    def all(self, tag: str, css_class: str = "") -> list[dict[str, str]]:
        """Return the attributes of the elements of a kind, with a class where one is given."""
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and (not css_class or css_class in attributes.get("class", "").split())
        ]

    @property
    def addresses(self) -> list[str]:
        """Everything that a browser could load or follow."""
        names = ("href", "src", "srcset", "action", "data", "poster", "xlink:href")
        return [attributes[name] for _, attributes in self.elements for name in names if name in attributes]
