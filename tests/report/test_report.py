"""The report as a file: what it says, its size, what it survives. The other tests look at it in a browser."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anyanomaly.api import RunEnd
from anyanomaly.pages import page_text
from anyanomaly.report.sink import HtmlReportOptions, HtmlReportSink
from anyanomaly.types import Notice, QueryId, Score, SegmentScore, Video
from tests.support.reports import Result, give, header, results_of_video, write_results

VIDEO = Video("cam/1.mp4", "", 25.0, None, 320, 180)
SCORES = {"bicycle": [0.1, 0.9, 0.8, 0.1, 0.5], "smoke": [0.1, 0.2, 0.1, 0.0, 0.1]}

HOSTILE = [
    "<script>alert(1)</script>",
    "</script></style><img src=x onerror=alert(1)>",
    "\"' onmouseover=alert(1) x='",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "🙂 שלום \u202egpj.exe",
    "\x1b[31mred\x1b[0m \x00\x07",
    "lone \udc80 surrogate",
    "x" * 10_000,
    "<!-- ]]> &amp; &lt;",
]


class Page(HTMLParser):
    """What a browser makes of the report: its elements, and the text that it shows."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._open = ""
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open == "script":
            self.scripts.append(data)
        elif self._open != "style":
            self.text += f"{data} "

    @property
    def words(self) -> str:
        """The text with single blanks."""
        return " ".join(self.text.split())

    @property
    def data(self) -> Any:
        """What the script of the page draws."""
        return json.loads(self.scripts[0])


def report(path: Path, results: Iterator[Result], run_end: RunEnd | None = None, **options: Any) -> Page:
    sink = HtmlReportSink(HtmlReportOptions(path=str(path), **options))
    write_results(sink, header(list(SCORES)), results, run_end)
    partial = path.with_name(f"{path.name}.partial")
    return Page(path if path.exists() else partial)


def test_it_shows_events_scores_settings_and_versions(tmp_path: Path) -> None:
    page = report(tmp_path / "r.html", results_of_video(VIDEO, SCORES, {"bicycle": [(1.0, 3.0)]}))
    for words in (
        "2 events in 1 video",
        "bicycle",
        "smoke",
        "0:00:01.0 – 0:00:03.0",
        "The image shows bicycle.",
        "0.90",
    ):
        assert words in page.words
    for words in ("run.threshold 0.35", "qwen-hf:abc", "torch 2.13.0", "Evaluate whether the given image", "complete"):
        assert words in page.words
    chart = page.data["videos"][0]["charts"][0]
    assert (chart["events"], chart["truth"]) == ([[1.0, 3.0], [4.0, 5.0]], [[1.0, 3.0]])
    assert page.data["threshold"] == 0.35


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    pages = [report(tmp_path / name, results_of_video(VIDEO, SCORES)).source for name in ("a.html", "b.html")]
    assert pages[0] == pages[1]


def test_the_policy_allows_no_request_and_only_the_scripts_of_the_page(tmp_path: Path) -> None:
    page = report(tmp_path / "r.html", results_of_video(VIDEO, SCORES))
    policy = next(attributes["content"] or "" for tag, attributes in page.elements if "http-equiv" in attributes)
    assert "default-src 'none'" in policy
    assert "unsafe-eval" not in policy
    assert re.fullmatch(r"('sha256-[\w+/=]+' ?){2}", policy.split("script-src ")[1].split(";")[0])
    addresses = [attributes.get(name) or "" for _, attributes in page.elements for name in ("src", "href")]
    assert {address.split(":")[0] for address in addresses if ":" in address} == {"data"}


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_text(tmp_path: Path, text: str) -> None:
    video = Video(text, text, 25.0, None, 320, 180)
    results = itertools.chain(results_of_video(video, {text: [0.9, 0.1]}), [Notice(video.id, text), Notice(text, text)])
    plain = report(tmp_path / "p.html", results_of_video(VIDEO, {"car": [0.9, 0.1]}))
    page = report(tmp_path / "r.html", results)
    assert page_text(text).replace("\n", " ").split()[-1] in page.words
    names = {name for _, attributes in page.elements for name in attributes}
    assert not [name for name in names if name.startswith("on")]
    assert [tag for tag, _ in page.elements].count("script") == [tag for tag, _ in plain.elements].count("script") == 3
    assert not re.search("[\x00\x1b\u202e]", page.source.replace(page.scripts[1], ""))
    assert page.data["videos"][0]["charts"][0]["events"] == [[0.0, 1.0]]


