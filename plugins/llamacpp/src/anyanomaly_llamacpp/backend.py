"""The backend ``gguf``: a vision-language model over llama.cpp, one question after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import llama_cpp

from anyanomaly.api import Backend
from anyanomaly.core.trie import inner_paths
from anyanomaly.kit import ChoiceEncoder, answer_in_groups, answer_logprobs, fingerprint, require_loaded
from anyanomaly.types import Answer, Query
from anyanomaly_llamacpp.checkpoint import check_pair, find_files
from anyanomaly_llamacpp.chunks import Chunk, open_prompt
from anyanomaly_llamacpp.decoder import Decoder
from anyanomaly_llamacpp.engine import IMAGE, Native, Stop, load_native
from anyanomaly_llamacpp.generation import penalise, token_chooser
from anyanomaly_llamacpp.header import read_header
from anyanomaly_llamacpp.images import Sizing, read_sizing
from anyanomaly_llamacpp.machine import usable_cores
from anyanomaly_llamacpp.options import GgufOptions
from anyanomaly_llamacpp.prompts import Chat

T = TypeVar("T")


class GgufBackend(Backend[GgufOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer."""

    def __init__(self, options: GgufOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._running: _Running | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._stop = Stop()
        self._fingerprint = ""

    def load(self) -> None:
        """Load both files; download them when they are not there."""
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="llama.cpp")
        try:
            self._in_worker(self._load)
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        model, mmproj = find_files(self.options)
        text, vision = read_header(model.path), read_header(mmproj.path)
        check_pair(text, vision, model.path.name, mmproj.path.name)
        size = read_sizing(vision, self.options)
        threads = self.options.threads or usable_cores()
        chat = Chat(text, model.path.name)
        native = load_native(model.path, mmproj.path, self.options, size, threads)
        decoder = Decoder(
            native,
            self._stop,
            threads=threads,
            chunk_tokens=self.options.chunk_tokens,
            context_size=self.options.context_size,
        )
        self._running = _Running(native, decoder, chat, size)
        self._fingerprint = fingerprint(
            "gguf",
            f"{model.identity}/{mmproj.identity}",
            pixels=f"{size.min_pixels}-{size.max_pixels}" if size else "",
            **{"llama-cpp-python": llama_cpp.__version__},
        )

    def close(self) -> None:
        """Give all memory back."""
        if self._worker is not None:
            self._worker.shutdown()
            self._worker = None
        if self._running is not None:
            self._running.close()
            self._running = None

    @property
    def fingerprint(self) -> str:
        """Weights, projector, sizes and release. Known once loaded.

        :raises BackendError: before `load`.
        """
        require_loaded(self._running)
        return self._fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; questions about the same images are put one after the other, and share their reading.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        """
        running = require_loaded(self._running)
        return self._in_worker(
            lambda: answer_in_groups(queries, _alike, lambda group: [running.answer(query) for query in group])
        )

    def _in_worker(self, work: Callable[[], T]) -> T:
        """Return what ``work`` returns. While llama.cpp computes in its own thread, this one hears Ctrl-C."""
        assert self._worker is not None
        self._stop.set(False)
        future = self._worker.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            self._stop.set(True)
            future.exception()  # it ends after the operation that it is in
            raise


class _Running:
    """What is there once loaded."""

    def __init__(self, native: Native, decoder: Decoder, chat: Chat, size: Sizing | None) -> None:
        self._native, self._decoder, self._chat, self._size = native, decoder, chat, size
        self._encode_choices = ChoiceEncoder(native.encode)

    def close(self) -> None:
        self._decoder.close()
        self._native.free()

    def answer(self, query: Query) -> Answer:
        text = self._chat.render(query)
        images = [self._size.resized(image) if self._size else image for image in query.images]
        with open_prompt(self._native, text, images) as pieces:
            if query.sampling.choices:
                return self._choose(query, text.rpartition(IMAGE)[2], pieces)
            return self._write(query, pieces)

    def _choose(self, query: Query, tail: str, pieces: list[Chunk]) -> Answer:
        choices = query.sampling.choices
        answers = self._encode_choices(tail, choices)
        root = self._decoder.read(pieces, sum(map(len, inner_paths(answers))))
        values = answer_logprobs(answers, self._decoder.spread(root, answers), "Use a less quantised file of it.")
        logprobs = dict(zip(choices, values, strict=True))
        return Answer(query.id, logprobs=logprobs, prompt_tokens=_n_tokens(pieces), output_tokens=0)

    def _write(self, query: Query, pieces: list[Chunk]) -> Answer:
        choose, sampling = token_chooser(query), query.sampling
        seen = {token for piece in pieces for token in piece.tokens}
        row = self._decoder.read(pieces, sampling.max_tokens)
        new: list[int] = []
        while True:
            token = choose(penalise(row, seen, sampling.repetition_penalty))
            new.append(token)
            seen.add(token)
            if len(new) >= sampling.max_tokens or self._native.ends(token):
                break
            row = self._decoder.follow(token, len(new) - 1)
        return Answer(
            query.id,
            text=self._native.decode(new).strip(),
            prompt_tokens=_n_tokens(pieces),
            output_tokens=len(new),
        )


def _n_tokens(pieces: Sequence[Chunk]) -> int:
    return sum(piece.n_tokens for piece in pieces)


def _alike(query: Query) -> tuple[Any, ...]:
    """Return what sorts questions so that those with the same beginning are neighbours."""
    images = tuple(hash(image.tobytes()) for image in query.images)
    return (query.text_first, query.system, images, query.prompt)
