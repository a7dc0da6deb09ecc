"""The worst mistakes in the report, where the ground truth is known."""

from __future__ import annotations

from pathlib import Path

from anyanomaly.report.sink import HtmlReportOptions, HtmlReportSink
from anyanomaly.testing.videos import synthetic_video
from anyanomaly.types import Span, Video
from tests.report.test_report import Page
from tests.support.reports import header, results_of_video, write_results

SCORES = {"square": [0.1, 0.8, 0.2, 0.1, 0.05, 0.1, 0.1, 0.6]}


def report(folder: Path, uri: str, truth: dict[str, list[Span]] | None) -> Page:
    sink = HtmlReportSink(HtmlReportOptions(path=str(folder / "report.html")))
    write_results(sink, header(["square"]), results_of_video(Video("cam", uri, 25.0, 200, 64, 48), SCORES, truth))
    return Page(folder / "report.html")


def test_false_alarms_and_misses_come_with_their_pictures(tmp_path: Path) -> None:
    synthetic_video(tmp_path / "cam.mp4", n_frames=200)
    page = report(tmp_path, str(tmp_path / "cam.mp4"), {"square": [(4.0, 5.0), (7.2, 7.8)]})
    words = page.words
    alarms = words[words.index("False alarms") : words.index("Misses")]
    misses = words[words.index("Misses") : words.index("Scores over time")]
    assert alarms.index("0.80") < alarms.index("0:00:01.0 – 0:00:02.0")
    assert "0.60" not in alarms  # its segment overlaps the ground truth
    assert misses.index("0.05") < misses.index("0:00:04.0 – 0:00:05.0") < misses.index("0.60")
    pictures = [element for element in page.elements if element[1].get("alt") == "Frame of the segment"]
    assert len(pictures) == 3
    assert all(str(attributes["src"]).startswith("data:image/jpeg;base64,") for _, attributes in pictures)


def test_without_the_video_the_mistakes_have_no_picture(tmp_path: Path) -> None:
    page = report(tmp_path, str(tmp_path / "gone.mp4"), {"square": [(4.0, 5.0)]})
    assert "Worst mistakes" in page.words
    assert "no picture" in page.words


def test_without_ground_truth_there_are_no_mistakes(tmp_path: Path) -> None:
    assert "Worst mistakes" not in report(tmp_path, "", None).words
