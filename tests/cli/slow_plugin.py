"""A one-file plugin: a backend that takes 50 ms for an answer."""

from __future__ import annotations

import time
from collections.abc import Sequence

from anyanomaly import BackendSpec, hookimpl
from anyanomaly.api import Backend, Options
from anyanomaly.types import Answer, Query

LATENCY_S = 0.05


class SlowBackend(Backend[Options]):
    @property
    def fingerprint(self) -> str:
        return "slow"

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        time.sleep(LATENCY_S * len(queries))
        return [Answer(query.id, text="0.1") for query in queries]


@hookimpl
def anyanomaly_register_backends() -> list[BackendSpec]:
    return [BackendSpec(name="slow", summary="Takes its time", target=f"{__name__}:SlowBackend")]
