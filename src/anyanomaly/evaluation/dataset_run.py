"""Run one configuration over the videos of a dataset."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Any, cast

from anyanomaly.api.activity import Times
from anyanomaly.api.dataset import Dataset, Survey
from anyanomaly.api.options import Options
from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.config.model import RunConfig, RunOptions, check_texts
from anyanomaly.engine.clock import Clock
from anyanomaly.engine.plan import Source
from anyanomaly.engine.run_report import RunReport
from anyanomaly.engine.writing import Outcome
from anyanomaly.errors import BackendError, DatasetError, UsageError
from anyanomaly.evaluation.alignment import select_classes, texts_of
from anyanomaly.evaluation.result import AnswerCounts, DatasetSelection
from anyanomaly.evaluation.scores import ScoredRun, ScoreTable
from anyanomaly.evaluation.truth import ground_truth
from anyanomaly.registry import Registry
from anyanomaly.types import LabelledVideo, Notice, SegmentScore

MAX_FAILURES = 2
"""After failures at this many videos in a row, the backend is taken to be broken, and the run fails."""


def load_survey(selection: DatasetSelection, registry: Registry) -> Survey:
    """Return the videos of a dataset, and findings on missing or invalid files.

    :raises DatasetNotFound: when it is missing, with where to get it.
    :raises DatasetError: when it has no videos, or two of the same name.
    :raises UsageError: for an unknown dataset or option.
    :raises MissingRequirement: when something that it requires is not installed.
    """
    spec = registry.find("dataset", selection.name)
    registry.check_requirements(spec)
    with cast("Dataset[Options]", registry.create(spec, selection.options)) as dataset:
        survey = dataset.survey()
    ids = [video.id for video in survey.videos]
    if not ids:
        reasons = " ".join(finding.message for finding in survey.findings)
        raise DatasetError(f"Dataset '{selection.name}' has no usable videos. {reasons}".strip())
    if duplicates := sorted({id for id in ids if ids.count(id) > 1}):
        raise DatasetError(f"Dataset '{selection.name}' has two videos of the name '{duplicates[0]}'.")
    return survey


class DatasetRun:
    """A run over the videos of a dataset. Iterate ``run`` to its end, then read ``scored_run``.

    A video at which the backend fails is skipped; its answers so far stay in the answer store.
    """

    def __init__(
        self,
        config: RunConfig,
        registry: Registry,
        videos: Sequence[LabelledVideo],
        classes: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        """:param classes: to run; empty: all. :param clock: measures the stages of the run; None: nothing does.

        :raises UsageError: when a setting is invalid, settings conflict, or the dataset has no such class.
        :raises MissingRequirement: when something that a component requires is not installed.
        :raises DatasetError: when two videos of the dataset are the same file.
        """
        if config.run.section != RunOptions().section:
            raise UsageError(
                "A dataset is run in full, because labels belong to whole videos. Omit 'start' and 'stop'."
            )
        names = select_classes(videos, classes)
        self._texts = {video.id: texts for video in videos if (texts := texts_of(video, names))}
        self._videos = selected = [video for video in videos if video.id in self._texts]
        uris = tuple(video.uri for video in selected)
        if len(set(uris)) < len(uris):
            duplicate = next(uri for uri in uris if uris.count(uri) > 1)
            raise DatasetError(f"Two videos of the dataset are the same file: {duplicate}.")
        all_texts = tuple(dict.fromkeys(text for texts in self._texts.values() for text in texts))
        check_texts(all_texts)
        config = config.model_copy(update={"texts": all_texts, "videos": uris})
        self.pipeline = Pipeline(config, registry, ids={video.uri: video.id for video in selected}, clock=clock)
        self._header: dict[str, Any] = {}
        self._table = ScoreTable()
        self._totals = RunReport()  # counts over all runs
        self._problems: list[str] = []
        self._notes: list[str] = []

    @property
    def n_frames(self) -> int | None:
        """Frames of the opened videos times their texts; None before the run begins, or when no length is known."""
        lengths = [(video.n_frames, len(self._texts[video.id])) for _, video in self.pipeline.sources]
        return sum((n_frames or 0) * n_texts for n_frames, n_texts in lengths) or None

    @property
    def scored_run(self) -> ScoredRun:
        """The scores so far, with problems and counts."""
        counts = self._totals.n_asked, self._totals.n_reused, self._totals.n_unreadable
        answers = AnswerCounts(*counts, self.pipeline.outputs.mean_mass)
        notes = tuple(dict.fromkeys(self._notes))
        return ScoredRun(self._header, self._table, notes, tuple(self._problems), answers)

    def run(self) -> Generator[Outcome, None, None]:
        """Yield the outcomes of the run, videos of the same texts together.

        :raises BackendError: when the backend fails at several videos in a row.
        :raises VideoError: when no video can be opened.
        """
        with self.pipeline:
            self._header = self.pipeline.header()  # fingerprints need loaded models
            rule = self.pipeline.settings.gate
            if rule and rule.budget:
                yield from self._run_all()
            else:
                groups: dict[tuple[str, ...], list[Source]] = {}
                for source in self.pipeline.sources:
                    groups.setdefault(self._texts[source[1].id], []).append(source)
                for texts, sources in groups.items():
                    yield from self._run_group(texts, sources)
            for truth in ground_truth(self._table, self._videos):
                self.pipeline.outputs.write(truth)
            messages = [problem.message for problem in self.pipeline.report.problems]
            self._problems = list(dict.fromkeys([*messages, *self._problems]))

    @property
    def backend_times(self) -> Times:
        """How long the backend answered so far, and how long of that it waited for queries."""
        return self._totals.backend_times

    def check_readable(self) -> None:
        """:raises BackendError: when the fraction of unreadable answers is above the run's limit."""
        self._totals.check_readable(self.pipeline.settings.max_unreadable)

    def _run_all(self) -> Iterator[Outcome]:
        """Run all videos in one run, because the budget is of all of them; it leaves out a video that fails itself."""
        settings = replace(self.pipeline.settings, texts_by_video=self._texts, max_unreadable=1.0)
        try:
            for outcome in self.pipeline.run(self.pipeline.sources, settings, is_repeatable=True):
                if isinstance(outcome, SegmentScore):
                    self._table.add_score(outcome)
                yield outcome
        finally:
            self._count(self.pipeline.report)

    def _run_group(self, texts: tuple[str, ...], sources: Sequence[Source]) -> Iterator[Outcome]:
        """Run videos of the same texts: all in one stream, and one by one after the backend failed."""
        settings = replace(self.pipeline.settings, texts=texts, max_unreadable=1.0)
        remaining, one_by_one, n_failures = list(sources), False, 0
        while remaining:
            batch = remaining[:1] if one_by_one else remaining
            finished: set[str] = set()
            try:
                for outcome in self.pipeline.run(batch, settings, is_repeatable=True):
                    if isinstance(outcome, SegmentScore):
                        self._table.add_score(outcome)
                    yield outcome
                finished = {video.id for _, video in batch}
                n_failures = 0
            except BackendError as error:
                finished = set(self.pipeline.report.finished_videos)
                if one_by_one:
                    n_failures += 1
                    if n_failures == MAX_FAILURES:
                        raise
                    (failed,) = (video.id for _, video in batch)
                    problem = f"Video '{failed}' is skipped: {error}"
                    self._problems.append(problem)
                    self.pipeline.outputs.write_notices([Notice(failed, problem)])
                    self._table.remove(failed)
                    finished = {failed}
                one_by_one = True
            finally:
                self._count(self.pipeline.report)
            remaining = [source for source in remaining if source[1].id not in finished]

    def _count(self, report: RunReport) -> None:
        self._notes += [notice.message for notice in report.notices]
        self._totals.n_pairs += report.n_pairs
        self._totals.n_unasked += report.n_unasked
        self._totals.n_asked += report.n_asked
        self._totals.n_reused += report.n_reused
        self._totals.backend_times = self._totals.backend_times.plus(report.backend_times)
        self._totals.n_answers += report.n_answers
        self._totals.n_unreadable += report.n_unreadable
        self._totals.unreadable_example = self._totals.unreadable_example or report.unreadable_example
