"""Backends without a language model: an encoder alone, and answers from a file."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from anyanomaly.api.backend import Backend
from anyanomaly.builtin.backend_options import ReplayOptions, SimilarityOptions
from anyanomaly.errors import BackendError, InputError, UsageError
from anyanomaly.outside_files import read_bounded
from anyanomaly.types import Answer, Crop, Frame, ImageArray, Query, QueryId, Video

MAX_ANSWERS_BYTES = 2**28
"""Largest file of recorded answers."""


class SimilarityBackend(Backend[SimilarityOptions]):
    """The zero-shot CLIP baseline: the value (1 + cosine similarity of image and event text) / 2, in [0, 1].

    Values of real encoders are close together, so a fixed threshold is not useful; use their order (AUC).
    """

    max_images = 1
    _loaded = False

    def load(self) -> None:
        """Allow ``answer_batch``; the host loads the encoder."""
        self._loaded = True

    @property
    def batch_size(self) -> int:  # type: ignore[override]  # available once the host has set the encoder
        """The encoder's batch size."""
        return self.encoder.batch_size

    @property
    def fingerprint(self) -> str:
        """The encoder's fingerprint, with a prefix."""
        return f"similarity/{self.encoder.fingerprint}"

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        """Compare the first image of each query with its event text.

        :raises BackendError: before ``load``, or when the encoder fails.
        """
        if not self._loaded:
            raise BackendError("The backend 'similarity' is not loaded. Call load() first.")
        images = self.encoder.encode_crops([Crop(_frame(query.images[0])) for query in queries])
        texts = self.encoder.encode_texts([query.id.text for query in queries])
        cosines = (images * texts).sum(axis=1)
        values = ((1 + cosines) / 2).clip(0, 1)
        return [Answer(query.id, value=float(value)) for query, value in zip(queries, values, strict=True)]


def _frame(image: ImageArray) -> Frame:
    height, width, _ = image.shape
    return Frame(Video("", "", 1.0, 1, width, height), 0, 0.0, image)


class ReplayBackend(Backend[ReplayOptions]):
    """Answers from the results of an earlier run, to fuse and smooth them again without the model.

    Reads the segment lines that the sink ``jsonl`` writes, and lines that hold one answer each:
    ``{"video", "segment", "text", "context", "answer"}`` (or ``"value"``, in [0, 1], in place of ``"answer"``).
    """

    @property
    def fingerprint(self) -> str:
        """A hash of the file.

        :raises UsageError: without a path. :raises InputError: when the file cannot be read.
        """
        return f"replay/{sha256(self._content()).hexdigest()[:16]}"

    def load(self) -> None:
        """Read the file.

        :raises UsageError: without a path. :raises InputError: when it cannot be read.
        """
        self._answers: dict[QueryId, dict[str, Any]] = {}
        for number, line in enumerate(io.StringIO(self._content().decode(errors="replace")), start=1):
            try:
                self._answers.update(_read_answers(json.loads(line)))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise InputError(
                    f"Line {number} of {self.options.path} is not a recorded answer ({error!r}). "
                    f"Use a .jsonl file that `anyanomaly run -o results.jsonl` wrote."
                ) from error

    def gives_logprobs(self) -> bool:
        """Return False: recorded answers are words or values, whatever the run was that recorded them."""
        return False

    def answer_batch(self, queries: Sequence[Query]) -> list[Answer]:
        """Return the answers recorded for the queries' video, segment, text and context.

        :raises BackendError: for a query without a recorded answer.
        """
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Answer:
        # for several queries per context, result files have the answer with the highest score only
        recorded = getattr(self, "_answers", {}).get(query.id._replace(index=0))
        if recorded is None:
            video, segment, text, context, _ = query.id
            raise BackendError(
                f"{self.options.path} holds no answer for video '{video}', segment {segment}, text '{text}', "
                f"context '{context}'. Record one with the same segments, texts and contexts."
            )
        return Answer(query.id, text=recorded["answer"], value=recorded["value"])

    def _content(self) -> bytes:
        if not self.options.path:
            raise UsageError("Backend 'replay' needs a file of answers. Add --backend.path results.jsonl")
        try:
            return read_bounded(self.options.path, MAX_ANSWERS_BYTES)
        except OSError as error:
            raise InputError(
                f"Cannot read the recorded answers {self.options.path}: {error.strerror}. Check --backend.path."
            ) from error


def _read_answers(line: dict[str, Any]) -> Iterator[tuple[QueryId, dict[str, Any]]]:
    """Yield the answers of one line: words, which the run reads again, or a value where there are none."""
    if "scores" in line:
        for context, score in line["scores"].items():
            words = score.get("answer", "")
            by_value = "mass" in score or not words
            yield (
                QueryId(line["video"], line["segment"], line["text"], context),
                {"answer": words, "value": score["value"] if by_value else None},
            )
    elif "context" in line:
        yield (
            QueryId(line["video"], line["segment"], line["text"], line["context"]),
            {"answer": line.get("answer", ""), "value": line.get("value")},
        )
