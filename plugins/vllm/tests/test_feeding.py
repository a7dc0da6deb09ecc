"""The engine is fed without a pause, with a stand-in for vLLM's engine: what is in flight, and how it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from io import BytesIO
from queue import Queue
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from anyanomaly_vllm import backend as backend_module
from anyanomaly_vllm import feeding
from anyanomaly_vllm.backend import LENGTH_STEP, VllmBackend
from anyanomaly_vllm.options import VllmOptions
from anyanomaly_vllm.sizes import QuerySize

from anyanomaly.errors import BackendError
from anyanomaly.types import Answer, ImageArray, Query

BATCH_SIZE = 4
Ask = Callable[..., Query]


class FakeJob:
    """One request, whose output is the answer."""

    shown: ClassVar[list[tuple[Query, Any]]] = []  # queries and the images that the engine gets

    def __init__(self, model: object, engine: object, query: Query, images: Any, thinking: object) -> None:
        self.query, self.images = query, images
        self.shown.append((query, images))
        self.is_check = self.is_complete = False

    def first_prompts(self) -> Iterator[tuple[int, dict[str, Any], None]]:
        yield 0, {"query": self.query}, None

    def record(self, number: int, output: object) -> Iterator[Any]:
        self.is_complete = True
        return iter(())

    def answer(self) -> Answer:
        return Answer(self.query.id, "0.5")


class FakeEngine:
    """Finishes the latest request as soon as ``finish_at`` are in flight; records what happens."""

    finish_at = 1
    engines: ClassVar[list[FakeEngine]] = []  # all that were started

    def __init__(self, arguments: dict[str, Any], log: object) -> None:
        assert not any(engine.in_flight for engine in self.engines)
        self.arguments = arguments
        self.in_flight: dict[str, Query] = {}
        self.aborted: list[str] = []
        self.n_submitted = self.most_in_flight = 0
        self.is_closed = False
        self._outputs: Queue[list[tuple[str, object]] | Exception] = Queue()
        self.engines.append(self)

    def submit(self, prompt: dict[str, Any], params: object) -> str:
        self.n_submitted += 1
        request_id = str(self.n_submitted)
        self.in_flight[request_id] = prompt["query"]
        self.most_in_flight = max(self.most_in_flight, len(self.in_flight))
        if len(self.in_flight) >= self.finish_at:
            self.finish(request_id)
        return request_id

    def finish(self, *request_ids: str) -> None:
        self._outputs.put([(request_id, self.in_flight.pop(request_id)) for request_id in request_ids])

    def fail(self) -> None:
        self._outputs.put(ChildProcessError("a process of the engine ended"))

    @property
    def is_busy(self) -> bool:
        return bool(self.in_flight) or self.has_outputs

    @property
    def has_outputs(self) -> bool:
        return not self._outputs.empty()

    def step(self) -> list[tuple[str, object]]:
        outputs = self._outputs.get(timeout=60)
        if isinstance(outputs, Exception):
            raise outputs
        return outputs

    def wake(self) -> None:
        self._outputs.put([])

    def abort(self, request_ids: list[str]) -> None:
        self.aborted += request_ids
        self.in_flight.clear()

    def close(self) -> None:
        self.is_closed = True


class FakeSizer:
    """The size of a query is the length of its prompt."""

    def size(self, queries: list[Query]) -> QuerySize:
        return QuerySize(max(len(query.prompt) for query in queries))


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[VllmBackend]:
    """Yield a backend with the stand-ins, whose engine finishes the latest of `BATCH_SIZE` queries."""
    monkeypatch.setattr(FakeEngine, "engines", [])
    monkeypatch.setattr(FakeEngine, "finish_at", BATCH_SIZE)
    monkeypatch.setattr(backend_module, "Engine", FakeEngine)
    monkeypatch.setattr(feeding, "Job", FakeJob)
    for module in (feeding, backend_module):
        monkeypatch.setattr(module, "quiet", nullcontext)
    loaded = VllmBackend(VllmOptions(model="m", batch_size=BATCH_SIZE, prepare_processes=0))
    loaded._log = BytesIO()
    loaded._model = SimpleNamespace(arguments={}, max_tokens=4096, sizer=FakeSizer())  # type: ignore[assignment]
    yield loaded
    loaded.close()


def test_a_finished_query_makes_room_for_the_next_and_the_others_go_on(backend: VllmBackend, ask: Ask) -> None:
    answers = backend.answer(ask(number) for number in range(20))
    order = []
    for _ in range(17):
        order.append(next(answers).id.segment)
        (engine,) = FakeEngine.engines
        assert [query.id.segment for query in engine.in_flight.values()] == [0, 1, 2]
    assert order == list(range(3, 20))
    assert engine.most_in_flight == BATCH_SIZE
    engine.finish("2", "1", "3")
    assert [answer.id.segment for answer in answers] == [1, 0, 2]


def test_the_engine_works_while_a_query_is_pulled(
    backend: VllmBackend, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeEngine, "finish_at", 2)
    finished_while_pulling = []

    def slow_stream() -> Iterator[Query]:
        yield from (ask(number) for number in range(BATCH_SIZE))
        (engine,) = FakeEngine.engines
        engine.finish(*engine.in_flight)
        wait_until(lambda: not backend.activity.n_queries)
        finished_while_pulling.append(engine.n_submitted)
        yield ask(BATCH_SIZE)

    answers = backend.answer(slow_stream())
    n_answers = len([next(answers) for _ in range(BATCH_SIZE)])
    assert (n_answers, finished_while_pulling) == (BATCH_SIZE, [BATCH_SIZE])
    answers.close()


def test_a_larger_query_waits_until_all_others_are_answered(backend: VllmBackend, ask: Ask) -> None:
    """`FakeEngine` checks that no other engine has a request when it starts."""
    long = LENGTH_STEP + 1
    prompts = ["short"] * 6 + ["x" * long] + ["short"] * 6
    answers = backend.answer(ask(number, prompt=prompt) for number, prompt in enumerate(prompts))
    order = [next(answers).id.segment for _ in range(3)]
    assert order == [3, 4, 5]
    first = FakeEngine.engines[0]
    wait_until(lambda: len(first.in_flight) == 3)
    threading.Timer(0.01, lambda: first.finish(*first.in_flight)).start()
    order += [next(answers).id.segment for _ in range(3)]
    assert sorted(order) == [0, 1, 2, 3, 4, 5]
    order.append(next(answers).id.segment)
    assert order[-1] == 9  # the fourth query of the second engine
    first, second = FakeEngine.engines
    assert (first.is_closed, second.is_closed) == (True, False)
    assert (first.arguments["max_model_len"], second.arguments["max_model_len"]) == (LENGTH_STEP, 2 * LENGTH_STEP)
    answers.close()


def test_leaving_early_aborts_what_is_in_flight_and_keeps_the_engine(backend: VllmBackend, ask: Ask) -> None:
    answers = backend.answer(ask(number) for number in range(20))
    next(answers)
    answers.close()
    (engine,) = FakeEngine.engines
    assert {"1", "2", "3"} <= set(engine.aborted)
    assert not engine.is_closed
    assert not engine.in_flight
    assert backend.activity.n_queries == 0
    FakeEngine.finish_at = 1
    assert [answer.id.segment for answer in backend.answer([ask(7), ask(8)])] == [7, 8]
    assert len(FakeEngine.engines) == 1


def test_an_engine_that_dies_is_an_error_after_the_answers_that_are_ready(backend: VllmBackend, ask: Ask) -> None:
    answers = backend.answer(ask(number) for number in range(20))
    assert next(answers).id.segment == 3
    (engine,) = FakeEngine.engines
    engine.fail()
    with pytest.raises(BackendError, match=r"died while it answered.*Finished segments are kept"):
        list(answers)
    assert engine.is_closed


def test_an_interrupt_ends_the_engine(backend: VllmBackend, ask: Ask) -> None:
    def stream() -> Iterator[Query]:
        yield from (ask(number) for number in range(BATCH_SIZE + 1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(backend.answer(stream()))
    assert FakeEngine.engines[0].is_closed
    assert not [thread for thread in threading.enumerate() if thread.name == "anyanomaly-vllm"]


class FakePool:
    """Inverts images on another thread."""

    def __init__(self, sizing: object, n_processes: int, log: object) -> None:
        self.n_processes = n_processes
        self.is_closed = False

    def prepare(self, images: Sequence[ImageArray], deliver: Callable[[object], None]) -> None:
        inverted = tuple(255 - image for image in images)
        threading.Timer(0.01, lambda: deliver(inverted if images else ValueError("no image"))).start()

    def close(self) -> None:
        self.is_closed = True


@pytest.mark.parametrize(("chosen", "n_processes"), [(0, None), (3, 3), (None, 2)])
def test_images_go_through_a_pool_where_there_is_one(
    backend: VllmBackend, ask: Ask, monkeypatch: pytest.MonkeyPatch, chosen: int | None, n_processes: int | None
) -> None:
    monkeypatch.setattr(FakeEngine, "finish_at", 1)
    monkeypatch.setattr(backend_module, "ImagePool", FakePool)
    monkeypatch.setattr(backend_module, "default_processes", lambda on_cpu: 0 if on_cpu else 2)
    monkeypatch.setattr(backend, "options", backend.options.model_copy(update={"prepare_processes": chosen}))
    backend._model.sizing, backend._model.on_cpu = object(), False  # type: ignore[misc, union-attr, assignment]
    queries = [ask(number) for number in range(6)]
    assert {answer.id for answer in backend.answer(queries)} == {query.id for query in queries}
    pool: Any = backend._pool
    shown = FakeJob.shown[-6:]
    if n_processes is None:
        assert pool is None
        assert all((images[0] == query.images[0]).all() for query, images in shown)
        return
    assert pool.n_processes == n_processes
    assert all((images[0] == 255 - query.images[0]).all() for query, images in shown)
    with pytest.raises(BackendError, match="no image"):
        list(backend.answer([ask(0, n_images=0)]))
    backend.close()
    assert pool.is_closed


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait up to a minute."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it did not happen within a minute")
