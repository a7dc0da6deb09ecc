"""Evidence as a page shows it: pictures, windows, attention, questions, answers, probabilities and fusion.

The macro ``evidence_card`` of ``templates/evidence.html.j2`` draws an `EvidenceView`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anyanomaly.core.asked_text import UNASKED, describe_priorities, describe_unasked
from anyanomaly.evidence import Evidence, Exchange, Picture
from anyanomaly.pages.figures import (
    Figure,
    PictureList,
    PictureView,
    frame_caption,
    sequence_figures,
    window_mark,
)
from anyanomaly.pages.scores import Bar, Fusion, exact_score, fusion_view, percent_text, probability_bars
from anyanomaly.pages.similarity import Scale, attention_overlay, heat_tables, similarity_maps


@dataclass(frozen=True, slots=True)
class ExchangeView:
    """One question with its pictures, the answer, and the score read from it."""

    title: str  # "temporal", or "temporal 2" of several
    score: str
    is_counted: bool  # whether its score is that of its context: the highest
    is_asked: bool
    figures: tuple[Figure, ...]  # as the model saw them
    attention: Figure | None  # the key frame under the mean similarity of its windows
    sequence: tuple[Figure, ...]  # with the window of the grid, where the context has several
    scales: tuple[Scale, ...]  # similarities of the windows of each size
    system: str
    question: str
    answer: str
    reason: str
    bars: tuple[Bar, ...]  # empty: the score was read from words
    mass: str  # probability of all allowed answers; empty: the score was read from words


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """What a page shows of one segment and event text, JSON-ready. The templates make its texts safe."""

    text: str
    value: str  # the fused score, or that the model was not asked
    place: str  # the segment, its times and frames
    pictures: tuple[PictureView, ...]  # each once; figures have their positions
    key_frame: Figure | None
    sequence: tuple[Figure, ...]
    exchanges: tuple[ExchangeView, ...]
    fusion: Fusion | None  # None: the model was not asked
    ratings: str  # what the gates said of the segment, a sentence; empty: the run has no gate
    notes: tuple[str, ...]  # sentences about what is missing
    command: str  # that makes what is missing; empty: none


def evidence_view(
    evidence: Evidence,
    source_of: Callable[[Picture], str] | None = None,
    notes: Sequence[str] = (),
    command: str = "",
) -> EvidenceView:
    """Return what a page shows of evidence; pictures without data are left out.

    :param source_of: returns the file name of a picture; None: pictures are data URIs, so that the page is one file.
    :param notes: sentences about what is missing. :param command: that makes it.
    """
    pictures = PictureList(source_of)
    counted = counted_exchanges(evidence.exchanges)
    windows = [window for exchange in counted if (window := window_mark(exchange.views))]
    return EvidenceView(
        text=evidence.text,
        value=f"fused score {exact_score(evidence.value)}" if evidence.asked else UNASKED,
        place=f"{evidence.video}, segment {evidence.segment}: {evidence.start_s:.2f} s to {evidence.stop_s:.2f} s, "
        f"frames {evidence.start} to {evidence.stop - 1}",
        key_frame=_key_figure(evidence.key_frame, pictures) if evidence.key_frame.jpeg else None,
        sequence=sequence_figures(evidence.frames, pictures, windows[0] if windows else None),
        exchanges=tuple(_exchange_views(evidence, counted, pictures)),
        fusion=fusion_view(
            {exchange.context: exchange.score for exchange in counted},
            evidence.weights,
            evidence.value,
            [exchange.context for exchange in counted if not exchange.asked],
        )
        if evidence.asked
        else None,
        ratings=_describe_ratings(evidence),
        pictures=pictures.views,
        notes=tuple(notes),
        command=command,
    )


def counted_exchanges(exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Return the exchange of each context whose score counts: the highest, the first of equal ones."""
    by_context: dict[str, list[Exchange]] = {}
    for exchange in exchanges:
        by_context.setdefault(exchange.context, []).append(exchange)
    return [
        max(group, key=lambda exchange: (exchange.asked, not math.isnan(exchange.score), exchange.score))
        for group in by_context.values()
    ]


def _exchange_views(evidence: Evidence, counted: Sequence[Exchange], pictures: PictureList) -> list[ExchangeView]:
    sizes = Counter(exchange.context for exchange in evidence.exchanges)
    return [
        _exchange_view(evidence, exchange, pictures, sizes[exchange.context] > 1, exchange in counted)
        for exchange in evidence.exchanges
    ]


def _exchange_view(
    evidence: Evidence, exchange: Exchange, pictures: PictureList, is_one_of_several: bool, is_counted: bool
) -> ExchangeView:
    title = exchange.context + (f" {exchange.index + 1}" if is_one_of_several else "")
    maps = similarity_maps(exchange.views)
    overlay = attention_overlay(maps)
    window = window_mark(exchange.views)
    attention = None
    if overlay:
        caption = f"attention: similarity from {overlay.lowest} (dark) to {overlay.highest} (bright)"
        attention = Figure(pictures.add(evidence.key_frame), f"key frame under its {caption}", caption, overlay=overlay)
    n_images = len(exchange.pictures)
    return ExchangeView(
        title=title,
        score=exact_score(exchange.score, is_asked=exchange.asked),
        is_counted=is_counted,
        is_asked=exchange.asked,
        figures=tuple(
            Figure(
                pictures.add(picture),
                f"image {number} of {n_images} of the context {title}, as the model saw it",
                frame_caption(picture) or "as the model saw it",
            )
            for number, picture in enumerate(exchange.pictures, start=1)
        ),
        attention=attention,
        sequence=sequence_figures(evidence.frames, pictures, window) if window and is_one_of_several else (),
        scales=heat_tables(maps),
        system=exchange.system,
        question=exchange.question,
        answer=exchange.answer,
        reason=exchange.reason,
        bars=probability_bars(exchange.logprobs),
        mass="" if exchange.mass is None else percent_text(exchange.mass),
    )


def _describe_ratings(evidence: Evidence) -> str:
    """Return what the gates said of a segment, and what follows for its score where the model was not asked."""
    ratings = describe_priorities(evidence.priorities)
    if evidence.asked:
        return f"{ratings[0].upper()}{ratings[1:]}." if ratings else ""
    score = "" if math.isnan(evidence.value) else f" Its score in the timeline is {evidence.value:.3f}, from its gates."
    return f"The model was {describe_unasked(evidence.priorities)}.{score}"


def _key_figure(picture: Picture, pictures: PictureList) -> Figure:
    return Figure(pictures.add(picture), f"key frame, {frame_caption(picture)}", frame_caption(picture))
