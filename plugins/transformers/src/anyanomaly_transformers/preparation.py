"""Batches to the model's inputs, on a thread of their own while the model answers the batch before."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from anyanomaly.core.trie import Tokens
from anyanomaly_transformers.batches import Batch, Item
from anyanomaly_transformers.loading import Loaded
from anyanomaly_transformers.prompts import encode_batch
from anyanomaly_transformers.shared_images.heads import cut_tails, split_row
from anyanomaly_transformers.shared_images.prompts import HeadKey, image_sizes

N_TAILS = 1024  # questions whose tokens are kept


class HeadInputs(NamedTuple):
    """The inputs of heads that are evaluated in one forward pass."""

    keys: list[HeadKey]
    inputs: Any  # the processor's tensors


class PreparedBatch(NamedTuple):
    """A batch with its inputs."""

    batch: Batch
    inputs: Any  # the processor's tensors; None for a batch that continues from heads
    heads: list[HeadInputs]  # that this batch is the first to need
    tails: list[tuple[int, ...]]  # per query of a batch that continues from heads
    choices: list[tuple[Tokens, ...]]  # per query: tokens of its allowed answers


class Preparer:
    """Makes inputs, for one thread at a time: the tokenizer of transformers may not be called from two."""

    def __init__(self, loaded: Loaded, heads_per_pass: int) -> None:
        self._loaded = loaded
        self._heads_per_pass = heads_per_pass
        self._lock = threading.RLock()
        self._tails: OrderedDict[Hashable, tuple[int, ...]] = OrderedDict()  # by question and image sizes

    def prepare_all(self, batches: Sequence[Batch], known_heads: set[HeadKey]) -> Iterator[PreparedBatch]:
        """Yield batches with their inputs; the next one is prepared while the caller has the one before.

        :param known_heads: those that need no inputs.
        """
        work = []
        for batch in batches:
            keys = dict.fromkeys(item.head for item in batch.items if batch.shares_heads)
            new_heads = [key for key in keys if key not in known_heads]
            known_heads = known_heads | set(new_heads)
            work.append((batch, new_heads))
        if len(work) == 1:
            yield self._prepare(*work[0])
            return
        pool = ThreadPoolExecutor(1, thread_name_prefix="anyanomaly-prepare")
        try:
            following = None
            for arguments in work:
                current, following = following, pool.submit(self._prepare, *arguments)
                if current:
                    yield current.result()
            if following:
                yield following.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def encode_heads(self, items: Sequence[Item]) -> list[HeadInputs]:
        """Return the inputs of the heads of ``items``, each head once in them; their tails are kept."""
        passes = []
        with self._lock:
            for start in range(0, len(items), self._heads_per_pass):
                part = items[start : start + self._heads_per_pass]
                inputs = self._encode(part)
                lengths = []
                for row, item in enumerate(part):
                    _, tail = split_row(inputs, row, self._loaded.model.config.image_token_id)
                    self._keep_tail(item, tail)
                    lengths.append(len(tail))
                inputs.data = cut_tails(inputs, lengths, self._loaded.processor.tokenizer.pad_token_id)
                passes.append(HeadInputs([item.head for item in part], inputs))
        return passes

    def _prepare(self, batch: Batch, new_heads: Sequence[HeadKey]) -> PreparedBatch:
        items = batch.items
        with self._lock:
            choices = [
                self._loaded.encode_choices(item.prompt.text, item.query.sampling.choices)
                for item in items
                if item.query.sampling.choices
            ]
            if not batch.shares_heads:
                return PreparedBatch(batch, self._encode(items), [], [], choices)
            first_items = {item.head: item for item in reversed(items)}
            heads = self.encode_heads([first_items[key] for key in new_heads])
            return PreparedBatch(batch, None, heads, [self._tail(item) for item in items], choices)

    def _encode(self, items: Sequence[Item]) -> Any:
        """Return the tensors of complete prompts, padded on the left."""
        return encode_batch(
            self._loaded.processor, [item.query for item in items], [item.prompt.text for item in items]
        )

    def _tail(self, item: Item) -> tuple[int, ...]:
        """Return the tokens of a prompt after its head; they depend on the images' sizes, and not on their content."""
        key = (item.prompt.text, image_sizes(item.query))
        if key not in self._tails:
            self._keep_tail(item, split_row(self._encode([item]), 0, self._loaded.model.config.image_token_id)[1])
        self._tails.move_to_end(key)
        return self._tails[key]

    def _keep_tail(self, item: Item, tail: tuple[int, ...]) -> None:
        self._tails[item.prompt.text, image_sizes(item.query)] = tail
        while len(self._tails) > N_TAILS:
            self._tails.popitem(last=False)
