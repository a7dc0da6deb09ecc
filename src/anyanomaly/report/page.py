"""From the results of a run to the page of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from anyanomaly.api.sink import RunEnd
from anyanomaly.core.asked_text import count_asked
from anyanomaly.pages.charts import bokeh_script, score_chart
from anyanomaly.pages.environment import read_asset, render_page
from anyanomaly.report.cards import fill_cards, make_cards
from anyanomaly.report.chart_data import chart_data, fit_charts, score_limits
from anyanomaly.report.mistake_cards import find_mistakes
from anyanomaly.report.player import Player
from anyanomaly.report.results import RunResults
from anyanomaly.report.settings import search_limits, setting_rows, unasked_sentences
from anyanomaly.report.video_view import Scale, VideoView, video_data, video_view
from anyanomaly.results.run_header import event_texts, event_threshold

_CHARTS_SHARE = 0.3  # of the report's size
_PACKAGE = "anyanomaly.report"


@dataclass(frozen=True, slots=True)
class TextSummary:
    """What was found for one event text in all videos."""

    text: str
    n_events: int
    peak: float | None  # the highest smoothed score; None: there is none
    asked: str  # how much was asked; empty: everything


def build_page(results: RunResults, players: Mapping[str, Player], run_end: RunEnd | None, max_bytes: int) -> str:
    """Return the page.

    :param players: video id to its player. :param run_end: None: the run has not ended.
    :param max_bytes: size of the page without embedded videos, about.
    :raises OutputError: when evidence cannot be read again.
    """
    header = results.header
    texts = list(
        dict.fromkeys([*event_texts(header), *(text for video in results.videos.values() for text in video.texts)])
    )
    videos = [
        (f"v{number}", video, [text for text in texts if text in video.texts])
        for number, video in enumerate(results.videos.values())
    ]
    charts = {name: [chart_data(video.texts[text]) for text in own_texts] for name, video, own_texts in videos}
    every_chart = [chart for row in charts.values() for chart in row]
    script = bokeh_script() if every_chart else ""
    max_bytes = max(max_bytes - len(script), 1_000_000)
    fit_charts(every_chart, int(max_bytes * _CHARTS_SHARE))
    threshold = event_threshold(header)
    scale = Scale(score_limits(every_chart, threshold), threshold)
    cards = {name: make_cards(name, video, own_texts) for name, video, own_texts in videos}
    omissions = fill_cards(cards, results.spool, int(max_bytes * (1 - _CHARTS_SHARE)))
    views = [
        video_view(name, video, own_texts, charts[name], cards[name], players.get(video.video.id, Player()), scale)
        for name, video, own_texts in videos
    ]
    return render_page(
        "report.html.j2",
        package=_PACKAGE,
        scripts=[script, read_asset("report.js", _PACKAGE)] if script else [],
        report_style=Markup(read_asset("report.css", _PACKAGE)),
        data={
            "chart": score_chart(max(len(chart.contexts) for chart in every_chart)) if every_chart else None,
            "threshold": threshold,
            "limits": list(scale.limits),
            "videos": [video_data(video, own_texts, charts[name]) for name, video, own_texts in videos],
        },
        texts=_summaries(texts, views),
        videos=views,
        mistakes=find_mistakes(results, {video.video.id: name for name, video, _ in videos}),
        overview=sorted(views, key=lambda view: -1.0 if view.peak is None else view.peak, reverse=True),
        results=results,
        run_end=run_end,
        scale=scale,
        gaps=[(video.video.id, span) for video in results.videos.values() for span in video.gaps],
        search_limits=[*unasked_sentences(results), *search_limits(header)],
        omissions=omissions,
        settings=setting_rows(header.get("config")),
        models=setting_rows({name: header.get(name) for name in ("backend", "encoder", "revisions")}),
        versions=setting_rows(header.get("versions")),
        prompts=[
            prompt for prompt in (header.get("prompt"), header.get("reason_prompt")) if isinstance(prompt, Mapping)
        ],
    )


def _summaries(texts: Sequence[str], views: Sequence[VideoView]) -> list[TextSummary]:
    summaries = []
    for text in texts:
        timelines = [timeline for view in views for timeline in view.timelines if timeline.text == text]
        peaks = [timeline.peak for timeline in timelines if timeline.peak is not None]
        n_events = sum(timeline.n_events for timeline in timelines)
        n_segments = sum(timeline.n_segments for timeline in timelines)
        n_unasked = sum(timeline.n_unasked for timeline in timelines)
        asked = count_asked(n_segments - n_unasked, n_segments) if n_unasked else ""
        summaries.append(TextSummary(text, n_events, max(peaks, default=None), asked))
    return summaries
