"""The strip below the picture of an annotated video: score curves, threshold, cursor, time, event and reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anyanomaly.builtin.opencv import opencv
from anyanomaly.core.asked_text import UNASKED
from anyanomaly.media.annotated_scores import Curve, Span, TextScores, unasked_columns
from anyanomaly.media.text_painter import Alpha, TextPainter, blend
from anyanomaly.time_text import time_text
from anyanomaly.types import ImageArray

Colour = tuple[int, int, int]

COLOURS: tuple[Colour, ...] = (
    *((86, 180, 233), (240, 160, 30), (60, 200, 140), (230, 130, 190)),
    *((240, 228, 80), (235, 110, 60), (150, 160, 245), (200, 200, 200)),
)
"""Of the event texts; after Okabe and Ito, who chose them for the colour-blind, lightened for a dark ground."""

_GROUND: Colour = (20, 23, 29)
_PLOT: Colour = (30, 34, 42)
_EVENT: Colour = (58, 62, 72)
_GRID: Colour = (52, 58, 70)
_HATCH: Colour = (62, 68, 80)
_LINE: Colour = (205, 210, 220)
_DIM: Colour = (150, 157, 170)
_WHITE: Colour = (245, 246, 248)

MIN_FONT, MAX_FONT = 13, 26
MAX_LEGEND = 8
"""Event texts that are named above the plot; the others are counted."""

FUTURE_SHARE = 0.25
"""Share of the curve behind the cursor: a frame is drawn when the scores of this part are known, too."""

_HATCH_STEP = 10
"""Pixels between the lines of the ground where nothing was asked."""

_EDGE = 3
"""Rows of the line below the picture that has the colour of the event."""

_SUBPIXEL = 4  # bits of cv2's fractions
_TICKS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass(frozen=True, slots=True)
class _Cell:
    """Where an event text is named."""

    left: int  # pixels
    row: int  # line of the legend
    name: Alpha


class Strip:
    """Paints the strip. It has the same height for all frames.

    Where the model was not asked about a text, its curve is thin and grey, and the words say so in place of its score;
    where it was asked about no text, the ground is hatched.
    """

    def __init__(
        self,
        width: int,
        texts: Sequence[str],
        threshold: float | None,
        window_s: float,
        *,
        has_unasked: bool = False,
    ) -> None:
        """:param width: of the frames, pixels. :param texts: the event texts.

        :param threshold: None: unknown. :param window_s: part of the video that the curve shows, seconds.
        :param has_unasked: whether the run may leave something unasked.
        """
        self._width = width
        self._texts = texts
        self._threshold = threshold
        self._window_s = window_s
        size = min(max(round(width / 46), MIN_FONT), MAX_FONT)
        self._text = TextPainter(size)
        self._small = TextPainter(max(MIN_FONT - 2, round(size * 0.8)))
        self._pad = size // 2
        self._clock_width = self._text.line("0:00:00.000", width).shape[1]
        self._value_width = round(3.2 * size)
        if has_unasked:
            self._value_width = max(self._value_width, self._small.line(UNASKED, width).shape[1] + size)
        self._cells = self._legend_cells()
        n_rows = self._cells[-1].row + 1 if self._cells else 1
        line = self._text.line_height
        self._plot_top = self._pad + n_rows * line + self._pad // 2
        self._plot_height = round(4.2 * size)
        self._axis_top = self._plot_top + self._plot_height + 2
        self._event_top = self._axis_top + self._small.line_height + self._pad // 2
        self.height = self._event_top + 3 * line + self._pad
        self._plot_left = self._pad + self._small.line("0.0", width).shape[1] + 4
        self._plot_right = width - self._pad
        self._background = self._paint_background()

    def paint(self, image: ImageArray, time_s: float, scores: Sequence[TextScores]) -> None:
        """Paint the strip of a time into ``image``, uint8 (height, width, 3)."""
        image[:] = self._background
        begin_s = time_s - self._window_s * (1 - FUTURE_SHARE)
        end_s = begin_s + self._window_s
        spans = [text_scores.spans(begin_s, end_s) for text_scores in scores]
        plot = image[self._plot_top : self._plot_top + self._plot_height, self._plot_left : self._plot_right]
        curves = [text_scores.scores(begin_s, end_s) for text_scores in scores]
        self._paint_unasked(plot, begin_s, curves)
        self._paint_spans(plot, begin_s, spans)
        self._paint_ticks(image, begin_s, end_s)
        if self._threshold is not None:
            self._paint_threshold(plot, self._threshold)
        for number in self._order():
            self._paint_curve(plot, begin_s, number, curves[number])
        self._paint_cursor(image)
        self._paint_legend(image, [curve.at(time_s) for curve in curves])
        self._paint_clock(image, time_text(time_s, 3))
        self._paint_events(image, time_s, spans)

    def _order(self) -> list[int]:
        """Return the numbers of the texts: the first is painted last, on top."""
        return list(range(len(self._texts)))[::-1]

    def _legend_cells(self) -> list[_Cell]:
        """Return where the texts are named, as words flow in lines; the clock is at the end of the first."""
        cells: list[_Cell] = []
        left, row = self._pad, 0
        for number, text in enumerate(self._texts[:MAX_LEGEND]):
            n_more = len(self._texts) - MAX_LEGEND
            name = f"{text} (+{n_more} more)" if number == MAX_LEGEND - 1 and n_more > 0 else text
            limit = self._width - self._pad - (0 if row else self._clock_width + self._pad)
            extra = self._text.size + self._pad // 2 + self._value_width
            alpha = self._text.line(name, max(self._text.size, limit - self._pad - extra))
            if left > self._pad and left + alpha.shape[1] + extra > limit:
                left, row = self._pad, row + 1
            cells.append(_Cell(left, row, alpha))
            left += alpha.shape[1] + extra
        return cells

    def _paint_background(self) -> ImageArray:
        image = np.full((self.height, self._width, 3), _GROUND, np.uint8)
        image[self._plot_top : self._plot_top + self._plot_height, self._plot_left : self._plot_right] = _PLOT
        for value in (0.0, 0.5, 1.0):
            y = self._plot_top + self._y(value)
            image[y, self._plot_left : self._plot_right] = _GRID
            if value != 0.5:
                label = self._small.line(f"{value:.0f}", 99)
                top = y - self._small.line_height // 2 if value else y - self._small.line_height + 4
                blend(image, label, self._plot_left - label.shape[1] - 4, top, _DIM)
        side = self._text.size * 2 // 3
        for number, cell in enumerate(self._cells):
            top = self._pad + cell.row * self._text.line_height
            swatch_top = top + self._text.size - side
            image[swatch_top : swatch_top + side, cell.left : cell.left + side] = COLOURS[number % len(COLOURS)]
            blend(image, cell.name, cell.left + self._text.size, top, _LINE)
        return image

    def _paint_clock(self, image: ImageArray, clock: str) -> None:
        """Paint the time so that it does not tremble: the place depends on the number of digits only."""
        width = self._text.line(re.sub(r"\d", "0", clock), self._width).shape[1]
        alpha = self._text.line(clock, self._width)
        blend(image, alpha, self._width - self._pad - width, self._pad, _WHITE)

    def _paint_legend(self, image: ImageArray, values: Sequence[tuple[float, bool]]) -> None:
        """Paint the present scores behind their texts. ``values``: score, and whether the model was asked."""
        for number, cell in enumerate(self._cells):
            score, is_asked = values[number]
            value = "–" if np.isnan(score) else f"{score:.2f}"
            left = cell.left + self._text.size + cell.name.shape[1] + self._pad // 2
            top = self._pad + cell.row * self._text.line_height
            if not is_asked:
                words = self._small.line(UNASKED, self._value_width)
                blend(image, words, left, top + (self._text.line_height - self._small.line_height) // 2, _DIM)
                continue
            blend(image, self._text.line(value, self._value_width), left, top, COLOURS[number % len(COLOURS)])

    def _x(self, seconds: float) -> float:
        """Return the column in the plot of a time since its left edge."""
        n_columns: int = self._plot_right - self._plot_left
        return seconds / self._window_s * n_columns

    def _y(self, value: float) -> int:
        """Return the row in the plot of a score."""
        inner = self._plot_height - 8
        return 4 + round((1 - min(max(value, 0.0), 1.0)) * (inner - 1))

    def _paint_spans(self, plot: ImageArray, begin_s: float, spans: Sequence[Sequence[Span]]) -> None:
        """Lighten the ground of events, and draw a bar in the colour of each text at the bottom edge."""
        for span in (span for text_spans in spans for span in text_spans):
            left, right = self._columns(span, begin_s)
            plot[:, left:right] = _EVENT
        bar = max(2, min(self._text.size // 5, 16 // max(1, len(spans))))
        for number, text_spans in enumerate(spans):
            bottom = plot.shape[0] - (bar + 1) * number
            for span in text_spans:
                left, right = self._columns(span, begin_s)
                plot[max(0, bottom - bar) : max(bar, bottom), left:right] = COLOURS[number % len(COLOURS)]

    def _columns(self, span: Span, begin_s: float) -> tuple[int, int]:
        """Return the columns of the plot that an event covers."""
        n_columns = self._plot_right - self._plot_left
        left = min(max(0, round(self._x(span.start_s - begin_s))), n_columns - 1)
        return left, max(left + 1, round(min(self._x(span.stop_s - begin_s), n_columns)))

    def _paint_ticks(self, image: ImageArray, begin_s: float, end_s: float) -> None:
        label_width = self._small.line("00:00:00", 999).shape[1] * 1.6
        n_labels = max(1, (self._plot_right - self._plot_left) / label_width)
        step_s = next((tick for tick in _TICKS_S if self._window_s / tick <= n_labels), _TICKS_S[-1])
        first = max(0, int(np.ceil(begin_s / step_s)))
        for tick in range(first, int(np.floor(end_s / step_s)) + 1):
            x = self._plot_left + round(self._x(tick * step_s - begin_s))
            column = image[self._plot_top : self._axis_top + 2, min(x, self._width - 1)]
            column[:] = column // 2 + np.array(_GRID, np.uint8) // 2
            label = self._small.line(time_text(tick * step_s), 999)
            left = x - label.shape[1] // 2
            if left >= self._plot_left - label.shape[1] // 2 and left + label.shape[1] < self._width:
                blend(image, label, left, self._axis_top, _DIM)

    def _paint_threshold(self, plot: ImageArray, threshold: float) -> None:
        y = self._y(threshold)
        row = plot[y]
        row[np.arange(len(row)) % 8 < 5] = _DIM

    def _paint_unasked(self, plot: ImageArray, begin_s: float, curves: Sequence[Curve]) -> None:
        """Hatch the ground where the model was asked about none of the texts."""
        columns = unasked_columns(curves, begin_s, self._window_s, plot.shape[1])
        if columns.any():
            rows, places = np.indices(plot.shape[:2])
            plot[((rows + places) % _HATCH_STEP < 2) & columns] = _HATCH

    def _paint_curve(self, plot: ImageArray, begin_s: float, number: int, curve: Curve) -> None:
        """Paint the curve of a text, thin and grey where the model was not asked."""
        times_s, values, asked = curve
        if not len(times_s):
            return
        cv2 = opencv()
        for first, last in _parts(np.isnan(values)):
            x = (times_s[first:last] - begin_s) / self._window_s * plot.shape[1]
            y = 4 + (1 - np.clip(values[first:last], 0, 1)) * (self._plot_height - 9)
            points = np.round(np.stack([x, y], axis=1) * (1 << _SUBPIXEL)).astype(np.int32)
            for is_asked, colour, width in ((False, _DIM, 1), (True, COLOURS[number % len(COLOURS)], 2)):
                for start, stop in _parts(asked[first:last] != is_asked):  # up to the next part, without a gap
                    part = points[start : stop + 1]
                    cv2.polylines(plot, [part], False, colour, width, cv2.LINE_AA, _SUBPIXEL)

    def _paint_cursor(self, image: ImageArray) -> None:
        x = self._plot_left + round(self._x(self._window_s * (1 - FUTURE_SHARE)))
        image[self._plot_top - 3 : self._plot_top + self._plot_height + 3, x : x + 2] = _WHITE

    def _paint_events(self, image: ImageArray, time_s: float, spans: Sequence[Sequence[Span]]) -> None:
        """Paint the texts of the events at a time, and the reason of the one that began last."""
        current = [
            (span.start_s, number, span)
            for number, text_spans in enumerate(spans)
            for span in text_spans
            if span.start_s <= time_s < span.stop_s
        ]
        if not current:
            return
        _, number, span = max(current, key=lambda item: (item[0], -item[1]))
        colour = COLOURS[number % len(COLOURS)]
        other_texts = [self._texts[index] for _, index, _ in current if index != number]
        top = self._event_top
        image[top : self.height - self._pad, self._pad : self._pad + 4] = colour
        left = self._pad + 4 + self._pad
        width = self._width - left - self._pad
        stop = "" if np.isinf(span.stop_s) else time_text(span.stop_s, 1)
        when = self._small.line(f"{time_text(span.start_s, 1)}–{stop}", width // 3)
        blend(image, when, self._width - self._pad - when.shape[1], top + 2, _DIM)
        image[:_EDGE] = colour
        available = width - when.shape[1] - self._pad
        title = self._text.line(self._texts[number], available)
        blend(image, title, left, top, colour)
        available -= title.shape[1] + self._pad
        if other_texts and available > 4 * self._text.size:
            blend(
                image,
                self._text.line(f"+ {', '.join(other_texts)}", available),
                left + title.shape[1] + self._pad,
                top,
                _DIM,
            )
        for row, line in enumerate(self._text.wrap(span.reason, width, 2), 1):
            blend(image, self._text.line(line, width), left, top + row * self._text.line_height, _WHITE)


def _parts(missing: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Return first and last + 1 of each part of a series without missing values."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], missing, [True]))))
    return [(int(first), int(last)) for first, last in zip(edges[::2], edges[1::2], strict=True)]
