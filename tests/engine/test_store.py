"""The answer store: which answers are stored and found again, in which order, and for how long."""

from __future__ import annotations

import math
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyanomaly.engine.store import query_key
from anyanomaly.engine.store_upkeep import StoreLimits, clear, prune
from anyanomaly.engine.stored_answers import StoredAnswers
from anyanomaly.errors import BackendError
from anyanomaly.testing.fakes import FakeBackend
from anyanomaly.types import Answer, Query, QueryId, Sampling
from tests.engine.store_parts import (
    BatchBackend,
    SingleBackend,
    answer_all,
    change,
    make_queries,
    open_store,
    use_first_schema,
)

ID = QueryId("v", 0, "red car", "key")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "answers.sqlite"


@given(
    st.builds(
        Answer,
        st.just(ID),
        text=st.text(),
        value=st.none() | st.floats(0, 1),
        logprobs=st.none() | st.dictionaries(st.text(), st.floats(max_value=0, allow_nan=False)),
        prompt_tokens=st.none() | st.integers(0, 2**40),
        output_tokens=st.none() | st.integers(0, 2**40),
    )
)
def test_a_stored_answer_comes_back_unchanged(tmp_path_factory: pytest.TempPathFactory, answer: Answer) -> None:
    store = open_store(tmp_path_factory.getbasetemp() / "round_trip.sqlite")
    store.put([("key", answer)], "fake")
    assert store.get("key", ID) == answer
    store.close()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(ID, value=math.nan),
        Answer(ID, value=2.0),
        Answer(ID, logprobs={"0.1": math.nan}),
        Answer(ID, text="x" * 2**20),
        Answer(ID, value=np.float32(0.5)),  # type: ignore[arg-type]
        Answer(ID, prompt_tokens=-1),
    ],
    ids=["NaN", "value above 1", "NaN in logprobs", "huge", "no float", "negative count"],
)
def test_an_answer_that_could_not_be_read_again_is_not_stored(path: Path, answer: Answer) -> None:
    store = open_store(path)
    store.put([("bad", answer), ("good", Answer(ID, "0.5"))], "fake")
    assert store.get("bad", ID) is None
    assert store.get("good", ID) == Answer(ID, "0.5")
    store.close()


def test_a_lone_surrogate_in_an_answer_is_the_same_text_with_a_store_without_one_and_from_it(path: Path) -> None:
    queries = make_queries(1)
    backend = FakeBackend(lambda query: "0.5 \ud83d")
    backend.load()
    (without,) = StoredAnswers(backend, None).answer(queries)
    assert without.text == "0.5 \\ud83d"
    assert answer_all(path, queries, backend) == answer_all(path, queries, FakeBackend()) == [without]


def test_the_keys_of_queries_never_change() -> None:
    image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    sampling = Sampling(64, temperature=0.7, top_p=0.9, repetition_penalty=1.05, seed=3, choices=("0.0", "0.1"))
    query = Query(ID, (image,), 'Is there a "bicycle"? é', system="You look.", text_first=True, sampling=sampling)
    assert query_key(query, "gguf/x") == "f30cb4e43937414d12d78dc39a41069d2198595491cd667e44c876aebfc7f76e"


def test_the_key_has_all_that_can_change_an_answer_and_nothing_else() -> None:
    image = np.zeros((2, 6, 3), dtype=np.uint8)
    query = Query(ID, (image,), "Is there a car?")
    changes = [
        replace(query, prompt="Is there a cat?"),
        replace(query, system="You look."),
        replace(query, text_first=True),
        replace(query, images=(image.reshape(6, 2, 3),)),
        replace(query, images=(image, image)),
        replace(query, images=(image + 1,)),
        *(
            replace(query, sampling=replace(Sampling(), **{name: value}))
            for name, value in {
                "max_tokens": 65,
                "temperature": 0.1,
                "top_p": 0.5,
                "repetition_penalty": 1.5,
                "seed": 1,
                "choices": ("yes", "no"),
            }.items()
        ),
    ]
    keys = [query_key(query, "a"), query_key(query, "b"), *(query_key(changed, "a") for changed in changes)]
    assert len(set(keys)) == len(keys)
    same = [
        replace(query, id=QueryId("w", 9, "cat", "position", 3)),
        replace(query, sampling=replace(Sampling(), temperature=0, top_p=1, repetition_penalty=1)),
        replace(query, images=(image.copy(),)),
    ]
    assert {query_key(equal, "a") for equal in same} == {keys[0]}


@pytest.mark.parametrize("n_answered", range(1, 11))
def test_a_batch_is_stored_as_a_whole_so_that_a_second_run_forms_the_same_batches(path: Path, n_answered: int) -> None:
    queries = make_queries(10)
    reference = answer_all(path.with_name("reference.sqlite"), queries, BatchBackend(batch_size=4))
    store, backend = open_store(path), BatchBackend(batch_size=4)
    backend.load()
    stream = StoredAnswers(backend, store).answer(queries)
    for _ in range(n_answered):  # the run ends while it works on the answers of a batch
        next(stream)
    stream.close()
    store.close()
    second = BatchBackend(batch_size=4)
    assert answer_all(path, queries, second) == reference
    assert sum(second.calls) == 10 - sum(backend.calls)


