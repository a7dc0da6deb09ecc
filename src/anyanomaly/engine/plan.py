"""Videos to queries, lazily: segments, key frames, contexts, prompts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TypeAlias

from anyanomaly.api.context import ContextGenerator, ContextOptions
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.api.selector import Selector
from anyanomaly.core.prompt import PromptTemplate, build_prompt
from anyanomaly.core.segment import segments
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.settings import RunSettings
from anyanomaly.errors import VideoError
from anyanomaly.types import (
    Context,
    Crop,
    EventText,
    Frame,
    KeyFrames,
    Query,
    QueryId,
    Sampling,
    Segment,
    TimeArray,
    Video,
)

Source: TypeAlias = tuple[Reader[Options], Video]


@dataclass(frozen=True, slots=True, eq=False)
class PlannedSegment:
    """A segment without its frames, and its queries: every text, every context."""

    video: Video
    index: int
    start: int
    stop: int
    times_s: TimeArray
    queries: tuple[Query, ...]
    reasons: tuple[Query, ...] = ()  # the same with the question for a reason; asked where the score is high

    @property
    def nbytes(self) -> int:
        """Bytes of the images that its queries hold; an image that several show counts once."""
        images = {id(image): image.nbytes for query in self.queries for image in query.images}
        return sum(images.values())


@dataclass(frozen=True, slots=True)
class VideoEnd:
    """The end of a video; ``problem`` says what of it could not be read."""

    video: Video
    problem: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What one segment and one text show, before it becomes queries."""

    text: EventText
    key_frames: KeyFrames
    contexts: tuple[Context, ...]  # generator by generator, in the order of ``build``


class Planner:
    """Makes the queries of all videos, one lazy stream; holds a few segments at a time."""

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

    def plan(self, sources: Iterable[Source]) -> Iterator[PlannedSegment | VideoEnd]:
        """Yield the planned segments of each video in order, then its end. A video read in part ends early."""
        for reader, video in sources:
            problem = ""
            held: list[Segment] = []
            try:
                for segment in self.segments(reader, video):
                    held.append(segment)
                    if len(held) >= self._group_size(segment):
                        yield from self._planned(held)
                        held = []
            except VideoError as error:
                problem = str(error)
            yield from self._planned(held)
            yield VideoEnd(video, problem)

    def segments(self, reader: Reader[Options], video: Video) -> Iterator[Segment]:
        """Yield the segments of a video; what its reader could not read surfaces as VideoError after the last."""
        late: list[VideoError] = []

        def readable() -> Iterator[Frame]:
            frames = reader.frames(video, every=self._settings.every)
            try:
                yield from self._clock.each("decode", frames)
            except VideoError as error:
                late.append(error)
            finally:
                if close := getattr(frames, "close", None):
                    close()

        yield from segments(
            readable(),
            length=self._settings.segment_length(video),
            every=self._settings.every,
            keep_tail=self._settings.keep_tail,
        )
        if late:
            raise late[0]

    def show(self, group: Sequence[Segment]) -> Iterator[tuple[Segment, list[Shown]]]:
        """Select key frames and build contexts for a few segments, their crops encoded in as few passes as can be."""
        self._encode(crop for segment in group for crop in self._selector.crops(segment))
        chosen = [[self._selector.select(segment, text) for text in self._texts] for segment in group]
        self._encode(
            crop
            for segment, per_text in zip(group, chosen, strict=True)
            for key_frames in dict.fromkeys(per_text)
            for context in self._contexts
            for crop in context.crops(segment, key_frames)
        )
        for segment, per_text in zip(group, chosen, strict=True):
            yield (
                segment,
                [
                    Shown(
                        text,
                        key_frames,
                        tuple(
                            context
                            for generator in self._contexts
                            for context in generator.build(segment, text, key_frames)
                        ),
                    )
                    for text, key_frames in zip(self._texts, per_text, strict=True)
                ],
            )

    def queries(self, segment: Segment, shown: Sequence[Shown]) -> tuple[Query, ...]:
        """Return the questions about one segment: text by text, context by context."""
        return self._questions(segment, shown, self._settings.template, self._settings.sampling)

    def reasons(self, segment: Segment, shown: Sequence[Shown]) -> tuple[Query, ...]:
        """Return the questions for a reason, under the ids of `queries`; none when no reason is wanted."""
        if self._settings.reason is None:
            return ()
        in_words = replace(self._settings.sampling, choices=())
        return self._questions(segment, shown, self._settings.reason.template, in_words)

    @staticmethod
    def _questions(
        segment: Segment, shown: Sequence[Shown], template: PromptTemplate, sampling: Sampling
    ) -> tuple[Query, ...]:
        return tuple(
            Query(
                id=QueryId(segment.video.id, segment.index, each.text.text, name, index),
                images=context.images,
                prompt=build_prompt(template, each.text.text, context.hint),
                system=template.system,
                text_first=template.text_first,
                sampling=sampling,
            )
            for each in shown
            for name, contexts in groupby(each.contexts, key=lambda context: context.name)
            for index, context in enumerate(contexts)
        )

    def _planned(self, group: Sequence[Segment]) -> Iterator[PlannedSegment]:
        for segment, shown in self._clock.each("contexts", self.show(group)):
            queries = self.queries(segment, shown)
            self._observer.on_questions(segment, shown, queries)
            yield PlannedSegment(
                video=segment.video,
                index=segment.index,
                start=segment.start,
                stop=segment.stop,
                times_s=segment.times_s,
                queries=queries,
                reasons=self.reasons(segment, shown),
            )

    def _encode(self, crops: Iterable[Crop]) -> None:
        if self._encoder and (wanted := list(crops)):
            self._encoder.encode_crops(wanted)  # the remembering encoder keeps them for select and build

    def _group_size(self, segment: Segment) -> int:
        """Segments per pass: what fills the encoder once with full frames, within a quarter of the look-ahead."""
        if self._encoder is None or segment.video.live:
            return 1
        frame_bytes = sum(frame.image.nbytes for frame in segment.frames)
        by_bytes = self._settings.lookahead_bytes // 4 // frame_bytes
        return max(1, min(self._encoder.batch_size // len(segment.frames), by_bytes))
