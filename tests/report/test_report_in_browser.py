"""The report in a real browser, opened from disk: it works, requests nothing, and axe-core finds no serious fault."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.pages import page_text
from anyanomaly.report.sink import HtmlReportOptions, HtmlReportSink
from anyanomaly.testing.videos import synthetic_video
from anyanomaly.types import Notice, Video
from tests.report.test_report import HOSTILE
from tests.support.browser import Browser, Visit, accessibility_faults
from tests.support.reports import header, results_of_video, write_results
from tests.support.system import needs_program

SCORES = {"bicycle": [0.1, 0.9, 0.8, 0.1, 0.1, 0.6, 0.1, 0.1], "smoke": [0.1, 0.2, 0.7, 0.1, 0.1, 0.1, 0.1, 0.1]}
TRUTH = {"bicycle": [(1.0, 3.0)]}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a report of a video that browsers play, and of one that they do not."""
    folder = tmp_path_factory.mktemp("report")
    synthetic_video(folder / "drawn.mp4", n_frames=200, size=(320, 180))
    encode = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    command = [needs_program("ffmpeg"), "-v", "error", "-i", "drawn.mp4", *encode, "a b#1.mp4"]
    subprocess.run(command, check=True, cwd=folder)
    results = itertools.chain(
        results_of_video(Video("cam/1", str(folder / "a b#1.mp4"), 25.0, 200, 320, 180), SCORES, TRUTH),
        [Notice("cam/1", "cam/1 has no timestamps.")],
        results_of_video(Video("cam/2", str(folder / "drawn.mp4"), 25.0, 200, 320, 180), {"bicycle": [0.1, 0.2]}),
    )
    write_results(HtmlReportSink(HtmlReportOptions(path=str(folder / "r.html"))), header(list(SCORES)), results)
    return folder / "r.html"


def draw(visit: Visit) -> None:
    """Scroll to the first chart, and wait until it and the player are ready."""
    visit.page.locator(".plot").first.scroll_into_view_if_needed()
    visit.page.wait_for_selector("#v0t0 .plot.drawn")
    visit.page.wait_for_function("document.querySelector('#v0 video').readyState > 0")


def player(visit: Visit) -> tuple[float, bool]:
    """Return the time of the player in seconds, and whether it is paused."""
    time_s, is_paused = visit.page.evaluate("(v => [v.currentTime, v.paused])(document.querySelector('#v0 video'))")
    return time_s, is_paused


def test_timeline_events_player_and_keyboard_work_without_a_request(browser: Browser, report: Path) -> None:
    with browser.open(report) as visit:
        draw(visit)
        page = visit.page
        box = page.locator("#v0t0 .plot").bounding_box()
        middle = box["x"] + 40 + (box["width"] - 64) * 0.25, box["y"] + 50  # 2 s of 8 s

        page.mouse.move(*middle)
        assert page.locator("#v0t0 .tip").inner_text().startswith("0:00:02.0\nsmoothed")
        assert "0.80" in page.locator("#v0t0 .tip").inner_text()
        page.mouse.click(*middle)
        page.wait_for_function("Math.abs(document.querySelector('#v0 video').currentTime - 2) < 0.1")
        assert page.locator("#v0t1 .cursor:not(.hover)").is_visible()

        axis = "Bokeh.documents[0].get_model_by_name('figure').x_range"
        page.click("#v0 [data-zoom=in]")
        assert page.evaluate(f"[{axis}.start, {axis}.end]") == pytest.approx([0, 4000], abs=100)
        page.mouse.move(*middle)
        page.mouse.down()
        page.mouse.move(middle[0] + 200, middle[1], steps=4)
        page.mouse.up()
        page.wait_for_function(f"{axis}.end - {axis}.start < 3000")
        page.mouse.dblclick(*middle)
        page.wait_for_function(f"{axis}.end - {axis}.start === 8000")

        page.click("#v0 [data-series=context-0]")
        shown = "Bokeh.documents[0].get_model_by_name('context-0-renderer').visible"
        assert page.evaluate(shown) is True

        page.keyboard.press("j")
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("Enter")
        page.wait_for_function("!document.querySelector('#v0 video').paused")
        assert player(visit)[0] == pytest.approx(1.0, abs=0.9)
        page.click("#v0e2 .play")
        page.wait_for_function("document.querySelector('#v0 video').currentTime >= 5")

        page.select_option("#v0 [data-sort]", "peak")
        peaks = page.eval_on_selector_all(
            "#v0 ol.events:first-of-type > li", "all => all.map(card => card.dataset.peak)"
        )
        assert peaks == ["0.9", "0.7", "0.6"]
        page.select_option("#v0 [data-filter]", "1")
        assert page.locator("#v0 ol.events >> visible=true").first.locator(".event:visible").count() == 1
        page.click("#v0e1 .evidence > summary")
        assert page.locator("#v0e1 .ev-figure").first.is_visible()

        assert "small copy of the video" in page.locator("#v1 .player").inner_text()  # browsers play no MPEG-4 part 2
        page.wait_for_function("document.querySelector('#v1 video').duration > 1")
        assert visit.problems == []
        assert {Path(address).name for address in visit.requests} == {"r.html", "a%20b%231.mp4"}


