"""Slots in paths of published figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anyanomaly.bench.facts import Facts, fill_slots
from anyanomaly.errors import UsageError


@pytest.mark.parametrize("pattern", ["{a.__class__}", "{a[0]}", "{a:>1000000000}", "{a!r}", "{", "}", "{}"])
def test_only_names_in_braces_are_slots(pattern: str) -> None:
    assert fill_slots(pattern, {"a": "x"}) == pattern


def test_an_unknown_slot_is_an_error_that_lists_the_known_ones() -> None:
    assert fill_slots("t/{a}/{b}", {"a": "x{b}", "b": "y"}) == "t/x{b}/y"
    with pytest.raises(UsageError, match=r"the slot \{c\}; slots are a, b"):
        fill_slots("t/{c}", {"a": "x", "b": "y"})


def test_numbers_beyond_sense_are_not_published_figures(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps({"a": 10**400, "b": 71.5}))
    facts = Facts(path)
    assert facts.figure("a", {}) is None
    assert facts.figure("b", {}) == 71.5
    path.write_text("[" * 100_000)
    with pytest.raises(UsageError, match="cannot be read"):
        Facts(path)
