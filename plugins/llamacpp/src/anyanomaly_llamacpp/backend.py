"""The backend ``gguf``: a vision-language model over llama.cpp, one query after the other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import llama_cpp

from anyanomaly.api import Backend
from anyanomaly.core.trie import inner_paths
from anyanomaly.kit import (
    ChatThinking,
    ChoiceEncoder,
    EvaluatedTokens,
    ThinkingGuard,
    answer_in_groups,
    answer_logprobs,
    check_scoring,
    fingerprint,
    require_loaded,
)
from anyanomaly.types import Answer, Query
from anyanomaly_llamacpp.cache_sizes import read_cache_sizes
from anyanomaly_llamacpp.checkpoint import check_pair, find_files
from anyanomaly_llamacpp.chunks import Chunk, open_prompt
from anyanomaly_llamacpp.decoder import Decoder
from anyanomaly_llamacpp.engine import NativeModel, StopFlag, load_native_model
from anyanomaly_llamacpp.generation import penalise, token_chooser
from anyanomaly_llamacpp.header import header_errors, read_header
from anyanomaly_llamacpp.images import IMAGE, ImageLayout
from anyanomaly_llamacpp.layouts import read_layout
from anyanomaly_llamacpp.machine import usable_cores
from anyanomaly_llamacpp.options import GgufOptions
from anyanomaly_llamacpp.prompts import Chat
from anyanomaly_llamacpp.trial import try_model

T = TypeVar("T")
_ImageKey: TypeAlias = tuple[bool, str, tuple[bytes, ...]]


class GgufBackend(Backend[GgufOptions]):
    """Answers in words, or with the exact log-probability of each allowed answer."""

    forms_batches = False  # numbers do not depend on the queries before: see `Decoder`

    def __init__(self, options: GgufOptions) -> None:
        super().__init__(options)
        self.batch_size = options.batch_size
        self._running: _RunningModel | None = None
        self._worker: ThreadPoolExecutor | None = None
        self._stop = StopFlag()
        self._fingerprint = ""
        self.evaluated = EvaluatedTokens()  # since the backend was made

    def load(self) -> None:
        """Load model and projector; download what is missing.

        :raises AnyAnomalyError: when the model cannot be loaded; the message says why and what to do.
        """
        model, mmproj = find_files(self.options)
        check_headers(model.path, mmproj.path)
        try_model(model.path, mmproj.path)
        self.load_here()

    def load_here(self) -> None:
        """Load as `load` does, without a trial in a child process."""
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="llama.cpp")
        try:
            self._run_in_worker(self._load)
        except BaseException:
            self.close()
            raise

    def _load(self) -> None:
        model, mmproj = find_files(self.options)
        text, vision = check_headers(model.path, mmproj.path)
        with header_errors(model.path.name, mmproj.path.name):
            chat = Chat(text, model.path.name, ChatThinking(self.options.thinking, f"Model {model.path.name!r}"))
            thinking = chat.thinking_fingerprint()
            layout = read_layout(vision, self.options)
            sizes = read_cache_sizes(text)
        threads = self.options.threads or usable_cores()
        native = load_native_model(model.path, mmproj.path, self.options, layout, threads)
        decoder = Decoder(
            native,
            self._stop,
            sizes,
            self.evaluated,
            threads=threads,
            chunk_tokens=self.options.chunk_tokens,
            context_size=self.options.context_size,
        )
        self._running = _RunningModel(native, decoder, chat, layout, ThinkingGuard(f"Model {model.path.name!r}"))
        self.revision = f"{model.identity}/{mmproj.identity}"
        self._fingerprint = fingerprint(
            "gguf",
            self.revision,
            layout=repr(layout),
            thinking=thinking,
            **{"llama-cpp-python": llama_cpp.__version__},
        )

    def close(self) -> None:
        """Free all memory, and end the thread."""
        if self._worker is not None:
            self._worker.shutdown()
            self._worker = None
        if self._running is not None:
            self._running.close()
            self._running = None

    @property
    def fingerprint(self) -> str:
        """Weights, projector, sizes of images, thinking and release; known after `load`.

        :raises BackendError: before `load`.
        """
        require_loaded(self._running)
        return self._fingerprint

    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer in order; queries about the same images run one after the other, and share their prefill.

        :raises BackendError: before `load`, when memory runs out, or when the model fails.
        :raises UsageError: when a question holds a special token of the model, does not fit the context, or asks for
            log-probabilities while thinking is on.
        """
        return answer_in_groups(queries, _prefix_key, lambda group: map(self._answer, group))

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Yield answers one by one, those to queries about the same images one after the other.

        Each answer makes room for the next query, so that questions about one image that are less than ``batch_size``
        apart always come together, however segments and texts alternate in the stream.

        :raises BackendError: as `answer_batch`. :raises UsageError: as `answer_batch`.
        """
        stream = iter(queries)
        waiting: list[tuple[_ImageKey, Query]] = []  # oldest first
        last_key: _ImageKey | None = None
        while True:
            waiting += [(_image_key(query), query) for query in islice(stream, self.batch_size - len(waiting))]
            if not waiting:
                return
            if all(key != last_key for key, _ in waiting):
                last_key = waiting[0][0]
            same_images = (index for index, (key, _) in enumerate(waiting) if key == last_key)
            _, query = waiting.pop(min(same_images, key=lambda index: waiting[index][1].prompt))
            yield self._answer(query)

    def _answer(self, query: Query) -> Answer:
        running = require_loaded(self._running)
        return self._run_in_worker(lambda: running.answer(query))

    def _run_in_worker(self, work: Callable[[], T]) -> T:
        """Return the result of ``work``, run in the thread of llama.cpp, so that this thread takes Ctrl-C.

        :raises KeyboardInterrupt: after the operation that llama.cpp is in.
        """
        assert self._worker is not None
        self._stop.set(False)
        future = self._worker.submit(work)
        try:
            return future.result()
        except KeyboardInterrupt:
            self._stop.set(True)
            future.exception()  # waits for the end of that operation
            raise


def check_headers(model: Path, mmproj: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the headers of a model and its projector.

    :raises AnyAnomalyError: when one is damaged, or they do not fit each other.
    """
    text, vision = read_header(model), read_header(mmproj)
    with header_errors(model.name, mmproj.name):
        check_pair(text, vision, model.name, mmproj.name)
    return text, vision


