"""The role that answers queries."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from anyanomaly.api.component import Component, O_co
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.types import Answer, Query


class Backend(Component[O_co]):
    """A scorer backend. Write ``answer_batch``; override ``answer`` only to schedule across batches."""

    batch_size: int = 1
    max_images: int | None = None  # set by ``load`` when the model narrows what the spec declares

    encoder: Encoder[Options]
    """Set by the host before ``load`` when the spec says ``needs_encoder``."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Names the weights and all else that changes answers; goes into the answer store's keys and into results."""

    @property
    def revision(self) -> str | None:
        """The version of the weights, for results: a commit of the hub, or a digest; None: the model has none to name.

        Asked once loaded.
        """
        return None

    @property
    def max_inflight(self) -> int:
        """Most queries held unanswered at once: what ``answer`` may pull beyond what it yielded."""
        return self.batch_size

    @property
    def leaves_machine(self) -> bool:
        """Whether images are sent off this machine; asked before ``load``, where the spec says ``network``."""
        return True

    @abstractmethod
    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Answer 1 to ``batch_size`` queries, in order, one answer each.

        A query with ``sampling.choices`` wants ``Answer.logprobs`` for each of them; any other wants words.

        :raises BackendError: when it cannot go on. Foreign exceptions are translated here.
        """

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Answer a stream: pull as there is room, yield as they finish, in any order.

        Every query pulled is answered exactly once. The stream may be endless, and pulling may block while
        video is decoded.
        """
        stream = iter(queries)
        while batch := list(islice(stream, self.batch_size)):
            yield from self.answer_batch(batch)
