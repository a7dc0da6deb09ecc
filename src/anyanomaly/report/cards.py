"""Events as cards, with as many pictures as the size of the report allows: the highest events keep theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from anyanomaly.evidence import Evidence, Picture
from anyanomaly.pages.environment import page_environment
from anyanomaly.pages.evidence import evidence_view
from anyanomaly.pages.text import data_uri
from anyanomaly.report.results import Moment, TextResults, VideoResults
from anyanomaly.report.spool import EvidenceSpool

MAX_CARDS = 2000  # of a report; the charts show every event
_FULL_SHARE = 0.75  # of the pictures' budget, for events with all of their pictures


@dataclass(slots=True)
class Card:
    """An event, or the highest segment of a text without one, as a card."""

    id: str
    moment: Moment
    text_index: int  # position among the texts of the video
    reason: str
    thumbnail: str = ""  # data URI; empty: no picture
    evidence: Markup = Markup("")  # noqa: RUF009 - immutable


@dataclass(frozen=True, slots=True)
class Omissions:
    """What the size of the report did not allow."""

    n_shortened: int  # events with one small picture
    n_without: int  # events without a picture
    n_hidden: int  # events without a card


def make_cards(video_id: str, video: VideoResults, texts: Sequence[str]) -> list[Card]:
    """Return the cards of a video: its events in the order of time, then the highest segments of other texts."""
    moments = []
    for index, text in enumerate(texts):
        results = video.texts[text]
        highest = _highest_moment(text, results)
        moments += [(moment, index) for moment in (*results.moments, *([highest] if highest else []))]
    moments.sort(key=lambda entry: (not entry[0].is_event, entry[0].start_s, entry[1]))
    return [
        Card(f"{video_id}e{number}", moment, index, moment.reason) for number, (moment, index) in enumerate(moments)
    ]


def fill_cards(cards: Mapping[str, list[Card]], spool: EvidenceSpool, max_bytes: int) -> Omissions:
    """Give the cards their evidence, the highest first, and remove the lowest where there are too many.

    :param cards: per video. :param max_bytes: of all evidence together, in the page.
    :raises OutputError: when evidence cannot be read again.
    """
    ranked = sorted((card for row in cards.values() for card in row), key=_rank)
    hidden = {card.id for card in ranked[MAX_CARDS:]}
    for row in cards.values():
        row[:] = [card for card in row if card.id not in hidden]
    full_bytes, all_bytes = int(max_bytes * _FULL_SHARE), max_bytes
    n_shortened = n_without = 0
    for card in ranked[:MAX_CARDS]:
        if card.moment.evidence is None:
            continue
        if all_bytes <= 0:
            n_without += 1
            continue
        evidence, thumbnail = spool.read(card.moment.evidence)
        card.reason = card.reason or _reason(evidence)
        card.thumbnail = data_uri("image/jpeg", thumbnail.jpeg)
        if full_bytes <= 0:
            n_shortened += 1
            evidence = _without_pictures(evidence, thumbnail)
        card.evidence = _evidence_html(evidence, card.id)
        full_bytes -= len(card.evidence)
        all_bytes -= len(card.evidence) + len(card.thumbnail)
    return Omissions(n_shortened, n_without, len(hidden))


def _rank(card: Card) -> tuple[bool, float]:
    return not card.moment.is_event, -card.moment.peak


def _highest_moment(text: str, results: TextResults) -> Moment | None:
    """Return the highest segment of a text without an event, if there is evidence of it."""
    if results.moments or not results.spooled:
        return None
    start_s, stop_s, value, position = results.spooled[-1]
    return Moment(text, start_s, stop_s, value, start_s, "", False, position)


def _evidence_html(evidence: Evidence, card_id: str) -> Markup:
    macros = page_environment("anyanomaly.report").get_template("evidence.html.j2").module
    card: Markup = macros.evidence_card(evidence_view(evidence), f"{card_id}e", 5, False)  # type: ignore[attr-defined]
    return card


def _without_pictures(evidence: Evidence, thumbnail: Picture) -> Evidence:
    exchanges = tuple(replace(exchange, pictures=(), views={}) for exchange in evidence.exchanges)
    return replace(evidence, key_frame=thumbnail, frames=(), exchanges=exchanges)


def _reason(evidence: Evidence) -> str:
    """Return the reason of the context that counts most, if one has a reason."""
    reasons = [(evidence.weights.get(exchange.context, 0.0), exchange.reason) for exchange in evidence.exchanges]
    return max((entry for entry in reasons if entry[1]), key=lambda entry: entry[0], default=(0.0, ""))[1]
