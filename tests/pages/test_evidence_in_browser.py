"""The evidence card in a real browser: what it requests, how wide it is, and whether everybody can use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from anyanomaly.pages import render_page
from anyanomaly.pages.evidence import evidence_view
from tests.pages.evidence_samples import HOSTILE, sample_evidence
from tests.support.browser import Browser, accessibility_faults


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page of two cards, one of them with hostile and very long texts."""
    path = tmp_path_factory.mktemp("pages") / "card.html"
    hostile = f"{HOSTILE} {'x' * 10_000}"
    evidence = [sample_evidence(), sample_evidence(text=hostile[:500], answer=hostile)]
    views = [evidence_view(entry) for entry in evidence]
    path.write_text(render_page("show.html.j2", title=hostile[:200], subtitle="", views=views), "utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (360, "dark")])
def test_the_card_requests_nothing_fits_its_window_and_is_accessible(
    browser: Browser, page: Path, width: int, scheme: str
) -> None:
    with browser.open(page, width=width, scheme=scheme) as visit:
        assert visit.requests == [page.resolve().as_uri()]
        assert visit.problems == []
        assert visit.page.evaluate("document.documentElement.scrollWidth") == width
        assert accessibility_faults(visit.page) == []


def test_figures_draw_the_picture_that_the_card_has_once(browser: Browser, page: Path) -> None:
    with browser.open(page) as visit:
        key_frame = visit.page.get_by_role("img", name="key frame, frame 72, 2.88 s").first
        box = key_frame.bounding_box()
        assert box["width"] > 300
        assert box["width"] / box["height"] == pytest.approx(64 / 48, rel=0.01)
        drawn = key_frame.locator("use").evaluate("use => use.getBBox().width")
        assert drawn == 64
