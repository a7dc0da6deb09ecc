"""Videos to queries, lazily: segments, key frames, contexts, prompts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import NamedTuple, TypeAlias

from anyanomaly.api.context import ContextGenerator, ContextOptions
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.api.selector import Selector
from anyanomaly.core.prompt import PromptTemplate, build_prompt
from anyanomaly.core.segment import cut_section, segments
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.evidence import DraftEvidence, draft_evidence
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.settings import RunSettings
from anyanomaly.errors import VideoError
from anyanomaly.types import (
    Context,
    Crop,
    EventText,
    Frame,
    KeyFrames,
    Notice,
    Query,
    QueryId,
    Sampling,
    Segment,
    TimeArray,
    Video,
)

Source: TypeAlias = tuple[Reader[Options], Video]


class FrameNumbers(NamedTuple):
    """Numbers of the frames that the contexts of one event text show."""

    key_frame: int  # the frame that is shown alone
    sequence: tuple[int, ...]  # the frames that show motion, ascending


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSegment:
    """A segment without its frames, and the queries about it: text by text, context by context."""

    video: Video
    index: int
    start: int
    stop: int
    times_s: TimeArray  # (stop - start,), seconds
    queries: tuple[Query, ...]
    reason_queries: tuple[Query, ...] = ()  # under the ids of `queries`; asked where the score is high
    frame_numbers: Mapping[str, FrameNumbers] = field(default_factory=dict)  # by event text
    drafts: Mapping[str, DraftEvidence] = field(default_factory=dict)  # by event text; empty: no sink needs evidence

    @property
    def nbytes(self) -> int:
        """Bytes of the images of its queries; an image that several queries share counts once."""
        images = {id(image): image.nbytes for query in self.queries for image in query.images}
        return sum(images.values())


@dataclass(frozen=True, slots=True)
class VideoEnd:
    """The end of a video."""

    video: Video
    problem: str = ""  # what could not be read, one sentence; empty: all was read
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TextContexts:
    """The key frames and contexts of one segment for one event text: what its queries show."""

    text: EventText
    key_frames: KeyFrames
    contexts: tuple[Context, ...]  # generator by generator, in the order of ``build``


class Planner:
    """Makes the queries of all videos, as one lazy stream that keeps a few segments in memory at a time."""

    def __init__(
        self,
        settings: RunSettings,
        selector: Selector[Options],
        contexts: Sequence[ContextGenerator[ContextOptions]],
        encoder: Encoder[Options] | None,
        clock: Clock | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._settings = settings
        self._selector = selector
        self._contexts = contexts
        self._encoder = encoder
        self._clock = clock or Clock()
        self._observer = observer or Observer()
        self._texts = [EventText(text, settings.texts) for text in settings.texts]

    def plan(self, sources: Iterable[Source], *, with_evidence: bool = False) -> Iterator[PlannedSegment | VideoEnd]:
        """Yield the planned segments of each video in order, then its end. A video that cannot be read ends early.

        :param with_evidence: draft the evidence of every segment.
        """
        for reader, video in sources:
            problem = ""
            group: list[Segment] = []
            try:
                for segment in self.segments(reader, video):
                    group.append(segment)
                    if len(group) >= self._group_size(segment):
                        yield from self._plan_group(group, with_evidence)
                        group = []
            except VideoError as error:
                problem = str(error)
            yield from self._plan_group(group, with_evidence)
            yield VideoEnd(video, problem, read_notices(reader, video))

    def segments(self, reader: Reader[Options], video: Video) -> Iterator[Segment]:
        """Yield the segments of a video, or of its section.

        :raises VideoError: after the last segment, when the reader could not read all of the video, or no frame is in
            the section.
        """
        errors: list[VideoError] = []
        n_frames = 0

        def read_frames() -> Iterator[Frame]:
            nonlocal n_frames
            frames = reader.frames(video, every=self._settings.frame_step(video))
            try:
                for frame in cut_section(self._clock.time_items("decode", frames), video.section):
                    n_frames += 1
                    yield frame
            except VideoError as error:
                errors.append(error)
            finally:
                if close := getattr(frames, "close", None):
                    close()

        yield from segments(
            read_frames(),
            length=self._settings.segment_length(video),
            every=self._settings.frame_step(video),
            keep_tail=self._settings.keep_tail,
            cut_head=video.section[0] > 0,
        )
        if errors:
            raise errors[0]
        if not n_frames and video.section != (0.0, math.inf):
            start_s, stop_s = video.section
            stop = "its end" if math.isinf(stop_s) else f"{stop_s:g} s"
            raise VideoError(
                f"{video.uri} has no frame from {start_s:g} s to {stop}. Choose another --start or --stop."
            )

    def build_contexts(self, group: Sequence[Segment]) -> Iterator[tuple[Segment, list[TextContexts]]]:
        """Yield a few segments, each with its key frames and contexts for every text.

        The crops of all of them are encoded in two passes: frames for the selector, then windows for the contexts.
        """
        self._encode(crop for segment in group for crop in self._selector.crops(segment))
        selections = [[self._selector.select(segment, text) for text in self._texts] for segment in group]
        self._encode(
            crop
            for segment, selection in zip(group, selections, strict=True)
            for key_frames in dict.fromkeys(selection)
            for context in self._contexts
            for crop in context.crops(segment, key_frames)
        )
        for segment, selection in zip(group, selections, strict=True):
            yield (
                segment,
                [
                    TextContexts(
                        text,
                        key_frames,
                        tuple(
                            context
                            for generator in self._contexts
                            for context in generator.build(segment, text, key_frames)
                        ),
                    )
                    for text, key_frames in zip(self._texts, selection, strict=True)
                ],
            )

    def make_queries(self, segment: Segment, text_contexts: Sequence[TextContexts]) -> tuple[Query, ...]:
        """Return the queries for the scores of one segment: text by text, context by context."""
        return _make_queries(segment, text_contexts, self._settings.template, self._settings.sampling)

    def make_reason_queries(self, segment: Segment, text_contexts: Sequence[TextContexts]) -> tuple[Query, ...]:
        """Return the queries for a reason, under the ids of `make_queries`; none when the run asks for no reasons."""
        if self._settings.reason is None:
            return ()
        sampling = replace(self._settings.sampling, choices=())
        return _make_queries(segment, text_contexts, self._settings.reason.template, sampling)

    def _plan_group(self, group: Sequence[Segment], with_evidence: bool) -> Iterator[PlannedSegment]:
        for segment, text_contexts in self._clock.time_items("contexts", self.build_contexts(group)):
            queries = self.make_queries(segment, text_contexts)
            self._observer.on_queries(segment, text_contexts, queries)
            yield PlannedSegment(
                video=segment.video,
                index=segment.index,
                start=segment.start,
                stop=segment.stop,
                times_s=segment.times_s,
                queries=queries,
                reason_queries=self.make_reason_queries(segment, text_contexts),
                frame_numbers={entry.text.text: _frame_numbers(segment, entry.key_frames) for entry in text_contexts},
                drafts=draft_evidence(segment, text_contexts, queries) if with_evidence else {},
            )

    def _encode(self, crops: Iterable[Crop]) -> None:
        """Encode crops in one call; the caching encoder keeps the vectors for ``select`` and ``build``."""
        if self._encoder and (batch := list(crops)):
            self._encoder.encode_crops(batch)

    def _group_size(self, segment: Segment) -> int:
        """Return the segments per pass: as many as have frames for one batch of the encoder.

        Their images take at most a quarter of the look-ahead; a live segment does not wait for others.
        """
        if self._encoder is None or segment.video.live:
            return 1
        frame_bytes = sum(frame.image.nbytes for frame in segment.frames)
        by_bytes = self._settings.lookahead_bytes // 4 // frame_bytes
        return max(1, min(self._encoder.batch_size // len(segment.frames), by_bytes))


def read_notices(reader: Reader[Options], video: Video) -> tuple[Notice, ...]:
    """Return what a reader noticed in a video so far."""
    return tuple(Notice(video.id, message) for message in reader.notices(video))


def _frame_numbers(segment: Segment, key_frames: KeyFrames) -> FrameNumbers:
    sequence = tuple(segment.frames[position].index for position in key_frames.sequence)
    return FrameNumbers(segment.frames[key_frames.primary].index, sequence)


def _make_queries(
    segment: Segment, text_contexts: Sequence[TextContexts], template: PromptTemplate, sampling: Sampling
) -> tuple[Query, ...]:
    return tuple(
        Query(
            id=QueryId(segment.video.id, segment.index, entry.text.text, name, index),
            images=context.images,
            prompt=build_prompt(template, entry.text.text, context.hint),
            system=template.system,
            text_first=template.text_first,
            sampling=sampling,
        )
        for entry in text_contexts
        for name, contexts in groupby(entry.contexts, key=lambda context: context.name)
        for index, context in enumerate(contexts)
    )
