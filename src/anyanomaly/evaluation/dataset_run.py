"""One configuration over one data set: its videos run, their scores brought together with the labels, measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from anyanomaly.api.dataset import Dataset, Survey
from anyanomaly.api.options import Options
from anyanomaly.assemble.pipeline import Pipeline
from anyanomaly.config.model import RunConfig
from anyanomaly.core.events import EventRule
from anyanomaly.engine.plan import Source
from anyanomaly.engine.run import Outcome
from anyanomaly.errors import BackendError, DatasetError
from anyanomaly.evaluation.hardware import hardware_card
from anyanomaly.evaluation.scores import Scored, texts_of, wanted_classes, with_labels
from anyanomaly.metrics.protocols import PROTOCOLS
from anyanomaly.metrics.report import Report, as_json, evaluate
from anyanomaly.metrics.values import Mix
from anyanomaly.registry import Registry
from anyanomaly.types import LabelledVideo, SegmentScore, Timeline

MAX_FAILURES = 2
"""Videos in a row at which a backend fails: after that it is the backend, not the videos."""


@dataclass(slots=True)
class Answers:
    """How many questions were asked and answered, over all videos."""

    asked: int = 0
    reused: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class DatasetChoice:
    """A data set by name, its options, and which of its classes (none: all)."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()


def load_survey(choice: DatasetChoice, registry: Registry) -> Survey:
    """Return the videos of a data set, and what of it is missing or odd.

    :raises DatasetNotFound: when it is not there, with where to get it.
    :raises DatasetError: when it has no videos, or two of the same name.
    """
    spec = registry.find("dataset", choice.name)
    registry.check(spec)
    with cast("Dataset[Options]", registry.create(spec, choice.options)) as dataset:
        survey = dataset.survey()
    ids = [video.id for video in survey.videos]
    if not ids:
        reasons = " ".join(each.message for each in survey.findings)
        raise DatasetError(f"Data set '{choice.name}' has no videos that could be used. {reasons}".strip())
    if twice := sorted({id for id in ids if ids.count(id) > 1}):
        raise DatasetError(f"Data set '{choice.name}' has two videos of the name '{twice[0]}'.")
    return survey


class DatasetRun:
    """A configuration on its way over the videos of a data set.

    Iterate ``run``; ``header``, ``scored``, ``problems`` and ``answers`` follow along. A video at which the backend
    fails is left out and the next is taken; what was answered stays in the answer store.
    """

    def __init__(
        self, config: RunConfig, registry: Registry, videos: Sequence[LabelledVideo], classes: Sequence[str] = ()
    ) -> None:
        """:raises UsageError: when the configuration does not hold together, or for an unknown class."""
        self.classes = wanted_classes(videos, classes)
        asked = {video.id: texts for video in videos if (texts := texts_of(video, self.classes))}
        self._texts = asked
        self.videos = [video for video in videos if video.id in asked]
        texts = tuple(dict.fromkeys(text for each in asked.values() for text in each))
        uris = tuple(video.uri for video in self.videos)
        if len(set(uris)) < len(uris):
            twice = next(uri for uri in uris if uris.count(uri) > 1)
            raise DatasetError(f"The video file {twice} stands for two videos of the data set.")
        config = config.model_copy(update={"texts": texts, "videos": uris})
        self.pipeline = Pipeline(config, registry, ids={video.uri: video.id for video in self.videos})
        self.header: dict[str, Any] = {}
        self.scored = Scored()
        self.answers = Answers()
        self.problems: list[str] = []

    @property
    def n_frames(self) -> int | None:
        """The frames of the videos that could be opened, times their texts, once the run has begun; None: unknown."""
        lengths = [(video.n_frames, len(self._texts[video.id])) for _, video in self.pipeline.sources]
        return sum((n_frames or 0) * n_texts for n_frames, n_texts in lengths) or None

    def run(self) -> Iterator[Outcome]:
        """Yield what the runs yield.

        :raises BackendError: when the backend fails at several videos in a row.
        """
        with self.pipeline:
            self.header = self.pipeline.header()  # afterwards the models are gone, and with them their fingerprints
            groups: dict[tuple[str, ...], list[Source]] = {}
            for source in self.pipeline.sources:
                groups.setdefault(self._texts[source[1].id], []).append(source)
            for texts, sources in groups.items():
                yield from self._group(texts, sources)
            self.problems = list(dict.fromkeys([*self.pipeline.report.problems, *self.problems]))

    def check_readable(self) -> None:
        """:raises BackendError: when more answers than the run allows hold no score."""
        n_answers = self.answers.asked + self.answers.reused
        if self.answers.unreadable > self.pipeline.settings.max_unreadable * n_answers:
            raise BackendError(
                f"{self.answers.unreadable} of {n_answers} answers hold no score that can be read, so the figures say "
                f"little. Try --scoring expected, another prompt or model, or allow it with --max-unreadable 1."
            )

    def _group(self, texts: tuple[str, ...], sources: Sequence[Source]) -> Iterator[Outcome]:
        """Run videos of the same texts: all in one stream, and one by one after the backend failed."""
        settings = replace(self.pipeline.settings, texts=texts, max_unreadable=1.0)
        left, one_by_one, n_failures = list(sources), False, 0
        while left:
            batch = left[:1] if one_by_one else left
            done: set[str] = set()
            try:
                for outcome in self.pipeline.run(batch, settings):
                    if isinstance(outcome, SegmentScore):
                        self.scored.add_score(outcome)
                    elif isinstance(outcome, Timeline):
                        done.add(outcome.video.id)
                    yield outcome
                done = {video.id for _, video in batch}
                n_failures = 0
            except BackendError as error:
                if one_by_one:
                    n_failures += 1
                    if n_failures == MAX_FAILURES:
                        raise
                    (failed,) = (video.id for _, video in batch)
                    self.problems.append(f"Video '{failed}' is left out: {error}")
                    self.scored.drop(failed)
                    done = {failed}
                one_by_one = True
            finally:
                report = self.pipeline.report
                self.answers.asked += report.n_asked
                self.answers.reused += report.n_reused
                self.answers.unreadable += report.n_unreadable
            left = [source for source in left if source[1].id not in done]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """What was measured, and what of the data set could not be."""

    report: Report
    notes: list[str]
    problems: list[str]
    result: dict[str, Any]  # all of it, ready for JSON


