"""The priorities that gates give a stored run: from its results, or rated again from the videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from anyanomaly.assemble.gate_pass import GatePass
from anyanomaly.config.model import RunConfig
from anyanomaly.core.gate import GateMode
from anyanomaly.core.schedule import Pair
from anyanomaly.engine.settings import GateRule
from anyanomaly.errors import DatasetError, UsageError, VideoError
from anyanomaly.evaluation.replay_budget import Priorities
from anyanomaly.evaluation.scores import SegmentRow
from anyanomaly.registry import Registry
from anyanomaly.types import LabelledVideo

Progress = Callable[[str, int, int], None]
"""Receives the video that is rated, the videos that are done, and their number."""


@dataclass(frozen=True, slots=True)
class GateSource:
    """Where the priorities of gates come from when they are not in the results."""

    config: RunConfig  # of the stored run, with the gates to rate
    registry: Registry
    videos: Sequence[LabelledVideo]
    report: Progress = lambda name, n_done, n_total: None


def gate_priorities(
    rows: Mapping[Pair, SegmentRow], names: Sequence[str], rule: GateRule, source: GateSource, *, stored: bool
) -> dict[tuple[str, ...], Priorities]:
    """Return the priorities of each gate alone and, of several, of all together, by the names of the gates.

    :param rows: of the stored run. :param stored: whether the gates of the run are those of ``names``, so that stored
        priorities are used where they are complete.
    :raises UsageError: without a gate.
    :raises DatasetError: when a video that is to be rated is missing or differs from the one of the results.
    """
    if not names:
        raise UsageError(
            "A budget curve needs a gate that says where to ask first, and the scores were made without one. Add one: "
            "--gate motion"
        )
    priorities: dict[tuple[str, ...], Priorities] = {}
    together = tuple(names)
    of_run = {
        pair: {name: row.priorities[name] for name in names if name in row.priorities} for pair, row in rows.items()
    }
    missing = [name for name in names if not stored or not all(name in values for values in of_run.values())]
    alone = _rate(rows, missing, "or", rule, source) if missing else {}
    for name in names:
        table = alone if name in missing else of_run
        priorities[name,] = {pair: {name: values[name]} for pair, values in table.items()}
    if len(names) > 1:
        if rule.mode != "and":
            priorities[together] = {pair: {name: priorities[name,][pair][name] for name in names} for pair in rows}
        elif stored and source.config.run.gate_rule == "and" and all(of_run.values()):
            priorities[together] = of_run
        else:  # a gate rates only what the gates before it leave, so what it learns of the background differs
            priorities[together] = _rate(rows, names, "and", rule, source)
    return priorities


def _rate(
    rows: Mapping[Pair, SegmentRow], names: Sequence[str], mode: GateMode, rule: GateRule, source: GateSource
) -> dict[Pair, dict[str, float]]:
    """Return the priorities of gates, from the videos."""
    texts_by_video: dict[str, dict[str, None]] = {}
    for pair in rows:
        texts_by_video.setdefault(pair.video, {})[pair.text] = None
    uris = {video.id: video.uri for video in source.videos}
    if unknown := sorted(set(texts_by_video) - set(uris)):
        raise DatasetError(f"The dataset has no video '{unknown[0]}', which the scores have. Name the right dataset.")
    config = source.config.model_copy(
        update={"gates": tuple(names), "videos": tuple(uris[video] for video in texts_by_video), "texts": ()}
    )
    rated: dict[Pair, dict[str, float]] = {}
    with GatePass(config, source.registry) as gates:
        for number, (id, texts) in enumerate(texts_by_video.items()):
            source.report(id, number, len(texts_by_video))
            try:
                video = replace(gates.probe(uris[id]), id=id)
                for segment, of_texts in gates.rate(video, tuple(texts), GateRule(mode, rule.above)):
                    for text, values in of_texts.items():
                        rated[Pair(id, segment.index, text)] = dict(values.by_gate)
            except VideoError as error:
                if not any(pair.video == id for pair in rated):
                    raise DatasetError(f"Video '{id}' cannot be rated: {error}") from error
    if lacking := next((pair for pair in rows if pair not in rated), None):
        raise DatasetError(
            f"Video '{lacking.video}' has no segment {lacking.segment} any more, which the scores have. Use the videos "
            f"of the run, and its settings."
        )
    return {pair: rated[pair] for pair in rows}
