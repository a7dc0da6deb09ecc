"""Plots: what they show, as SVG, PDF and PNG."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from anyanomaly import registry
from anyanomaly.api import RunEnd
from anyanomaly.api.sink import RunStatus
from anyanomaly.errors import MissingRequirement, OutputError
from anyanomaly.evidence import Truth
from anyanomaly.plots.plot_options import PlotOptions
from anyanomaly.plots.plot_sink import PlotSink
from anyanomaly.types import Event, Timeline, Video

HOSTILE = '<script>alert("1")</script> $x_1^2$ & \x1b[31m\u202e \uffff مرحبا 你好 🙂 \\frac{1}'
SHOWN = '<script>alert("1")</script> $x_1^2$ & \\x1b[31m\\u202e \ufffd مرحبا 你好 🙂 \\frac{1}'
SVG = "{http://www.w3.org/2000/svg}"


def draw(
    path: Path,
    *,
    texts: Sequence[str] = ("a dog",),
    videos: Sequence[str] = ("v",),
    top: float = 0.9,
    truth: tuple[tuple[float, float], ...] | None = ((4.0, 6.0),),
    status: RunStatus = "complete",
    n_frames: int = 250,
    **options: Any,
) -> bytes:
    """Draw scores with an event from 5 s to 7 s, and return the file; empty: there is none."""
    with PlotSink(PlotOptions(path=str(path), **options)) as sink:
        sink.begin({"config": {"run": {"threshold": 0.4}}})
        for number, name in enumerate(videos):
            video = Video(name, f"{name}.mp4", 25.0, n_frames, 4, 4)
            sink.write_video(video)
            times_s = np.arange(n_frames) / 25
            smooth = np.where((times_s >= 5) & (times_s < 7), top - number / 100, 0.1).astype(np.float32)
            for piece in (slice(0, 100), slice(100, None)):
                for text in texts:
                    series = [smooth[piece].copy() for _ in range(4)]
                    contexts = {"key": series[2], "position": series[3]}
                    start = piece.start
                    sink.write_timeline(Timeline(video, text, start, times_s[piece].copy(), *series[:2], contexts))
            for text in texts:
                sink.write_event(Event(name, text, 5.0, 7.0, top, 6.0))
                if truth is not None:
                    sink.write_truth(Truth(name, text, truth))
        sink.end(RunEnd(status, 1, 1, 0))
    return path.read_bytes() if path.exists() else b""


def svg_texts(image: bytes) -> list[str]:
    return ["".join(element.itertext()) for element in ElementTree.fromstring(image).iter(f"{SVG}text")]


def x_range(image: bytes, name: str) -> tuple[float, float]:
    """Return the lowest and highest x of the part of an SVG image with an id."""
    root = ElementTree.fromstring(image)
    group = next(element for element in root.iter() if element.get("id") == name)
    paths = [element.get("d", "") for element in group.iter(f"{SVG}path")]
    numbers = [float(number) for path in paths for number in re.findall(r"[ML] ([-0-9.]+) ", path)]
    return min(numbers), max(numbers)


def test_an_svg_shows_scores_threshold_events_and_truth_at_their_times(tmp_path: Path) -> None:
    image = draw(tmp_path / "t.svg")
    left, right = x_range(image, "smoothed-0")
    second = (right - left) / (249 / 25)
    for name, (start_s, stop_s) in {"events-0-0": (5, 7), "truth-0-0": (4, 6)}.items():
        assert x_range(image, name) == pytest.approx((left + start_s * second, left + stop_s * second), abs=0.5)
    assert {"a dog", "1 event, v", "threshold 0.4", "events", "truth", "0:05", "context key"} <= set(svg_texts(image))
    for name in ("raw-0", "context-0-0", "context-0-1", "threshold-0"):
        assert x_range(image, name)[1] > right - 1


def test_unknown_truth_has_no_lane_and_known_absence_an_empty_one(tmp_path: Path) -> None:
    assert "truth" not in svg_texts(draw(tmp_path / "unknown.svg", truth=None))
    absent = draw(tmp_path / "absent.svg", truth=())
    assert "truth" in svg_texts(absent)
    assert b"truth-0-0" not in absent


def test_hostile_texts_are_text_in_svg(tmp_path: Path) -> None:
    image = draw(tmp_path / "t.svg", texts=[HOSTILE], videos=["<b>v</b>$a$", "x" * 10_000])
    assert SHOWN in svg_texts(image)
    assert "1 event, <b>v</b>$a$" in svg_texts(image)
    assert f"1 event, {'x' * 47}…" in svg_texts(image)
    assert not list(ElementTree.fromstring(image).iter(f"{SVG}script"))
    assert max(map(len, svg_texts(image))) < 120


def test_a_pdf_keeps_text_as_text(tmp_path: Path) -> None:
    image = draw(tmp_path / "t.pdf", texts=["a dog", HOSTILE])
    assert b"/FontFile2" in image  # TrueType
    assert b"/Type3" not in image.replace(b" ", b"")
    streams = [zlib.decompress(stream) for stream in re.findall(rb"stream\r?\n(x.*?)\r?\nendstream", image, re.S)]
    assert any(b"Tj" in stream or b"TJ" in stream for stream in streams)


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_results_give_the_same_bytes(kind: str, tmp_path: Path) -> None:
    first = draw(tmp_path / f"1.{kind}", texts=["a dog", HOSTILE])
    assert first
    assert draw(tmp_path / f"2.{kind}", texts=["a dog", HOSTILE]) == first


def test_events_and_truth_differ_without_colour(tmp_path: Path) -> None:
    with Image.open(io.BytesIO(draw(tmp_path / "t.png", truth=((1.0, 3.0),)))) as image:
        grey = np.asarray(image.convert("L"), float)
    height, width = grey.shape
    lanes = grey[int(0.55 * height) : int(0.72 * height)]
    left, second = 0.054 * width, 0.0917 * width
    brightness = {}
    for time_s in (2, 6, 9):  # truth, event, neither
        columns = slice(int(left + (time_s - 0.3) * second), int(left + (time_s + 0.3) * second))
        brightness[time_s] = np.sort(lanes[:, columns].mean(axis=1))[8]  # darker rows are the edges of the lanes
    assert brightness[2] + 20 < brightness[6] < brightness[9] - 20


def test_of_many_panels_those_with_the_highest_scores_are_shown(tmp_path: Path) -> None:
    image = draw(tmp_path / "t.svg", videos=[f"v{number}" for number in range(6)], max_panels=2)
    assert [text for text in svg_texts(image) if text.startswith("1 event")] == ["1 event, v0", "1 event, v1"]
    assert "time in the video; 4 more panels with lower scores are not shown" in svg_texts(image)


def test_scores_beyond_one_fit_into_the_panel(tmp_path: Path) -> None:
    image = draw(tmp_path / "t.svg", top=7.0).decode()
    curve = image[image.index('id="smoothed-0"') :].partition("clip-path")[0]
    heights = [float(y) for y in re.findall(r"[ML] [0-9.]+ ([0-9.]+)", curve)]
    assert min(heights) > 20  # below the title
    assert max(heights) - min(heights) > 40


def test_only_a_complete_or_failed_run_draws(tmp_path: Path) -> None:
    path = tmp_path / "t.png"
    path.write_bytes(b"of an earlier run")
    for status in ("interrupted", "failed"):
        assert draw(path, status=status) == b"of an earlier run"
    assert (tmp_path / "t.png.partial").read_bytes()[:4] == b"\x89PNG"
    assert draw(path, videos=[])[:4] == b"\x89PNG"


def test_a_suffix_that_is_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"a plot is a .png, .svg or .pdf file"):
        PlotSink(PlotOptions(path=str(tmp_path / "t.txt"))).load()


def test_a_missing_matplotlib_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "missing_requirement", lambda text: text)
    with pytest.raises(MissingRequirement, match=r"Sink 'plot' needs matplotlib.*Run: .*report"):
        registry.load().check_requirements(registry.load().find("sink", "plot"))