def measure(
    header: Mapping[str, Any],
    scored: Scored,
    survey: Survey,
    choice: DatasetChoice,
    registry: Registry,
    protocols: Sequence[str] = PROTOCOLS,
) -> Evaluated:
    """Measure the scores of a run that ``header`` describes, against the labels of a data set.

    :raises DatasetError: when no class can be measured, with the reasons.
    """
    config = RunConfig.model_validate({**header["config"], "videos": (), "sink": ()})
    contexts = config.contexts
    run = config.run
    wanted = wanted_classes(survey.videos, choice.classes)
    classes, notes, problems = with_labels(scored, survey.videos, wanted, contexts, run.keep_tail)
    notes[:0] = [each.message for each in survey.findings if each.kind == "note"]
    problems[:0] = [each.message for each in survey.findings if each.kind == "error"]
    mix = run_mix(config, registry)
    rule = EventRule(run.threshold, run.merge_seconds, run.min_event_seconds)
    report = evaluate(classes, mix, rule, protocols)
    notes += report.notes
    if not report.classes:
        raise DatasetError(f"Nothing can be measured. {' '.join([*problems, *notes][:5])}")
    result = {
        "dataset": {"name": choice.name, "options": dict(choice.options), "classes": list(choice.classes)},
        "config": {key: value for key, value in header["config"].items() if key != "videos"},
        **{key: header.get(key) for key in ("versions", "encoder", "backend")},
        "hardware": hardware_card(),
        "videos": len({video.video for each in report.classes for video in each.videos}),
        "notes": notes,
        "problems": problems,
        "protocols": as_json(report),
    }
    return Evaluated(report, notes, problems, result)


def run_mix(config: RunConfig, registry: Registry) -> Mix:
    """Return the weights and the smoothing of a configuration."""
    weights = []
    for name in config.contexts:
        fields = registry.options_model(registry.find("context", name)).model_fields
        weights.append(float(config.context.get(name, {}).get("weight", fields["weight"].default)))
    run = config.run
    if run.smooth_frames is not None:
        return Mix(tuple(weights), run.smooth_frames, "frames")
    return Mix(tuple(weights), run.smooth_seconds, "seconds")