def test_answers_of_an_engine_that_answers_one_by_one_are_stored_one_by_one(path: Path) -> None:
    queries = make_queries(6)
    store = open_store(path)
    first = SingleBackend(batch_size=3, fail_at=3)
    first.load()
    with pytest.raises(BackendError):
        list(StoredAnswers(first, store).answer(queries))
    second = SingleBackend(batch_size=3)
    second.load()
    stream = StoredAnswers(second, store).answer(queries)
    assert len(list(stream)) == 6
    assert len(second.calls) == 3
    store.close()


@pytest.mark.parametrize("backend", [FakeBackend, BatchBackend, SingleBackend])
def test_an_answer_is_stored_before_the_run_gets_it(path: Path, backend: type[FakeBackend]) -> None:
    store, engine = open_store(path), backend(batch_size=3)
    engine.load()
    reader = open_store(path)
    queries = make_queries(7)
    by_id = {query.id: query for query in queries}
    for answer in StoredAnswers(engine, store).answer(queries):
        assert reader.get(query_key(by_id[answer.id], "fake"), answer.id) == answer
    store.close()
    reader.close()


def test_equal_queries_are_asked_once(path: Path) -> None:
    queries = [*make_queries(5, "a"), *make_queries(5, "b")]
    for batch_size in (1, 4, 16):
        backend = FakeBackend(batch_size=batch_size)
        answers = answer_all(path.with_name(f"{batch_size}.sqlite"), queries, backend)
        assert sum(backend.calls) == 5
        assert [answer.id for answer in answers] == sorted(query.id for query in queries)


def test_a_file_of_the_first_schema_is_used_on(path: Path) -> None:
    queries = make_queries(10)
    reference = answer_all(path, queries, FakeBackend())
    use_first_schema(path)
    for _ in range(2):  # also when an early version has used the converted file
        backend = FakeBackend()
        assert answer_all(path, queries, backend) == reference
        assert backend.calls == []
        change(path, "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID")
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_the_owner_may_read_folder_and_files(path: Path) -> None:
    store = open_store(path)
    store.put([("key", Answer(ID, "0.5"))], "fake")
    assert path.parent.stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert f"{path.name}-wal" in modes
    store.close()


def test_a_run_keeps_the_store_below_its_size_and_removes_what_was_not_used_for_the_longest_time(path: Path) -> None:
    old, new = make_queries(200, "old"), make_queries(200, "new", seed=1)
    answer_all(path, old, FakeBackend(lambda query: "0.5" * 500))
    change(path, "UPDATE stored_answers SET used_at = used_at - 100000")
    used_again = old[:20]
    answer_all(path, used_again, FakeBackend())  # records the use
    size = path.stat().st_size
    answer_all(path, new, FakeBackend(lambda query: "0.5" * 500), max_bytes=size * 8 // 5)
    backend = FakeBackend()
    answer_all(path, [*used_again, *new], backend)
    assert backend.calls == []
    answer_all(path, old, backend)
    assert sum(backend.calls) >= 100
    prune_size = size // 2
    answer_all(path, [], FakeBackend(), max_bytes=prune_size)
    free = sqlite3.connect(path).execute("SELECT * FROM pragma_freelist_count()").fetchone()[0] * 4096
    assert path.stat().st_size - free <= prune_size


def test_a_run_that_never_ends_keeps_the_store_below_its_size(path: Path) -> None:
    store = open_store(path, max_bytes=300_000)
    for number in range(3000):
        store.put([(f"key {number}", Answer(ID, "0.5" * 100))], "fake")
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM stored_answers").fetchone()[0] < 2000
    assert store.get("key 2999", ID) is not None
    connection.close()
    store.close()


def test_a_run_removes_answers_that_were_not_used_for_too_long(path: Path) -> None:
    queries = make_queries(300)
    answer_all(path, queries, FakeBackend())
    change(path, "UPDATE stored_answers SET used_at = ? WHERE id <= 250", int(time.time()) - 1000)
    answer_all(path, [], FakeBackend(), max_age_s=500)
    backend = FakeBackend()
    answer_all(path, queries, backend)
    assert sum(backend.calls) == 250


def test_removing_answers_while_another_run_writes_is_safe(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store, backend = open_store(path), SingleBackend(batch_size=2)
    backend.load()
    queries = make_queries(60)
    answers = []
    for answer in StoredAnswers(backend, store).answer(queries):
        answers.append(answer)
        if len(answers) % 20 == 10:
            prune(path, StoreLimits(max_bytes=0))
        if len(answers) == 45:
            assert clear(path) == "Removed 15 answers."
    store.close()
    assert len(answers) == 60
    assert not caplog.records
    again = SingleBackend(batch_size=2)
    assert answer_all(path, queries, again) == sorted(answers, key=lambda answer: answer.id)
    assert len(again.calls) == 50
