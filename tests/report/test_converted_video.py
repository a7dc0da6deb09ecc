"""Videos that browsers cannot play get a small copy in the report."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import av
import pytest

from anyanomaly.report.sink import HtmlReportOptions, HtmlReportSink
from anyanomaly.testing.videos import synthetic_frames, synthetic_video
from anyanomaly.types import Video
from tests.report.test_report import Page
from tests.support.reports import header, results_of_video, write_results


def write_report(folder: Path, uri: Path, n_segments: int = 4, **options: object) -> Page:
    sink = HtmlReportSink(HtmlReportOptions.model_validate({"path": str(folder / "report.html"), **options}))
    video = Video("cam", str(uri), 25.0, None, 64, 48)
    write_results(sink, header(["square"]), results_of_video(video, {"square": [0.1] * n_segments}))
    return Page(folder / "report.html")


def embedded_video(page: Page) -> bytes:
    (source,) = [attributes["src"] for tag, attributes in page.elements if tag == "video"]
    head, _, data = str(source).partition(",")
    assert head == "data:video/mp4;base64"
    return base64.b64decode(data)


def test_a_short_video_that_browsers_cannot_play_gets_a_copy(tmp_path: Path) -> None:
    synthetic_video(tmp_path / "cam.mp4")  # MPEG-4 part 2
    page = write_report(tmp_path, tmp_path / "cam.mp4")
    assert "The player has a small copy of the video." in page.words
    with av.open(io.BytesIO(embedded_video(page))) as copy:
        assert copy.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in copy.decode(video=0)) == 96


def test_a_long_one_gets_it_where_it_was_asked_for(tmp_path: Path) -> None:
    synthetic_video(tmp_path / "cam.mp4")
    page = write_report(tmp_path, tmp_path / "cam.mp4", n_segments=130)
    assert "--sink.html.video convert" in page.words
    assert not [tag for tag, _ in page.elements if tag == "video"]
    assert embedded_video(write_report(tmp_path, tmp_path / "cam.mp4", n_segments=130, video="convert"))


def test_a_folder_of_images_gets_it(tmp_path: Path) -> None:
    synthetic_frames(tmp_path / "frames")
    assert embedded_video(write_report(tmp_path, tmp_path / "frames", video="convert"))


@pytest.mark.parametrize("name", ["gone.avi", "no-video.avi"])
def test_without_a_readable_video_the_report_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "no-video.avi").write_bytes(b"not a video")
    page = write_report(tmp_path, tmp_path / name, video="convert")
    assert "No player:" in page.words
    assert not [tag for tag, _ in page.elements if tag == "video"]
