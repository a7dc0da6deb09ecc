"""A real browser for tests of pages: Debian's Chromium, driven by Playwright, one per session."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support.system import needs_program


@dataclass
class Visit:
    """A page that is open in the browser, and what it did."""

    page: Any  # playwright's Page
    requests: list[str] = field(default_factory=list)  # addresses, the page's own included, without data URIs
    problems: list[str] = field(default_factory=list)  # errors and warnings of its console, and uncaught exceptions


class Browser:
    """Opens pages from disk."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium

    @contextmanager
    def open(self, path: Path, *, width: int = 1280, scheme: str = "light") -> Iterator[Visit]:
        """Open a file in a window of this width in pixels, with the colour scheme ``light`` or ``dark``."""
        context = self._chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
        )
        try:
            visit = Visit(context.new_page())
            visit.page.on(
                "request", lambda request: request.url.startswith("data:") or visit.requests.append(request.url)
            )
            visit.page.on(
                "console",
                lambda line: line.type in ("error", "warning") and visit.problems.append(f"{line.type}: {line.text}"),
            )
            visit.page.on("pageerror", lambda error: visit.problems.append(str(error)))
            visit.page.on("dialog", lambda dialog: visit.problems.append(f"dialog: {dialog.message}"))
            visit.page.goto(path.resolve().as_uri())
            yield visit
        finally:
            context.close()


def accessibility_faults(page: Any) -> list[str]:
    """Return the serious and critical faults that axe-core finds in a page as it is now."""
    from axe_playwright_python.sync_playwright import Axe

    violations = Axe().run(page).response["violations"]
    return [
        f"{violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]


@pytest.fixture(scope="session")
def browser() -> Browser:
    """Return the browser; the test is skipped by name where Chromium is missing."""
    return Browser(_launch(needs_program("chromium")))


@cache  # Playwright starts once in a process; several folders of tests have this fixture
def _launch(program: str) -> Any:
    from playwright.sync_api import sync_playwright

    playwright = sync_playwright().start()
    chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
    atexit.register(lambda: (chromium.close(), playwright.stop()))
    return chromium
