"""What a plot shows of one video and event text."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from anyanomaly.core.labels import true_stretches
from anyanomaly.plots.series import Series, SpanList
from anyanomaly.types import Event, Span, Timeline


@dataclass(slots=True)
class Panel:
    """The scores, events and ground truth of one video for one event text."""

    video: str  # `Video.id`
    text: str  # the event text
    raw: Series = field(default_factory=Series)  # of segments that were asked
    smooth: Series = field(default_factory=Series)
    contexts: dict[str, Series] = field(default_factory=dict)  # by the name of the context
    unasked: Series = field(default_factory=Series)  # scores of the gates, where the model was not asked
    unasked_spans: SpanList = field(default_factory=SpanList)  # where that is
    events: list[Event] = field(default_factory=list)
    truth: tuple[Span, ...] | None = None  # seconds; None: it is not known
    top_score: float = -np.inf  # the highest smoothed score of what was asked
    start_s: float = np.inf  # time of the first frame
    stop_s: float = -np.inf  # end of the last frame

    def add(self, timeline: Timeline) -> None:
        """Append the scores of the next frames."""
        end_s = float(timeline.times_s[-1]) + 1 / timeline.video.fps
        self.raw.add(timeline.times_s, np.where(timeline.asked, timeline.raw, np.nan))
        self.unasked.add(timeline.times_s, np.where(timeline.asked, np.nan, timeline.raw))
        ends_s = np.append(timeline.times_s[1:], end_s)
        for start, stop in true_stretches(~timeline.asked):
            self.unasked_spans.add(float(timeline.times_s[start]), float(ends_s[stop - 1]))
        self.smooth.add(timeline.times_s, timeline.smooth)
        for name, scores in timeline.contexts.items():
            self.contexts.setdefault(name, Series()).add(timeline.times_s, scores)
        is_score = timeline.asked & ~np.isnan(timeline.smooth)
        self.top_score = max([self.top_score, *timeline.smooth[is_score].tolist()])
        self.start_s = min(self.start_s, float(timeline.times_s[0]))
        self.stop_s = max(self.stop_s, end_s)


class Panels:
    """The panels of a run, at most as many as the plot shows: those with the highest scores."""

    def __init__(self, max_panels: int) -> None:
        self._max_panels = max_panels
        self._panels: dict[tuple[str, str], Panel] = {}
        self.n_dropped = 0

    def panel(self, video: str, text: str) -> Panel:
        """Return the panel of a video and event text; a new one, if there is none."""
        return self._panels.setdefault((video, text), Panel(video, text))

    def drop_low(self) -> None:
        """Drop the panels with the lowest scores, when there are more than the plot shows."""
        if len(self._panels) > self._max_panels:
            by_score = sorted(self._panels, key=lambda key: self._panels[key].top_score, reverse=True)
            for key in by_score[self._max_panels :]:
                del self._panels[key]
                self.n_dropped += 1

    def with_scores(self) -> list[Panel]:
        """Return the panels that have scores, in the order of the results."""
        return [panel for panel in self._panels.values() if panel.stop_s >= panel.start_s]
