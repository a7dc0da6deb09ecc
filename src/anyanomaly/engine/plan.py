"""Videos to queries, lazily: segments, priorities, key frames, contexts, prompts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeAlias

from anyanomaly.api.context import ContextGenerator, ContextOptions
from anyanomaly.api.encoder import Encoder
from anyanomaly.api.gate import Gate
from anyanomaly.api.options import Options
from anyanomaly.api.reader import Reader
from anyanomaly.api.selector import Selector
from anyanomaly.core.prompt import PromptTemplate, build_prompt
from anyanomaly.core.segment import cut_section, segments
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.evidence import draft_evidence
from anyanomaly.engine.gating import GateKeeper, SegmentPriorities
from anyanomaly.engine.lookahead import run_ahead
from anyanomaly.engine.observer import Observer
from anyanomaly.engine.planned import (
    Choose,
    FrameNumbers,
    PlannedSegment,
    RatedSegment,
    Task,
    TextContexts,
    VideoEnd,
    unasked_segment,
)
from anyanomaly.engine.settings import RunSettings
from anyanomaly.errors import VideoError
from anyanomaly.types import Crop, EventText, Frame, KeyFrames, Notice, Query, QueryId, Sampling, Segment, Video

Source: TypeAlias = tuple[Reader[Options], Video]


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
        gates: Mapping[str, Gate[Options]] | None = None,
    ) -> None:
        """:param gates: by name; they rate when the settings have a rule for them."""
        self._settings = settings
        self._selector = selector
        self._contexts = contexts
        self._encoder = encoder
        self._clock = clock or Clock()
        self._observer = observer or Observer()
        self._gates = gates or {}
        self._keepers: dict[tuple[str, ...], GateKeeper] = {}  # by event texts

    def plan(
        self, sources: Iterable[Source], *, with_evidence: bool = False, choose: Choose | None = None
    ) -> Iterator[PlannedSegment | VideoEnd]:
        """Yield the planned segments of each video in order, then its end. A video that cannot be read ends early.

        :param with_evidence: draft the evidence of every segment that is asked about. :param choose: with gates: called
            with each segment in order; None: ask where the combined priority is above the limit of the settings.
        """
        for reader, video in sources:
            texts = self._settings.texts_of(video)
            for group in self.rated_groups(reader, video):
                if isinstance(group, VideoEnd):
                    yield group
                    continue
                tasks = [
                    Task(segment, tuple((choose or self._above)(segment, rated)) if rated else texts, rated)
                    for segment, rated in group
                ]
                yield from self.plan_tasks(tasks, with_evidence=with_evidence)

    def rated_groups(self, reader: Reader[Options], video: Video) -> Iterator[list[RatedSegment] | VideoEnd]:
        """Yield the segments of a video in groups, with their priorities; then the video's end."""
        keeper = self.gate_keeper(video)
        problem = ""
        group: list[Segment] = []

        def rate() -> list[RatedSegment]:
            return list(zip(group, keeper.rate(group) if keeper else [{}] * len(group), strict=True))

        if keeper:
            keeper.begin(video)
        try:
            # The next segments of a recording are decoded while these are encoded; a live reader drops frames instead.
            bound = 0 if video.live else self._settings.lookahead_bytes // 8
            with run_ahead(self.segments(reader, video), _frame_bytes, bound) as segments_read:
                for segment in segments_read:
                    group.append(segment)
                    if len(group) >= self.group_size(segment):
                        yield rate()
                        group = []
        except VideoError as error:
            problem = str(error)
        if group:
            yield rate()
        yield VideoEnd(video, problem, read_notices(reader, video))

    def gate_keeper(self, video: Video) -> GateKeeper | None:
        """Return what rates the segments of a video; None: there is no gate."""
        rule, texts = self._settings.gate, self._settings.texts_of(video)
        if rule is None or not self._gates:
            return None
        if texts not in self._keepers:
            self._keepers[texts] = GateKeeper(self._gates, rule, texts, self._encoder, self._clock)
        return self._keepers[texts]

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

    def plan_tasks(self, tasks: Sequence[Task], *, with_evidence: bool = False) -> Iterator[PlannedSegment]:
        """Yield planned segments in the order of a few tasks, which are encoded together."""
        asked_segments = [task.segment for task in tasks if task.texts]
        texts = [task.texts for task in tasks if task.texts]
        built = self._clock.time_items("contexts", self.build_contexts(asked_segments, texts))
        for task in tasks:
            if not task.texts:
                yield unasked_segment(task.segment, task.priorities)
                continue
            segment, text_contexts = next(built)
            yield self._plan_segment(segment, text_contexts, task.priorities, with_evidence)

    def build_contexts(
        self, group: Sequence[Segment], texts: Sequence[Sequence[str]] | None = None
    ) -> Iterator[tuple[Segment, list[TextContexts]]]:
        """Yield a few segments, each with its key frames and contexts for its event texts.

        The crops of all of them are encoded in two passes: frames for the selector, then windows for the contexts.

        :param texts: the event texts of each segment; None: all of the run.
        """
        self._encode(crop for segment in group for crop in self._selector.crops(segment))
        selections: list[list[tuple[EventText, KeyFrames]]] = []
        for position, segment in enumerate(group):
            all_texts = self._settings.texts_of(segment.video)
            event_texts = [EventText(text, all_texts) for text in (texts[position] if texts else all_texts)]
            selections.append([(text, self._selector.select(segment, text)) for text in event_texts])
        self._encode(
            crop
            for segment, selection in zip(group, selections, strict=True)
            for key_frames in dict.fromkeys(key_frames for _, key_frames in selection)
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
                    for text, key_frames in selection
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

    def _plan_segment(
        self,
        segment: Segment,
        text_contexts: Sequence[TextContexts],
        priorities: Mapping[str, SegmentPriorities],
        with_evidence: bool,
    ) -> PlannedSegment:
        queries = self.make_queries(segment, text_contexts)
        self._observer.on_queries(segment, text_contexts, queries)
        first_queries: tuple[Query, ...] = queries
        later_queries: tuple[Query, ...] = ()
        if self._settings.clear:
            names = {entry.text.text: entry.contexts[0].name for entry in text_contexts}
            first_queries = tuple(query for query in queries if query.id.context == names[query.id.text])
            later_queries = tuple(query for query in queries if query.id.context != names[query.id.text])
        return PlannedSegment(
            video=segment.video,
            index=segment.index,
            start=segment.start,
            stop=segment.stop,
            times_s=segment.times_s,
            queries=first_queries,
            later_queries=later_queries,
            reason_queries=self.make_reason_queries(segment, text_contexts),
            frame_numbers={entry.text.text: _frame_numbers(segment, entry.key_frames) for entry in text_contexts},
            drafts=draft_evidence(segment, text_contexts, queries) if with_evidence else {},
            priorities=priorities,
        )

    def _above(self, segment: Segment, priorities: Mapping[str, SegmentPriorities]) -> Sequence[str]:
        above = self._settings.gate.above if self._settings.gate else 0.0
        return [text for text, rated in priorities.items() if rated.combined > above]

    def _encode(self, crops: Iterable[Crop]) -> None:
        """Encode crops in one call; the caching encoder keeps the vectors for ``select`` and ``build``."""
        if self._encoder and (batch := list(crops)):
            self._encoder.encode_crops(batch)

    def group_size(self, segment: Segment) -> int:
        """Return the segments per pass: as many as have frames for one batch of the encoder.

        Their images take at most a quarter of the look-ahead; a live segment does not wait for others.
        """
        if self._encoder is None or segment.video.live:
            return 1
        by_bytes = self._settings.lookahead_bytes // 4 // _frame_bytes(segment)
        return max(1, min(self._encoder.batch_size // len(segment.frames), by_bytes))


def _frame_bytes(segment: Segment) -> int:
    return sum(frame.image.nbytes for frame in segment.frames)


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
