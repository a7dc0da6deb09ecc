"""Base class of backends: they answer queries about images."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from anyanomaly.api.activity import Activity
from anyanomaly.api.component import Component, O_co
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.types import Answer, Query


class Backend(Component[O_co]):
    """A scorer backend. Implement ``answer_batch``; override ``answer`` only to schedule across batches."""

    batch_size: int = 1  # maximum number of queries per ``answer_batch``
    forms_batches: bool = True
    """Whether an answer may depend, in its last digits, on the queries that are answered together with it.

    The answers of a batch are then stored together. False, for an engine that answers one query after the other or
    schedules requests itself: each answer is stored as soon as ``answer`` yields it, so a run that is killed loses
    none.
    """
    works_while_pulling: bool = False
    """Whether the engine works on queries while `answer` pulls the next one, on threads or in other processes.

    It then counts them in ``activity``. Otherwise the host does: the engine works when it does not pull.
    """
    activity: Activity
    """Measures when the engine has queries to work on. The host sets a new one for each run, before `answer`."""
    max_images: int | None = None  # set by ``load`` when the model takes fewer than the spec declares
    revision: str | None = None
    """The version of the weights, for results: a hub id with its commit, or a digest; set by ``load`` where known."""

    encoder: Encoder[Options]
    """Set by the host before ``load`` when the spec says ``needs_encoder``."""

    def __init__(self, options: O_co) -> None:
        super().__init__(options)
        self.activity = Activity()

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Identifies the weights and everything else that changes answers. The answer store and results hold it.

        :raises BackendError: when read before ``load``.
        """

    @property
    def max_inflight(self) -> int:
        """Maximum number of queries that ``answer`` has pulled and not yet answered."""
        return self.batch_size

    @property
    def leaves_machine(self) -> bool:
        """Whether images are sent off this machine. Read before ``load`` when the spec declares ``network``."""
        return True

    def gives_logprobs(self) -> bool:
        """Return whether the loaded model gives log-probabilities, as the spec declares; a server may not.

        ``--scoring auto`` asks once, after ``load``, and only where the spec declares ``logprobs``.
        """
        return True

    @abstractmethod
    def answer_batch(self, queries: Sequence[Query]) -> Sequence[Answer]:
        """Return one answer per query, in the order of the queries.

        The answer depends on the images, the texts and the sampling of a query, and not on its id: the answer store
        returns it for every query with the same content.

        A query with ``sampling.choices`` needs ``Answer.logprobs``: the natural-log probability of each choice. Any
        other query needs ``Answer.text``.

        :param queries: 1 to ``batch_size`` queries, from any segments and videos.
        :raises BackendError: when the engine fails. Translate the engine's own exceptions here.
        """

    def answer(self, queries: Iterable[Query]) -> Iterator[Answer]:
        """Pull queries from a stream and yield their answers, in any order.

        Every pulled query is answered exactly once, and at most ``max_inflight`` are unanswered at a time. The stream
        may be endless, and pulling may block while video is decoded.

        :raises BackendError: when the engine fails.
        """
        stream = iter(queries)
        while batch := list(islice(stream, self.batch_size)):
            yield from self.answer_batch(batch)
