"""What a terminal shows of a run while it goes on, and of its scores at its end."""

from __future__ import annotations

import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from anyanomaly.cli.live import LiveArea
from anyanomaly.cli.live_text import Glyphs, format_rate, pack
from anyanomaly.cli.sparkline import PeakSeries, draw_sparkline
from anyanomaly.core.asked_text import UNASKED
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.run_report import RunReport
from anyanomaly.time_text import time_text
from anyanomaly.types import Event, SegmentScore, Timeline, Video

N_EVENTS = 4
"""Events that are listed, the last ones."""
MAX_CLOSING_LINES = 20
RATE_WINDOW_S = 60.0
"""Speeds are those of about the last minute: stored answers at the start of a run say nothing of the rest."""
_ABOVE, _BELOW, _FAINT = "bold red", "cyan", "dim"


class _Cell(NamedTuple):
    """A segment in the line of an event text."""

    score: float  # NaN: unreadable
    is_asked: bool


class RunDisplay:
    """Follows the outcomes of a run. ``lines`` may be called on another thread."""

    def __init__(self, console: Console, threshold: float, clock: Clock) -> None:
        """:param threshold: which the scores of an event reach. :param clock: of the run, for its time in the model."""
        self.area = LiveArea(console, self.lines)
        self._clock = clock
        self._console = console
        self._glyphs = Glyphs.of(console.encoding)
        self._threshold = threshold
        self._lock = threading.Lock()
        self._report: Callable[[], RunReport] = RunReport
        self._start_s = self._last_s = time.monotonic()
        self._n_expected: int | None = None
        self._videos: dict[str, str] = {}  # ids of the videos to their names as shown
        self._seen: dict[str, None] = {}  # ids of the videos that have scores, in order
        self._first_texts: dict[str, str] = {}
        self._n_segments = self._n_frames = self._n_scored = 0
        self._video_s = 0.0
        self._scores: dict[str, deque[_Cell]] = {}  # of the present video, by event text
        self._n_rated = self._n_unasked = 0  # segments and event texts; those of them that were not asked about
        self._events: deque[Event] = deque(maxlen=N_EVENTS)
        self._n_events = 0
        self._peaks: dict[tuple[str, str], PeakSeries] = {}  # by video and event text
        self._n_dropped = 0
        self._samples = deque([(self._start_s, 0, 0, 0.0)])  # time, scored frames, frames, seconds of video

    def begin(
        self, videos: Sequence[Video], n_expected: int | None, report: Callable[[], RunReport] = RunReport
    ) -> None:
        """Start the clock. :param n_expected: frames times texts that will get a score; None: unknown.

        :param report: returns the present counts of the run, for what it does before its first score.
        """
        with self._lock:
            self._report = report
            self._start_s = self._last_s = time.monotonic()
            self._samples = deque([(self._start_s, 0, 0, 0.0)])
            self._videos = {video.id: self._glyphs.clean(video.id) for video in videos}
            self._n_expected = n_expected

    def add(self, outcome: Any) -> None:
        """Add an outcome of the run."""
        with self._lock:
            match outcome:
                case SegmentScore():
                    self._add_score(outcome)
                case Timeline():
                    self._peaks.setdefault((outcome.video.id, outcome.text), PeakSeries()).add(outcome)
                    self._drop_lowest(outcome.video.id)
                case Event():
                    self._n_events += 1
                    self._events.append(outcome)

    def lines(self, width: int, height: int) -> list[Text]:
        """Return at most ``height`` lines of at most ``width`` cells."""
        with self._lock:
            head = list(self._head(width))
            n_events = max(0, min(len(self._events), (height - len(head)) // 2 - 1))
            events = list(self._list_events(width, n_events))
            texts = list(self._list_texts(width, height - len(head) - len(events)))
            return [*head, *texts, *events][:height]

    def closing_lines(self) -> list[str]:
        """Return a line per video and event text with its scores over time; of many, those with the highest peaks."""
        if not self._peaks:
            return []
        width = self._console.width - 1
        glyphs, half = self._glyphs, len(self._glyphs.levels) // 2
        names = [self._describe(*key) for key in self._peaks]
        peaks = [
            f"peak {series.peak:.2f} at {time_text(series.peak_s)}"
            if math.isfinite(series.peak)
            else (UNASKED if series.has_unasked else "no score")
            for series in self._peaks.values()
        ]
        peak_width = max(map(len, peaks))
        name_width = min(max(map(cell_len, names)), max(8, (width - peak_width) // 3))
        line_width = min(72, width - name_width - peak_width - 2)
        rule = f"{glyphs.levels[half]} and higher reach the threshold {self._threshold:g}"
        if any(series.has_unasked for series in self._peaks.values()):
            rule += f"; {glyphs.unasked} {UNASKED}"
        lines = [glyphs.cut(f"Scores over time ({rule}):", width)]
        for name, peak, series in zip(names, peaks, self._peaks.values(), strict=True):
            scores, asked = series.resample(line_width), series.resample_asked(line_width)
            cells = draw_sparkline(scores, self._threshold, glyphs.levels)
            marks = zip(cells, scores, asked, strict=True)
            sparkline = "".join(
                cell if is_asked or math.isnan(score) else glyphs.unasked for cell, score, is_asked in marks
            )
            lines.append(glyphs.cut(f"{glyphs.pad(name, name_width)} {peak:{peak_width}} {sparkline}", width))
        if self._n_dropped:
            lines.append(glyphs.cut(f"{self._n_dropped} more, with lower peaks, are not shown.", width))
        return lines

    def _add_score(self, score: SegmentScore) -> None:
        video, n_frames = score.video, score.stop - score.start
        if video.id not in self._seen:
            self._seen[video.id] = None
            self._scores.clear()
        if self._first_texts.setdefault(video.id, score.text) == score.text:
            self._n_segments += 1
            self._n_frames += n_frames
            self._video_s += n_frames / video.fps
        self._n_scored += n_frames
        self._scores.setdefault(score.text, deque(maxlen=512)).append(_Cell(score.value, score.asked))
        self._n_rated += 1
        self._n_unasked += not score.asked
        self._last_s = time.monotonic()
        if self._last_s - self._samples[-1][0] >= 1:
            self._samples.append((self._last_s, self._n_scored, self._n_frames, self._video_s))
            while len(self._samples) > 2 and self._last_s - self._samples[1][0] > RATE_WINDOW_S:
                self._samples.popleft()

    def _drop_lowest(self, present_video: str) -> None:
        """Forget the scores over time of a finished video when there are more than will be printed."""
        finished = [key for key in self._peaks if key[0] != present_video]
        if len(self._peaks) > MAX_CLOSING_LINES and finished:
            del self._peaks[min(finished, key=lambda key: self._peaks[key].peak)]
            self._n_dropped += 1

    def _head(self, width: int) -> Iterator[Text]:
        now_s = time.monotonic()
        report = self._report()
        if doing := report.describe_progress():
            yield Text(self._glyphs.cut(doing, width), "bold")
            if (fraction := report.fraction_done(self._n_expected)) is not None:
                yield Text(self._glyphs.describe_progress(fraction, None, width))
            yield Text(self._glyphs.cut(f"{time_text(now_s - self._start_s)} running", width))
            return
        name = next((self._videos.get(video, video) for video in reversed(self._seen)), "")
        place = f"video {max(1, len(self._seen))} of {len(self._videos)}: " if len(self._videos) > 1 else ""
        yield Text(self._glyphs.cut(f"{place}{name or 'waiting for the first score'}", width), "bold")
        start_s, _, n_frames, video_s = self._samples[0]
        duration_s = self._last_s - start_s
        rates = []
        if duration_s > 0:
            rates = [
                f"{format_rate((self._n_frames - n_frames) / duration_s)} frames/s",
                f"{format_rate((self._video_s - video_s) / duration_s)} times real time",
            ]
            if stages_s := self._clock.seconds():
                waiting = stages_s["answer"] / (self._last_s - self._start_s)
                rates.append(f"{100 * min(1.0, waiting):.0f} % waiting for the model")
        if self._n_expected:
            fraction = self._n_scored / self._n_expected
            yield Text(self._glyphs.describe_progress(fraction, self._estimate_left(now_s), width))
        parts = [
            f"{time_text(now_s - self._start_s)} running",
            f"{self._n_segments:,} segment{'' if self._n_segments == 1 else 's'}",
            *([f"asked {self._n_rated - self._n_unasked:,} of {self._n_rated:,}"] if self._n_unasked else []),
            f"{self._n_frames:,} frames",
            *rates,
            f"{self._n_events:,} event{'' if self._n_events == 1 else 's'}",
        ]
        for line in pack(parts, width):
            yield Text(self._glyphs.cut(line, width))

    def _estimate_left(self, now_s: float) -> float | None:
        """Return the seconds that the run will need, by its speed until the last score; None: unknown."""
        start_s, n_scored, *_ = self._samples[0]
        if not self._n_expected or self._n_scored == n_scored:
            return None
        seconds_per_score = (self._last_s - start_s) / (self._n_scored - n_scored)
        left_s = max(0, self._n_expected - self._n_scored) * seconds_per_score - (now_s - self._last_s)
        return left_s if left_s >= 0 else None  # the next scores are late

    def _list_texts(self, width: int, n_lines: int) -> Iterator[Text]:
        """Yield a line per event text of the present video: its last score, and the ones before."""
        names = {text: self._glyphs.clean(text) for text in self._scores}
        n_hidden = len(names) - n_lines
        listed = list(names)[: max(0, n_lines - 1) if n_hidden > 0 else len(names)]
        name_width = min(max((cell_len(names[text]) for text in listed), default=0), width // 3)
        value_width = len(UNASKED) if self._n_unasked else 4
        for text in listed:
            cells = self._scores[text]
            score = "--" if math.isnan(cells[-1].score) else f"{cells[-1].score:.2f}"
            value = score if cells[-1].is_asked else UNASKED
            line = Text(f"{self._glyphs.pad(names[text], name_width)} {value:^{value_width}} ")
            last_cells = itertools.islice(reversed(cells), max(0, width - line.cell_len))
            for style, group in itertools.groupby(reversed(list(last_cells)), self._style):
                if style == _FAINT:
                    line.append(self._glyphs.unasked * len(list(group)), style)
                else:
                    scores = (cell.score for cell in group)
                    line.append(draw_sparkline(scores, self._threshold, self._glyphs.levels), style)
            yield line
        if n_hidden > 0:
            yield Text(self._glyphs.cut(f"and {len(names) - len(listed)} more event texts", width), _FAINT)

    def _style(self, cell: _Cell) -> str:
        if not cell.is_asked:
            return _FAINT
        return _ABOVE if cell.score >= self._threshold else _BELOW

    def _list_events(self, width: int, n_events: int) -> Iterator[Text]:
        for event in list(self._events)[len(self._events) - n_events :]:
            times = f"{time_text(event.start_s, 1)}-{time_text(event.stop_s, 1)}"
            line = f"{times}  {event.peak:.2f} at {time_text(event.peak_s, 1)}  "
            yield Text(self._glyphs.cut(f"{line}{self._describe(event.video, event.text)}", width), _FAINT)

    def _describe(self, video: str, text: str) -> str:
        """Return the event text, after the video where there are several."""
        name = self._glyphs.clean(text)
        return f"{self._videos.get(video) or self._glyphs.clean(video)}: {name}" if len(self._videos) > 1 else name
