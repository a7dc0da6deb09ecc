"""Damage of any byte of the answer store: the answers of a run are those of a run without the store."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyanomaly.engine.store_upkeep import clear, summarise
from anyanomaly.testing.fakes import FakeBackend
from tests.engine.store_parts import QUERIES, Logs, answer_all, run_twice


@pytest.fixture(scope="module")
def intact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("intact") / "answers.sqlite"
    answer_all(path, QUERIES, FakeBackend())
    return path


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    flips=st.lists(st.tuples(st.integers(0, 2**20), st.integers(1, 255)), max_size=30),
    place=st.sampled_from(["file", "header", "text"]),
    size=st.none() | st.integers(0, 2**15),
)
def test_damage_of_any_byte_changes_no_answer(
    tmp_path: Path, caplog: Logs, intact: Path, flips: list[tuple[int, int]], place: str, size: int | None
) -> None:
    content = bytearray(intact.read_bytes())
    text = content.find(b"It is that red")
    first, n_bytes = {"file": (0, len(content)), "header": (0, 200), "text": (text - 40, 3000)}[place]
    for offset, value in flips:
        content[first + offset % n_bytes] ^= value
    path = tmp_path / "answers.sqlite"
    for companion in ("-wal", "-shm", "-journal"):
        Path(f"{path}{companion}").unlink(missing_ok=True)
    path.write_bytes(content[:size])
    run_twice(path, caplog)
    summarise(path)
    clear(path)
    assert run_twice(path, caplog) == ([12, 0], ["", ""])


@pytest.mark.parametrize("word", [b"stored_answers", b"_autoindex", b"CREATE TABLE"])
def test_a_schema_that_is_not_utf8_costs_a_warning(tmp_path: Path, caplog: Logs, intact: Path, word: bytes) -> None:
    path = tmp_path / "answers.sqlite"
    path.write_bytes(intact.read_bytes().replace(word, b"\xa3" + word[1:]))
    n_asked, warnings = run_twice(path, caplog)
    assert n_asked == [12, 12]
    assert all("answers.sqlite" in warning and "anyanomaly cache clear" in warning for warning in warnings)
    assert "answers.sqlite" in summarise(path).problem
    clear(path)
    assert run_twice(path, caplog) == ([12, 0], ["", ""])
