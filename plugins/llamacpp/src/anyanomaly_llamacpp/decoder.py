"""The running model: prefills prompts, with a prefix cache, and returns the logits of the next token."""

from __future__ import annotations

import ctypes
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple

import llama_cpp
import numpy as np
import numpy.typing as npt
from llama_cpp import mtmd_cpp

from anyanomaly.core.trie import Tokens, inner_paths, steps
from anyanomaly.errors import BackendError, UsageError
from anyanomaly.kit import EvaluatedTokens
from anyanomaly_llamacpp.cache_sizes import CacheSizes
from anyanomaly_llamacpp.chunks import Chunk
from anyanomaly_llamacpp.engine import NativeModel, StopFlag, take_error
from anyanomaly_llamacpp.image_encoder import ImageEncoder
from anyanomaly_llamacpp.machine import free_memory

Logits = npt.NDArray[np.float64]  # (n_vocabulary,)

MAX_PATHS = 15  # paths of the allowed answers in one batch, each a sequence of its own beside the prompt's
MAX_RECURRENT_PATHS = 2  # the same with recurrent layers, whose states take tens of MB for each sequence
MAX_OUTPUTS = 128  # tokens of those paths; each costs a row of logits
CONTEXT_STEP = 1024  # tokens by which the context grows


class Step(NamedTuple):
    """A token to decode."""

    token: int
    position: int
    sequence: int = 0
    needs_logits: bool = False  # whether the distribution after it is needed


