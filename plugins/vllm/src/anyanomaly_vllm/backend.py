"""The backend ``vllm``: the offline engine, with the queries of many segments and videos in flight at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import IO, Any

from anyanomaly.api import Backend
from anyanomaly.core.trie import Tokens
from anyanomaly.errors import BackendError
from anyanomaly.kit import require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_vllm.engine import Engine, Prompt, new_log, quiet
from anyanomaly_vllm.errors import translate_errors
from anyanomaly_vllm.generation import sampling_params
from anyanomaly_vllm.loading import Model, examine
from anyanomaly_vllm.options import VllmOptions
from anyanomaly_vllm.prompts import messages
from anyanomaly_vllm.scoring import Lookup
from anyanomaly_vllm.sizes import Size

LOGGER = logging.getLogger(__name__)

STEP = 256  # tokens: lengths are rounded up, so that a slightly longer question later needs no new engine


class VllmBackend(Backend[VllmOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer.

    The engine starts with the first queries, whose sizes it is made for, and again when larger ones come.
    """

    def __init__(self, options: VllmOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._log: IO[bytes] | None = None
        self._model: Model | None = None
        self._engine: Engine | None = None
        self._size = Size(0, 0)

    def load(self) -> None:
        """Look at the model; download its configuration when it is not there. Weights follow with the first query."""
        self._log = new_log()
        try:
            self._model = examine(self.options, self._log)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the engine and all its processes."""
        self._stop()
        self._model = None
        if self._log is not None:
            self._log.close()
            self._log = None

    @property
    def fingerprint(self) -> str:
        """Weights, precision, sizes and release. Known once loaded.

        :raises BackendError: before `load`.
        """
        return self._ready()[0].fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; all of them are in the engine at once.

        :raises BackendError: before `load`, when memory is too small, or when the engine dies.
        """
        model, log = self._ready()
        try:
            with quiet():
                size = model.measure.size(queries)
            with translate_errors(self.options.model, log, running=False):
                engine = self._started(size)
            n_videos = len({query.id.video for query in queries})
            LOGGER.info("%d queries of %d videos go to vLLM at once", len(queries), n_videos)
            with translate_errors(self.options.model, log, running=True), quiet():
                return self._answers(engine, queries)
        except BaseException:  # an interrupt too: what is in flight has nobody to answer to
            self._stop()
            raise

    def _ready(self) -> tuple[Model, IO[bytes]]:
        return require_loaded(self._model), require_loaded(self._log)

    def _started(self, size: Size) -> Engine:
        """Return an engine that takes queries of this size: the running one, or a new one."""
        if self._engine is not None and self._size.holds(size):
            return self._engine
        model, log = self._ready()
        self._stop()
        whole = self._size.joined(size)
        length = self.options.max_model_len or min(-(-whole.tokens // STEP) * STEP, model.longest)
        if whole.tokens > length:
            raise BackendError(
                f"A query needs {whole.tokens} tokens and model {self.options.model!r} takes {length}. Lower "
                "--backend.max-pixels or --reader.max-side"
                + (", or raise --backend.max-model-len." if self.options.max_model_len else ".")
            )
        images = {"count": max(whole.images, 1), "width": whole.width, "height": whole.height}
        sizes = {"max_model_len": length, "limit_mm_per_prompt": {"image": images, "video": 0}}
        self._engine = Engine(model.arguments | sizes, log)
        self._size = whole._replace(tokens=length)
        return self._engine

    def _stop(self) -> None:
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _answers(self, engine: Engine, queries: Sequence[Query]) -> list[Answer]:
        model, _ = self._ready()
        asked: list[tuple[int, Lookup | None, list[Tokens]]] = []  # per query: its tokens; a place for each request

        def requests() -> Iterator[tuple[Prompt, Any]]:
            for query in queries:
                prompt = _read(engine, query)
                length = len(prompt["prompt_token_ids"])
                if not query.sampling.choices:
                    asked.append((length, None, [()]))
                    yield prompt, sampling_params(query)
                    continue
                lookup = Lookup(model.encode_choices(prompt["prompt"], query.sampling.choices), length)
                wanted = lookup.first()
                asked.append((length, lookup, [place for place, _ in wanted]))
                yield from _after(prompt, wanted)

        outputs = iter(engine.ask(requests()))
        written: list[Sequence[int]] = []
        for _, lookup, places in asked:
            told = [next(outputs) for _ in places]
            written.append(told[0].outputs[0].token_ids)
            for place, output in zip(places, told, strict=True):
                if lookup is not None:
                    lookup.hear(place, output)
        missing = [lookup.missing() if lookup is not None else [] for _, lookup, _ in asked]
        again = (_after(_read(engine, query), left) for query, left in zip(queries, missing, strict=True) if left)
        outputs = iter(engine.ask(chain.from_iterable(again)))
        answers = []
        for query, (length, lookup, places), tokens, left in zip(queries, asked, written, missing, strict=True):
            if lookup is None:
                words = model.measure.tokenizer.decode(tokens, skip_special_tokens=True).strip()
                answers.append(Answer(query.id, words, prompt_tokens=length, output_tokens=len(tokens)))
                continue
            for place, _ in left:
                lookup.hear(place, next(outputs))
            logprobs = dict(zip(query.sampling.choices, lookup.values(), strict=True))
            n_tokens = len(places) + len(left)
            answers.append(Answer(query.id, logprobs=logprobs, prompt_tokens=length, output_tokens=n_tokens))
        return answers


def _read(engine: Engine, query: Query) -> Prompt:
    """Return the query as the engine reads it; without a system turn in the template it goes before the question."""
    try:
        return engine.read(messages(query))
    except ValueError:
        if not query.system:
            raise
        return engine.read(messages(query, system_turn=False))


def _after(prompt: Prompt, wanted: Sequence[tuple[Tokens, Any]]) -> Iterator[tuple[Prompt, Any]]:
    """Yield the question with the tokens that lead to each place, and how to ask there."""
    for place, how in wanted:
        yield {**prompt, "prompt_token_ids": [*prompt["prompt_token_ids"], *place]}, how
