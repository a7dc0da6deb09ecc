"""A run that takes its time, in a process of its own: ``python -m tests.engine.slow_run BACKEND FOLDER``.

Its backend writes the number of each question to FOLDER/asked before it answers it; the answers are in FOLDER/results
when the run is complete.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from anyanomaly.engine.stored_answers import StoredAnswers
from anyanomaly.types import Answer, Query
from tests.engine.store_parts import BatchBackend, SingleBackend, make_queries, open_store

N_QUERIES = 40
BATCH_SIZE = 4


def main(backend_name: str, folder: Path) -> None:
    base = {"batches": BatchBackend, "single": SingleBackend}[backend_name]
    asked = (folder / "asked").open("a", buffering=1)

    class SlowBackend(base):  # type: ignore[misc, valid-type]
        def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
            for query in queries:
                asked.write(f"{query.id.segment}\n")
                time.sleep(0.004)
            answers: list[Answer] = super().answer_batch(queries)
            return answers

    backend, store = SlowBackend(batch_size=BATCH_SIZE), open_store(folder / "answers.sqlite")
    backend.load()
    answers = sorted(
        (tuple(answer.id), answer.text) for answer in StoredAnswers(backend, store).answer(make_queries(N_QUERIES))
    )
    store.close()
    (folder / "results").write_text(json.dumps(answers))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