class Decoder:
    """One llama.cpp context. It holds the last prompt, chunk by chunk, as a prefix cache for the next one.

    Each chunk is decoded by itself, so that numbers do not depend on what the context held before. A recurrent state
    cannot be truncated, so a second sequence keeps the prompt up to its last chunk, which is most often the question.
    """

    def __init__(
        self,
        native: NativeModel,
        stop: StopFlag,
        cache_sizes: CacheSizes,
        evaluated: EvaluatedTokens,
        *,
        threads: int,
        chunk_tokens: int,
        context_size: int,
    ) -> None:
        """:param evaluated: counts prompt tokens. :raises UsageError: ``context_size`` is above the model's."""
        self._native = native
        self._stop = stop
        self._evaluated = evaluated
        self._cache_sizes = cache_sizes
        self._threads = threads
        self._batch_tokens = chunk_tokens
        self._max_size = context_size or native.max_tokens
        if self._max_size > native.max_tokens:
            raise UsageError(
                f"The model takes questions of up to {native.max_tokens} tokens, and --backend.context-size is "
                f"{context_size}. Use a smaller one, or remove the option."
            )
        self._context: Any = None
        self._size = context_size  # tokens that the context holds
        self._chunk_keys: list[Hashable] = []  # of the chunks in the context
        self._chunk_ends: list[int] = []  # position after each of them
        self._max_paths = MAX_RECURRENT_PATHS if native.is_recurrent else MAX_PATHS
        self._copy_sequence = self._max_paths + 1  # holds the chunks that a recurrent state can return to
        self._n_copied = 0  # chunks in it
        self._encoder = ImageEncoder(native)

    def close(self) -> None:
        """Free the context."""
        if self._context is not None:
            llama_cpp.llama_free(self._context)
        self._context = None
        self._forget()

    def _forget(self) -> None:
        self._chunk_keys, self._chunk_ends, self._n_copied = [], [], 0

    def prefill(self, chunks: Sequence[Chunk], n_more: int) -> Logits:
        """Prefill a prompt, with room for ``n_more`` tokens, and return the logits of the next token.

        :raises UsageError: when it does not fit the context.
        :raises BackendError: when memory runs out, or llama.cpp fails.
        """
        self._ensure_room(chunks, n_more)
        pairs = zip(self._chunk_keys, chunks, strict=False)
        n_shared = len(list(takewhile(lambda pair: pair[0] == pair[1].key, pairs)))
        n_shared = self._truncate(min(n_shared, len(chunks) - 1))  # decode the last one again: its logits are needed
        start = self._chunk_ends[-1] if n_shared else 0
        for chunk in chunks[n_shared:]:
            if chunk is chunks[-1] and self._native.is_recurrent:
                self._copy_state()
            start = self._decode_chunk(chunk, start, needs_logits=chunk is chunks[-1])
            self._evaluated.add(**{"text" if chunk.tokens else "image": chunk.n_tokens})
            self._chunk_keys.append(chunk.key)
            self._chunk_ends.append(start)
        return self._logits(-1)

    def _truncate(self, n_chunks: int) -> int:
        """Remove all but the first ``n_chunks`` from the context, or more where it must; return how many it holds."""
        if self._native.is_recurrent and 0 < self._n_copied <= n_chunks:
            n_chunks = self._n_copied
            llama_cpp.llama_memory_seq_rm(self._memory, 0, -1, -1)
            llama_cpp.llama_memory_seq_cp(self._memory, self._copy_sequence, 0, -1, -1)
        else:
            start = self._chunk_ends[n_chunks - 1] if n_chunks else 0
            if self._native.is_recurrent or not llama_cpp.llama_memory_seq_rm(self._memory, 0, start, -1):
                llama_cpp.llama_memory_clear(self._memory, True)
                n_chunks = self._n_copied = 0
        del self._chunk_keys[n_chunks:], self._chunk_ends[n_chunks:]
        return n_chunks

    def _copy_state(self) -> None:
        """Keep the chunks in the context as those that a recurrent state can return to."""
        if self._n_copied != len(self._chunk_keys):
            self._n_copied = len(self._chunk_keys)
            llama_cpp.llama_memory_seq_rm(self._memory, self._copy_sequence, -1, -1)
            llama_cpp.llama_memory_seq_cp(self._memory, 0, self._copy_sequence, -1, -1)

    def append(self, token: int, n_before: int) -> Logits:
        """Decode the answer's next token, which follows ``n_before`` others, and return the logits after it.

        :raises BackendError: when llama.cpp fails.
        """
        self._decode([Step(token, self._chunk_ends[-1] + n_before, needs_logits=True)])
        return self._logits(-1)

    def choice_logprobs(self, root: Logits, answers: Sequence[Tokens]) -> Mapping[Tokens, Mapping[int, float]]:
        """Return, per prefix of ``answers``, the natural-log probability of each token that may follow.

        :param root: the logits after the prompt, from the last `prefill`.
        :raises UsageError: when an answer is too long for a batch.
        :raises BackendError: when llama.cpp fails.
        """
        logits: dict[Tokens, Logits] = {(): root}
        for paths in _split_paths(inner_paths(answers), self._max_paths):
            logits |= self._decode_paths(paths)
        return {prefix: _logprobs(logits[prefix], tokens) for prefix, tokens in steps(answers).items()}

    def _decode_paths(self, paths: Sequence[Tokens]) -> dict[Tokens, Logits]:
        """Decode the paths in one batch, each after the prompt, and return the logits after each of their prefixes."""
        start = self._chunk_ends[-1]
        for sequence in range(1, len(paths) + 1):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)  # shares the cells, copies nothing
        batch = [
            Step(token, start + index, sequence, needs_logits=True)
            for sequence, path in enumerate(paths, 1)
            for index, token in enumerate(path)
        ]
        try:
            self._decode(batch)
        finally:
            for sequence in range(1, len(paths) + 1):
                llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        prefixes = [path[: length + 1] for path in paths for length in range(len(path))]
        return {prefix: self._logits(row) for row, prefix in enumerate(prefixes)}

    def _decode_chunk(self, chunk: Chunk, start: int, needs_logits: bool) -> int:
        """Decode a chunk from position ``start`` on; return the position after it."""
        if not chunk.tokens:
            return self._decode_image(chunk, start)
        last = chunk.n_tokens - 1
        batch = [
            Step(token, start + index, needs_logits=needs_logits and index == last)
            for index, token in enumerate(chunk.tokens)
        ]
        for begin in range(0, len(batch), self._batch_tokens):
            self._decode(batch[begin : begin + self._batch_tokens])
        return start + chunk.n_positions

    def _decode_image(self, chunk: Chunk, start: int) -> int:
        embeddings = self._encoder.encode(chunk)
        end = llama_cpp.llama_pos(start)
        code = mtmd_cpp.mtmd_helper_decode_image_chunk(
            self._native.vision,
            self._context,
            chunk.handle,
            embeddings.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            start,
            0,
            self._batch_tokens,
            ctypes.byref(end),
            mtmd_cpp.mtmd_helper_post_decode_callback(),
            None,
        )
        self._check(code)
        return int(end.value)

    def _decode(self, batch: Sequence[Step]) -> None:
        native_batch = llama_cpp.llama_batch_init(len(batch), 0, 1)
        try:
            native_batch.n_tokens = len(batch)
            for index, step in enumerate(batch):
                native_batch.token[index], native_batch.pos[index] = step.token, step.position
                native_batch.n_seq_id[index], native_batch.seq_id[index][0] = 1, step.sequence
                native_batch.logits[index] = step.needs_logits
            self._check(llama_cpp.llama_decode(self._context, native_batch))
        finally:
            llama_cpp.llama_batch_free(native_batch)

    def _check(self, code: int) -> None:
        """Raise when llama.cpp returned an error code: BackendError, or KeyboardInterrupt after a stop."""
        if not code:
            return
        llama_cpp.llama_memory_clear(self._memory, True)  # a chunk may be half decoded
        self._forget()
        if self._stop:
            raise KeyboardInterrupt
        raise BackendError(f"llama.cpp failed: {take_error()}.")

    def _logits(self, row: int) -> Logits:
        values = llama_cpp.llama_get_logits_ith(self._context, row)
        return np.ctypeslib.as_array(values, (self._native.n_vocabulary,)).astype(np.float64)

    @property
    def _memory(self) -> Any:
        return llama_cpp.llama_get_memory(self._context)

    def _ensure_room(self, chunks: Sequence[Chunk], n_more: int) -> None:
        n_images = sum(chunk.n_tokens for chunk in chunks if not chunk.tokens)
        needed = sum(chunk.n_tokens for chunk in chunks) + n_more
        if needed > self._max_size:
            raise UsageError(
                f"A question needs {needed} tokens, {n_images} of them for its images, and the context holds "
                f"{self._max_size}. Use a larger --backend.context-size (at most {self._native.max_tokens}), or "
                "smaller images: --backend.max-pixels, --reader.max-side."
            )
        widest = max((chunk.n_tokens for chunk in chunks if not chunk.tokens), default=0)
        if self._native.sees_images_whole and widest > self._batch_tokens:
            self._batch_tokens = widest
            self.close()
        if self._context is None or needed > self._size:
            self.close()
            rounded = -(-needed // CONTEXT_STEP) * CONTEXT_STEP
            self._size = max(self._size, min(rounded, self._max_size))
            self._context = self._new_context()

    def _new_context(self) -> Any:
        n_sequences = self._max_paths + 1 + self._native.is_recurrent
        states = n_sequences * self._cache_sizes.state_bytes
        needed, available = self._size * self._cache_sizes.token_bytes + states, free_memory()
        # llama.cpp would allocate it, and the system would kill a process later.
        if not self._native.on_gpu and needed > available:
            raise self._memory_error(f"it takes {needed / 2**30:.1f} GiB, and {available / 2**30:.1f} are free")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = self._size
        settings.n_batch = settings.n_ubatch = min(self._batch_tokens, self._size)
        settings.n_seq_max = n_sequences
        settings.n_outputs_max = min(MAX_OUTPUTS, settings.n_batch)
        settings.n_threads = settings.n_threads_batch = self._threads
        settings.kv_unified = True  # sequences share the prompt's cells
        settings.swa_full = True  # so that a prompt can be truncated to what the next one shares
        settings.no_perf = True
        settings.abort_callback, settings.abort_callback_data = self._stop.callback, self._stop.data
        context = llama_cpp.llama_init_from_model(self._native.model, settings)
        if not context:
            raise self._memory_error(take_error())
        return context

    def _memory_error(self, reason: str) -> BackendError:
        return BackendError(
            f"There is no memory for a context of {self._size} tokens: {reason}. "
            "Use a smaller --backend.context-size, smaller images, or a smaller model."
        )


def _split_paths(paths: Iterable[Tokens], most: int) -> Iterator[list[Tokens]]:
    """Split ``paths`` into groups of one batch each, with at most ``most`` paths.

    :raises UsageError: when one is too long for a batch.
    """
    group: list[Tokens] = []
    for path in paths:
        if len(path) > MAX_OUTPUTS:
            raise UsageError(f"An allowed answer of {len(path) + 1} tokens is too long. Use shorter ones.")
        if len(group) == most or sum(map(len, group)) + len(path) > MAX_OUTPUTS:
            yield group
            group = []
        group.append(path)
    if group:
        yield group


def _logprobs(logits: Logits, tokens: Iterable[int]) -> dict[int, float]:
    largest = logits.max()
    log_sum = largest + np.log(np.exp(logits - largest).sum())
    return {token: float(logits[token] - log_sum) for token in tokens}
