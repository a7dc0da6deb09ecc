"""Headers that lack a setting, or have something else in its place, say nothing of it and do no harm."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.core.events import EventRule
from anyanomaly.results import run_header

HEADER = {
    "config": {
        "texts": ["bicycle", "a person falls"],
        "videos": ["a.mp4", "b.mp4"],
        "run": {"threshold": 0.4, "merge_seconds": 1, "min_event_seconds": 0.5, "start": 2.0, "stop": 9},
    },
    "readers": [{"name": "images", "fps": 12.5}, {"name": "video", "stream": 1}],
}


def everything(header: dict[str, Any]) -> tuple[Any, ...]:
    return (
        run_header.event_texts(header),
        run_header.has_several_videos(header),
        run_header.event_rule(header),
        run_header.searched_section(header),
        run_header.video_stream(header),
        run_header.image_rate(header),
    )


UNKNOWN = ((), False, None, (0.0, math.inf), None, None)


def test_all_of_a_header_is_read() -> None:
    rule = EventRule(0.4, 1.0, 0.5)
    assert everything(HEADER) == (("bicycle", "a person falls"), True, rule, (2.0, 9.0), 1, 12.5)
    assert run_header.event_threshold(HEADER) == 0.4


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"config": None, "readers": None},
        {"config": {"texts": "ab", "videos": 2, "run": []}, "readers": [1, "video"]},
        {
            "config": {"texts": [3], "run": {"threshold": "0.5", "start": True, "stop": math.nan}},
            "readers": [{"name": "video", "stream": -1}, {"name": "images", "fps": 0}],
        },
    ],
)
def test_what_is_missing_or_odd_is_unknown(header: dict[str, Any]) -> None:
    assert everything(header) == UNKNOWN


odd_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda entries: st.lists(entries, max_size=3) | st.dictionaries(st.sampled_from(["run", "name", "fps"]), entries),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["config", "readers", "run"]), odd_values))
def test_no_header_raises_an_error(header: dict[str, Any]) -> None:
    everything(header)
