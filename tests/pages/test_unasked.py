"""Cards of evidence tell three states of a context apart: a score, an unreadable answer, and not asked."""

from __future__ import annotations

import math
from dataclasses import replace

from anyanomaly.evidence import Evidence, Exchange
from anyanomaly.pages import render_page
from anyanomaly.pages.evidence import evidence_view
from tests.pages.evidence_samples import ParsedPage, sample_evidence

UNASKED = Exchange("temporal", 0, (), "", "", "", math.nan, asked=False)


def words(evidence: Evidence) -> str:
    page = render_page("show.html.j2", title="t", subtitle="", views=[evidence_view(evidence)])
    return " ".join(ParsedPage(page).text.split())


def test_a_context_that_was_not_asked_is_neither_zero_nor_unreadable() -> None:
    key, position, *_ = sample_evidence(scores={"key": 0.0, "position": math.nan}).exchanges
    evidence = replace(
        sample_evidence(), value=0.0, exchanges=(key, position, UNASKED), priorities={"motion": 0.5, "similarity": 0.25}
    )
    text = words(evidence)
    assert "key 0.6 0.000 0.000" in text
    assert "position 0.3 unreadable left out" in text
    assert "temporal 0.1 not asked left out" in text
    assert "Context temporal not asked" in text
    assert "The model was not asked: the first context was clear enough." in text
    assert "The gates rated it motion 0.50, similarity 0.25." in text


def test_a_segment_that_was_not_asked_has_no_sum_and_no_questions() -> None:
    evidence = replace(sample_evidence(), value=0.03, exchanges=(UNASKED,), priorities={"motion": 0.12})
    text = words(evidence)
    assert "bicycle not asked" in text
    assert (
        "The model was not asked: the gate motion rated it 0.12. Its score in the timeline is 0.030, from its gates."
        in text
    )
    for word in ("fused score", "How the score was made", "Context", "unreadable"):
        assert word not in text
