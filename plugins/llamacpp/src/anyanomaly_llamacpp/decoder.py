"""The running model: reads prompts, keeps what the next prompt shares, gives the next token's log-probabilities."""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import llama_cpp
import numpy as np
import numpy.typing as npt
from llama_cpp import mtmd_cpp

from anyanomaly.core.trie import Tokens, inner_paths, steps
from anyanomaly.errors import BackendError, UsageError
from anyanomaly_llamacpp.chunks import Chunk
from anyanomaly_llamacpp.engine import Native, Stop, reason
from anyanomaly_llamacpp.machine import free_memory

Row = npt.NDArray[np.float64]  # (n_words,)

MOST_PATHS = 15  # of the allowed answers, read at once, each as a sequence of its own beside the prompt's
MOST_OUTPUTS = 128  # tokens of those paths; each costs a row of the vocabulary
KEPT_IMAGES = 32  # encoded images remembered
CONTEXT_STEP = 1024  # tokens by which the context grows


class Step(NamedTuple):
    """A token to read."""

    token: int
    position: int
    sequence: int = 0
    asked: bool = False  # whether the distribution after it is wanted


class Decoder:
    """One llama.cpp context. Its memory holds the last prompt, piece by piece; one that starts alike goes on there.

    Pieces are always read one by one, so that numbers do not depend on what was read before.
    """

    def __init__(self, native: Native, stop: Stop, *, threads: int, chunk_tokens: int, context_size: int) -> None:
        self._native = native
        self._stop = stop
        self._threads = threads
        self._chunk = chunk_tokens
        self._most = context_size or native.longest
        if self._most > native.longest:
            raise UsageError(
                f"The model knows questions of up to {native.longest} tokens, and --backend.context-size asks for "
                f"{context_size}. Use a smaller one, or leave it out."
            )
        self._context: Any = None
        self._room = context_size  # tokens that the context holds
        self._held: list[Hashable] = []  # pieces in memory
        self._ends: list[int] = []  # position after each of them
        self._images: OrderedDict[Hashable, npt.NDArray[np.float32]] = OrderedDict()

    def close(self) -> None:
        """Free the context."""
        if self._context is not None:
            llama_cpp.llama_free(self._context)
        self._context = None
        self._held, self._ends = [], []

    def read(self, pieces: Sequence[Chunk], n_more: int) -> Row:
        """Read a prompt, keeping room for ``n_more`` tokens, and return the logits of the next token.

        :raises UsageError: when it does not fit the context.
        """
        self._make_room(pieces, n_more)
        shared = next(
            (place for place, (old, new) in enumerate(zip(self._held, pieces, strict=False)) if old != new.key),
            min(len(self._held), len(pieces)),
        )
        shared = min(shared, len(pieces) - 1)  # the last is read anew: what follows it is asked
        start = self._ends[shared - 1] if shared else 0
        if not llama_cpp.llama_memory_seq_rm(self._memory, 0, start, -1):  # a model whose memory cannot go back
            llama_cpp.llama_memory_clear(self._memory, True)
            shared = start = 0
        del self._held[shared:], self._ends[shared:]
        for piece in pieces[shared:]:
            start = self._read_piece(piece, start, asked=piece is pieces[-1])
            self._held.append(piece.key)
            self._ends.append(start)
        return self._logits(-1)

    def follow(self, token: int, n_before: int) -> Row:
        """Read ``token``, the answer's next after ``n_before`` others, and return the logits after it."""
        self._decode([Step(token, self._ends[-1] + n_before, asked=True)])
        return self._logits(-1)

    def spread(self, root: Row, answers: Sequence[Tokens]) -> Mapping[Tokens, Mapping[int, float]]:
        """Return, per place of the trie of ``answers``, the log-probability of each token wanted there.

        :param root: the logits right after the prompt, which was read last.
        """
        rows: dict[Tokens, Row] = {(): root}
        for paths in _groups(inner_paths(answers)):
            rows |= self._read_paths(paths)
        return {place: _logprobs(rows[place], tokens) for place, tokens in steps(answers).items()}

    def _read_paths(self, paths: Sequence[Tokens]) -> dict[Tokens, Row]:
        """Read the paths side by side, each after the prompt, and return the logits after each of their tokens."""
        start = self._ends[-1]
        for sequence in range(1, len(paths) + 1):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, sequence, -1, -1)  # shares the cells, copies nothing
        steps_ = [
            Step(token, start + place, sequence, asked=True)
            for sequence, path in enumerate(paths, 1)
            for place, token in enumerate(path)
        ]
        try:
            self._decode(steps_)
        finally:
            for sequence in range(1, len(paths) + 1):
                llama_cpp.llama_memory_seq_rm(self._memory, sequence, -1, -1)
        places = [path[: length + 1] for path in paths for length in range(len(path))]
        return {place: self._logits(number) for number, place in enumerate(places)}

    def _read_piece(self, piece: Chunk, start: int, asked: bool) -> int:
        if not piece.tokens:
            return self._read_image(piece, start)
        last = piece.n_tokens - 1
        read = [Step(token, start + n, asked=asked and n == last) for n, token in enumerate(piece.tokens)]
        for begin in range(0, len(read), self._chunk):
            self._decode(read[begin : begin + self._chunk])
        return start + piece.n_positions

    def _read_image(self, piece: Chunk, start: int) -> int:
        values = self._encoded(piece)
        end = llama_cpp.llama_pos(start)
        code = mtmd_cpp.mtmd_helper_decode_image_chunk(
            self._native.vision,
            self._context,
            piece.handle,
            values.ctypes.data_as(ctypes.POINTER(ctypes.c_float)),
            start,
            0,
            self._chunk,
            ctypes.byref(end),
            mtmd_cpp.mtmd_helper_post_decode_callback(),
            None,
        )
        self._check(code)
        return int(end.value)

    def _encoded(self, piece: Chunk) -> npt.NDArray[np.float32]:
        """Return the image's tokens as the projector gives them: remembered, or made now."""
        if piece.key in self._images:
            self._images.move_to_end(piece.key)
            return self._images[piece.key]
        if mtmd_cpp.mtmd_encode_chunk(self._native.vision, piece.handle):
            raise BackendError(f"llama.cpp could not encode an image: {reason()}.")
        values = mtmd_cpp.mtmd_get_output_embd(self._native.vision)
        self._images[piece.key] = np.ctypeslib.as_array(values, (piece.n_tokens, self._native.n_values)).copy()
        if len(self._images) > KEPT_IMAGES:
            self._images.popitem(last=False)
        return self._images[piece.key]

    def _decode(self, read: Sequence[Step]) -> None:
        batch = llama_cpp.llama_batch_init(len(read), 0, 1)
        try:
            batch.n_tokens = len(read)
            for n, step in enumerate(read):
                batch.token[n], batch.pos[n] = step.token, step.position
                batch.n_seq_id[n], batch.seq_id[n][0] = 1, step.sequence
                batch.logits[n] = step.asked
            self._check(llama_cpp.llama_decode(self._context, batch))
        finally:
            llama_cpp.llama_batch_free(batch)

    def _check(self, code: int) -> None:
        if not code:
            return
        llama_cpp.llama_memory_clear(self._memory, True)  # what was half read is worth nothing
        self._held, self._ends = [], []
        if self._stop:
            raise KeyboardInterrupt
        raise BackendError(f"llama.cpp could not go on: {reason()}.")

    def _logits(self, place: int) -> Row:
        values = llama_cpp.llama_get_logits_ith(self._context, place)
        return np.ctypeslib.as_array(values, (self._native.n_words,)).astype(np.float64)

    @property
    def _memory(self) -> Any:
        return llama_cpp.llama_get_memory(self._context)

    def _make_room(self, pieces: Sequence[Chunk], n_more: int) -> None:
        n_images = sum(piece.n_tokens for piece in pieces if not piece.tokens)
        needed = sum(piece.n_tokens for piece in pieces) + n_more
        if needed > self._most:
            raise UsageError(
                f"A question needs {needed} tokens, {n_images} of them for its images, and the context holds "
                f"{self._most}. Use a larger --backend.context-size (the model knows {self._native.longest}), or "
                "smaller images: --backend.max-pixels, --reader.max-side."
            )
        if self._context is None or needed > self._room:
            self.close()
            self._room = max(self._room, min(-(-needed // CONTEXT_STEP) * CONTEXT_STEP, self._most))
            self._context = self._new_context()

    def _new_context(self) -> Any:
        needed, free = self._room * self._native.token_bytes, free_memory()
        if not self._native.on_gpu and needed > free:  # llama.cpp would take it, and the system would kill something
            raise self._no_memory(f"it takes {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} are free")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = self._room
        settings.n_batch = settings.n_ubatch = min(self._chunk, self._room)
        settings.n_seq_max = MOST_PATHS + 1
        settings.n_outputs_max = min(MOST_OUTPUTS, settings.n_batch)
        settings.n_threads = settings.n_threads_batch = self._threads
        settings.kv_unified = True  # sequences share the prompt's cells
        settings.swa_full = True  # so that a prompt can be cut back to what the next one shares
        settings.no_perf = True
        settings.abort_callback, settings.abort_callback_data = self._stop.callback, self._stop.data
        context = llama_cpp.llama_init_from_model(self._native.model, settings)
        if not context:
            raise self._no_memory(reason())
        return context

    def _no_memory(self, why: str) -> BackendError:
        return BackendError(
            f"There is no memory for a context of {self._room} tokens: {why}. "
            "Use a smaller --backend.context-size, smaller images, or a smaller model."
        )


def _groups(paths: Iterable[Tokens]) -> Iterator[list[Tokens]]:
    """Cut ``paths`` into groups that fit one reading."""
    group: list[Tokens] = []
    for path in paths:
        if len(path) > MOST_OUTPUTS:
            raise UsageError(f"An allowed answer of {len(path) + 1} tokens is too long. Use shorter ones.")
        if len(group) == MOST_PATHS or sum(map(len, group)) + len(path) > MOST_OUTPUTS:
            yield group
            group = []
        group.append(path)
    if group:
        yield group


def _logprobs(row: Row, tokens: Iterable[int]) -> dict[int, float]:
    top = row.max()
    total = top + np.log(np.exp(row - top).sum())
    return {token: float(row[token] - total) for token in tokens}
