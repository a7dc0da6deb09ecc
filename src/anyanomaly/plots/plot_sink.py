"""The sink that draws the scores of a run over time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.api.sink import RunEnd, Sink
from anyanomaly.errors import OutputError
from anyanomaly.evidence import Truth
from anyanomaly.plots.panels import Panels
from anyanomaly.plots.plot_options import PlotOptions
from anyanomaly.results.run_header import event_threshold
from anyanomaly.types import Event, Timeline, Video

_KINDS = ("png", "svg", "pdf")
_THRESHOLD = 0.5


class PlotSink(Sink[PlotOptions]):
    """Draws one image per run at its end, with a panel per video and event text."""

    def __init__(self, options: PlotOptions) -> None:
        super().__init__(options)
        self._file = SafeFile(options.path)
        self._kind = Path(options.path).suffix[1:].lower()
        self._threshold = _THRESHOLD
        self._panels = Panels(options.max_panels)

    def load(self) -> None:
        """Check that the file can be written, and keep other runs from writing it.

        :raises OutputError: when it cannot, or its suffix names no format.
        """
        if self._kind not in _KINDS:
            raise OutputError(f"Cannot write {self.options.path}: a plot is a .png, .svg or .pdf file. Name one.")
        self._file.check()

    def begin(self, run: Mapping[str, Any]) -> None:
        """Keep the threshold of the events."""
        threshold = event_threshold(run)
        self._threshold = _THRESHOLD if threshold is None else threshold

    def write_video(self, video: Video) -> None:
        """Drop panels of earlier videos with low scores, when there are too many."""
        self._panels.drop_low()

    def write_timeline(self, timeline: Timeline) -> None:
        """Add the scores of the next frames."""
        self._panels.panel(timeline.video.id, timeline.text).add(timeline)

    def write_event(self, event: Event) -> None:
        """Add an event."""
        self._panels.panel(event.video, event.text).events.append(event)

    def write_truth(self, truth: Truth) -> None:
        """Add the ground truth of a video."""
        self._panels.panel(truth.video, truth.text).truth = truth.spans

    def end(self, run_end: RunEnd) -> None:
        """Draw the image, and give it its name if it is whole.

        An interrupted run draws none, because it must end at once: `anyanomaly report` draws stored results.

        :raises OutputError: when it cannot be written.
        """
        from anyanomaly.plots.figure import draw

        self._panels.drop_low()
        panels = self._panels.with_scores()
        if run_end.is_whole or (panels and run_end.status == "failed"):
            self._file.write(draw(panels, self._threshold, self._panels.n_dropped, self._kind))
        self._file.close(complete=run_end.is_whole)

    def close(self) -> None:
        """Leave the file as it is."""
        self._file.close(complete=False)