class _RunningModel:
    """A loaded model with its chat template and decoder."""

    def __init__(
        self, native: NativeModel, decoder: Decoder, chat: Chat, layout: ImageLayout | None, guard: ThinkingGuard
    ) -> None:
        self._native, self._decoder, self._chat, self._layout, self._guard = native, decoder, chat, layout, guard
        self._encode_choices = ChoiceEncoder(native.encode)

    def close(self) -> None:
        self._decoder.close()
        self._native.free()

    def answer(self, query: Query) -> Answer:
        if query.sampling.choices:
            check_scoring(self._chat.thinking.mode, "expected")
        prompt = self._chat.render(query)
        with open_prompt(self._native, prompt, query.images, self._layout) as chunks:
            if not query.sampling.choices:
                return self._generate(query, prompt, chunks)
            answer = self._score_choices(query, prompt.rpartition(IMAGE)[2], chunks)
        self._guard.check([query], [answer], self.answer)
        return answer

    def _score_choices(self, query: Query, last_text: str, chunks: list[Chunk]) -> Answer:
        choices = query.sampling.choices
        answers = self._encode_choices(last_text, choices)
        root = self._decoder.prefill(chunks, sum(map(len, inner_paths(answers))))
        token_logprobs = self._decoder.choice_logprobs(root, answers)
        logprobs = answer_logprobs(answers, token_logprobs, "Use a less quantised file of it.")
        by_choice = dict(zip(choices, logprobs, strict=True))
        return Answer(query.id, logprobs=by_choice, prompt_tokens=_count_tokens(chunks), output_tokens=0)

    def _generate(self, query: Query, prompt: str, chunks: list[Chunk]) -> Answer:
        choose_token, sampling = token_chooser(query), query.sampling
        used_tokens = {token for chunk in chunks for token in chunk.tokens}
        logits = self._decoder.prefill(chunks, sampling.max_tokens)
        tokens: list[int] = []
        while True:
            token = choose_token(penalise(logits, used_tokens, sampling.repetition_penalty))
            tokens.append(token)
            used_tokens.add(token)
            if len(tokens) >= sampling.max_tokens or self._native.is_end(token):
                break
            logits = self._decoder.append(token, len(tokens) - 1)
        return Answer(
            query.id,
            text=self._chat.thinking.complete_answer(prompt, query.prompt, self._native.decode(tokens).strip()),
            prompt_tokens=_count_tokens(chunks),
            output_tokens=len(tokens),
        )


def _count_tokens(chunks: Sequence[Chunk]) -> int:
    return sum(chunk.n_tokens for chunk in chunks)


def _image_key(query: Query) -> _ImageKey:
    """Return a key that is equal for queries whose prompts begin with the same system text and images."""
    images = tuple(hashlib.blake2b(image.data, person=repr(image.shape[:2]).encode()[:16]) for image in query.images)
    return (query.text_first, query.system, tuple(image.digest() for image in images))


def _prefix_key(query: Query) -> tuple[Any, ...]:
    """Return a key by which queries with the same beginning become neighbours, to share their prefill."""
    return (*_image_key(query), query.prompt)
