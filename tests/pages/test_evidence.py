"""The evidence of one segment as a page shows it."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anyanomaly.builtin.contexts import TemporalContext
from anyanomaly.builtin.options import TemporalOptions
from anyanomaly.core.fuse import fuse
from anyanomaly.evidence import Evidence
from anyanomaly.pages import page_text, render_page
from anyanomaly.pages.evidence import evidence_view
from anyanomaly.pages.figures import window_mark
from anyanomaly.pages.scores import fusion_view, probability_bars
from anyanomaly.pages.similarity import attention_overlay, heat_tables
from anyanomaly.testing.fakes import FakeEncoder
from anyanomaly.testing.samples import TEXT, sample_segment
from anyanomaly.types import KeyFrames
from tests.pages.evidence_samples import HOSTILE, ParsedPage, sample_evidence


def card(evidence: Evidence) -> ParsedPage:
    page = render_page("show.html.j2", title="cam", subtitle="", views=[evidence_view(evidence)])
    return ParsedPage(page)


def test_the_view_is_json_ready_and_has_each_picture_once() -> None:
    view = evidence_view(sample_evidence())
    json.dumps(asdict(view), allow_nan=False)
    sources = [picture.source for picture in view.pictures]
    assert len(sources) == len(set(sources)) == 7  # the key frame is a frame of the sequence, and the image of `key`
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)


def test_pictures_can_be_files() -> None:
    view = evidence_view(sample_evidence(), lambda shown: f"{shown.frame}.png")
    assert view.key_frame is not None
    assert view.pictures[view.key_frame.picture].source == "72.png"
    assert all(picture.is_file for picture in view.pictures)


def test_every_picture_has_words_for_those_who_cannot_see_it() -> None:
    page = card(sample_evidence())
    labels = [attributes["aria-label"] for attributes in page.all("svg") if attributes.get("role") == "img"]
    assert "key frame, frame 72, 2.88 s" in labels
    assert any(
        "the window of the grid is from 33% to 67% of the width and 0% to 33% of the height" in x for x in labels
    )
    assert "image 1 of 1 of the context temporal 2, as the model saw it" in labels
    assert all(labels)


def test_hostile_text_is_text_and_the_page_requests_nothing() -> None:
    page = card(sample_evidence(text=HOSTILE, answer=HOSTILE))
    assert page.text.count(page_text(HOSTILE)) >= 5
    assert not page.all("script")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert "\u202e" not in page.text
    assert "\x1b" not in page.text


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_text(text: str) -> None:
    plain, page = card(sample_evidence()), card(sample_evidence(text=text, answer=text))
    assert [tag for tag, _ in page.elements] in ([tag for tag, _ in plain.elements], _without_answers(plain))
    assert " ".join(page_text(text).split()) in " ".join(page.text.split())


def _without_answers(page: ParsedPage) -> list[str]:
    """Return the elements of a page whose answers are empty."""
    return [tag for tag, _ in card(sample_evidence(answer="")).elements]


def test_a_frame_is_stretched_to_the_square_from_which_windows_are_cut() -> None:
    """The marked part of the original frame is what the grid shows, also of a frame that is not square."""
    segment = sample_segment(size=(96, 48))
    for image_size in (224, 384):
        generator = TemporalContext(TemporalOptions(large=0, middle=80, small=0))
        encoder = FakeEncoder()
        encoder.image_size = image_size
        generator.encoder = encoder
        (context,) = generator.build(segment, TEXT, KeyFrames(1, (1, 7, 13, 19)))
        mark = window_mark(context.views)
        assert mark is not None
        left, top, right, bottom = mark.x * 96, mark.y * 48, (mark.x + mark.width) * 96, (mark.y + mark.height) * 48
        marked = segment.frames[1].image[round(top) : round(bottom), round(left) : round(right)]
        shown = context.images[0][:112, :112]
        expected = cv2.resize(marked, (112, 112), interpolation=cv2.INTER_LINEAR)
        blocks = (4, 4)
        np.testing.assert_allclose(
            cv2.resize(shown, blocks, interpolation=cv2.INTER_AREA),
            cv2.resize(expected, blocks, interpolation=cv2.INTER_AREA),
            atol=25,
        )


@pytest.mark.parametrize(
    "views",
    [
        {},
        {"window": np.array([0, 0, 5, 5])},
        {"window": np.array([1]), "side": np.array(240)},
        {"window": np.array([0, 0, 5, 5]), "side": np.array([0.0])},
        {"window": np.array([0, 0, np.nan, 5]), "side": np.array([240.0])},
    ],
)
def test_a_context_without_a_window_or_its_side_marks_nothing(views: dict[str, np.ndarray]) -> None:
    assert window_mark(views) is None


def test_the_window_that_counts_is_marked_in_the_sequence() -> None:
    view = evidence_view(sample_evidence())
    assert all(figure.window for figure in view.sequence)
    assert [exchange.is_counted for exchange in view.exchanges] == [True, True, True, False]
    unmarked = replace(sample_evidence(), exchanges=sample_evidence().exchanges[:2])
    assert not any(figure.window for figure in evidence_view(unmarked).sequence)


def test_probabilities_are_bars_of_their_height() -> None:
    bars = probability_bars({"0.0": math.log(0.25), "0.5": -math.inf, "1.0": math.nan})
    assert [(bar.label, bar.percent, bar.text) for bar in bars] == [
        ("0.0", 25.0, "25%"),
        ("0.5", 0.0, "0.0%"),
        ("1.0", 0.0, "0.0%"),
    ]
    assert probability_bars(None) == ()
    page = card(sample_evidence())
    assert len(page.all("ol", "ev-bars")) == 1
    assert "which sum to 80%" in page.text


@given(st.lists(st.tuples(st.floats(0, 1) | st.just(math.nan), st.floats(0.01, 5)), min_size=1, max_size=6))
def test_the_rows_of_the_fusion_add_up_to_its_value(rows: list[tuple[float, float]]) -> None:
    scores = {f"context {number}": score for number, (score, _) in enumerate(rows)}
    weights = {f"context {number}": weight for number, (_, weight) in enumerate(rows)}
    value = fuse(scores, weights)
    view = fusion_view(scores, weights, value)
    assert [row.is_missing for row in view.rows] == [math.isnan(score) for score in scores.values()]
    if not math.isnan(value):
        assert sum(row.percent for row in view.rows) == pytest.approx(100 * value, abs=0.1)
        assert float(view.product_sum) == pytest.approx(value * float(view.weight_sum), abs=0.05)


def test_a_missing_score_is_left_out_of_the_sum() -> None:
    page = card(sample_evidence(scores={"position": math.nan}))
    assert "left out" in page.text
    assert "0.610 ÷ 0.7 = 0.760" in " ".join(page.text.split())


def test_heat_tables_have_one_scale_and_mark_the_highest_of_each_size() -> None:
    small, large = heat_tables({"small": np.array([[0.0, 0.5], [0.25, 1.0]], np.float32), "large": np.array([[0.5]])})
    assert [[cell.level for cell in row] for row in small.rows] == [[0.0, 0.5], [0.25, 1.0]]
    assert [[cell.is_highest for cell in row] for row in small.rows] == [[False, False], [False, True]]
    assert [cell.level for cell in large.rows[0]] == [0.5]
    assert "0.4" in card(sample_evidence()).text


def test_attention_is_bright_where_windows_resemble_the_text() -> None:
    overlay = attention_overlay({"small": np.array([[0.0, 0.0], [0.0, 1.0]], np.float32)})
    assert overlay is not None
    png = np.frombuffer(base64.b64decode(overlay.source.partition(",")[2]), np.uint8)
    image = cv2.imdecode(png, cv2.IMREAD_GRAYSCALE)
    assert image is not None
    assert image[-1, -1] > 200 > 30 > image[0, 0]
    assert (overlay.lowest, overlay.highest) == ("0", "1")
    assert attention_overlay({"large": np.array([[0.3]], np.float32)}) is None  # the model saw the plain frame


def test_bars_of_digits_and_letters_name_their_values() -> None:
    letters = probability_bars(dict.fromkeys("ABCDE", math.log(0.2)))
    assert [(bar.label, bar.value) for bar in letters] == [
        (n, f"{v:.2f}") for n, v in zip("ABCDE", (0, 0.25, 0.5, 0.75, 1), strict=True)
    ]
    assert [bar.value for bar in probability_bars(dict.fromkeys("0123456789", -3.0))][::9] == ["0.00", "1.00"]
    assert {bar.value for bar in probability_bars({"0.0": -1.0, "1.0": -1.0})} == {""}