def test_the_highest_events_keep_their_pictures_and_the_report_says_how_many_do_not(tmp_path: Path) -> None:
    scores = np.tile([0.1, 0.5], 150)
    scores[101] = 0.99
    results = results_of_video(VIDEO, {"bicycle": scores.tolist()})
    page = report(tmp_path / "r.html", results, max_mb=3)
    assert (tmp_path / "r.html").stat().st_size < 4e6
    assert re.search(r"\d+ events have one small picture instead of all, \d+ have none", page.words)
    cards = page.source.split('<li class="event card"')[1:]
    assert len(cards) == 150
    highest = next(card for card in cards if 'data-peak="0.99"' in card)
    assert highest.count("<image") > 3
    assert any("<image" not in card for card in cards)


def test_what_was_not_read_asked_or_understood_is_listed(tmp_path: Path) -> None:
    def results() -> Iterator[Result]:
        for segment in (0, 5):
            times_s = segment + np.arange(25) / 25
            score = Score(QueryId(VIDEO.id, segment, "bicycle", "key"), float("nan"), "I see <nothing>.")
            yield SegmentScore(VIDEO, segment, 0, 25, times_s, "bicycle", {"key": score}, float("nan"))
        yield Notice(VIDEO.id, "Frames 25 to 124 are damaged.")
        yield Notice("gone.mp4", "gone.mp4 cannot be opened.")

    sink = HtmlReportSink(HtmlReportOptions(path=str(tmp_path / "r.html")))
    write_results(sink, header(["bicycle"], start=5.0, reason_above=0.5), results())
    words = Page(tmp_path / "r.html").words
    for sentence in (
        "Frames 25 to 124 are damaged.",
        "gone.mp4 cannot be opened.",
        "no segment from 0:00:01.0 to 0:00:05.0",
        "Only the part from 0:00:05.0 to the end of each video was searched.",
        "only where a score is above 0.5",
        "2 of 2 answers have no readable score.",
        "I see <nothing>.",
    ):
        assert sentence in words


@pytest.mark.parametrize(
    ("run_end", "words"),
    [
        (RunEnd("interrupted", 1, 1, 0), "interrupted"),
        (RunEnd("failed", 1, 1, 0, "The engine <died>."), "The run failed: The engine <died>."),
    ],
    ids=["interrupted", "failed"],
)
def test_an_incomplete_run_keeps_an_older_report_and_says_how_it_ended(
    tmp_path: Path, run_end: RunEnd, words: str
) -> None:
    path = tmp_path / "r.html"
    path.write_text("older")
    sink = HtmlReportSink(HtmlReportOptions(path=str(path)))
    write_results(sink, header(list(SCORES)), results_of_video(VIDEO, SCORES), run_end)
    assert path.read_text() == "older"
    assert words in Page(tmp_path / "r.html.partial").words


def test_while_the_run_goes_on_the_report_so_far_is_on_disk(tmp_path: Path) -> None:
    sink = HtmlReportSink(HtmlReportOptions(path=str(tmp_path / "r.html")))
    sink.load()
    sink.begin(header(list(SCORES)))
    results = iter(results_of_video(VIDEO, SCORES))
    give(sink, itertools.islice(results, 4))
    page = Page(tmp_path / "r.html.partial")
    assert "No event in 1 video" in page.words
    assert "The run has not ended, or was killed" in page.words
    give(sink, results)
    page = Page(tmp_path / "r.html.partial")
    assert re.search("[12] events? in 1 video", page.words)  # with the first event; the next version is due in seconds
    assert page.source.rstrip().endswith("</html>")
    sink.close()


def test_a_header_of_another_version_is_enough(tmp_path: Path) -> None:
    sink = HtmlReportSink(HtmlReportOptions(path=str(tmp_path / "r.htm")))
    write_results(sink, {"config": "unknown", "versions": None, "prompt": 5}, results_of_video(VIDEO, SCORES))
    assert "2 events in 1 video" in Page(tmp_path / "r.htm").words


def test_a_run_without_videos_is_a_report_too(tmp_path: Path) -> None:
    assert "No event in 0 videos" in report(tmp_path / "r.html", iter(())).words