def test_a_video_that_is_gone_or_broken_is_a_sentence(browser: Browser, report: Path, tmp_path: Path) -> None:
    shutil.copy(report, tmp_path / "r.html")
    with browser.open(tmp_path / "r.html") as visit:
        visit.page.wait_for_selector("#v0 .player-error:not([hidden])")
        assert "cannot play the video" in visit.page.locator("#v0 .player").inner_text()
        visit.page.click("#v0e0 .play")
        assert visit.page.locator("#v0t0 .cursor:not(.hover)").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_it_has_no_serious_fault_of_accessibility_and_fits(
    browser: Browser, report: Path, width: int, scheme: str
) -> None:
    with browser.open(report, width=width, scheme=scheme) as visit:
        draw(visit)
        visit.page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
        assert accessibility_faults(visit.page) == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width


def test_hostile_texts_run_nothing(browser: Browser, tmp_path: Path) -> None:
    results = itertools.chain.from_iterable(
        itertools.chain(results_of_video(Video(text, text, 25.0, None, 32, 18), {text: [0.9]}), [Notice(text, text)])
        for text in HOSTILE
    )
    write_results(HtmlReportSink(HtmlReportOptions(path=str(tmp_path / "r.html"))), header(HOSTILE), results)
    with browser.open(tmp_path / "r.html", width=360) as visit:
        visit.page.locator(".plot").first.scroll_into_view_if_needed()
        visit.page.wait_for_selector(".plot.drawn")
        titles = visit.page.eval_on_selector_all(".video h2", "all => all.map(title => title.textContent.trim())")
        assert titles == [page_text(text).strip() for text in HOSTILE]
        assert visit.page.evaluate("document.documentElement.scrollWidth") == 360
        assert visit.problems == []
        assert [Path(address).name for address in visit.requests] == ["r.html"]


def test_an_hour_with_five_texts_is_small_and_answers_a_click(browser: Browser, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    scores = {f"text {number}": np.round(rng.beta(1, 6, 3600), 1).tolist() for number in range(5)}
    results = results_of_video(Video("hour", "", 25.0, 90_000, 320, 180), scores)
    write_results(HtmlReportSink(HtmlReportOptions(path=str(tmp_path / "r.html"))), header(list(scores)), results)
    assert (tmp_path / "r.html").stat().st_size < 20e6
    with browser.open(tmp_path / "r.html") as visit:
        visit.page.wait_for_selector("#v0t0 .plot.drawn")
        visit.page.locator("#v0t0 .plot").click()
        assert visit.page.locator("#v0t0 .cursor:not(.hover)").is_visible()
        assert visit.page.evaluate("Bokeh.documents[0].get_model_by_name('raw').data.x.length") >= 7200
        assert visit.problems == []
