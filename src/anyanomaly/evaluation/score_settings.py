"""Change the settings of existing scores: those that apply after the answers; all others need a new run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from anyanomaly.config.load import Layer, merge_layers, setting_values
from anyanomaly.config.model import RunConfig, RunOptions
from anyanomaly.errors import UsageError
from anyanomaly.evaluation.scores import ScoredRun, ScoreTable, SegmentRow

RUN_SETTINGS = (
    "threshold",
    "smooth_seconds",
    "smooth_frames",
    "merge_seconds",
    "min_event_seconds",
    "keep_tail",
)
"""Settings of ``[run]`` that are used after the answers."""

_SCORES, _OVERRIDES = "scores", "overrides"  # origins of settings


def applies_to_scores(path: Sequence[str]) -> bool:
    """Return whether a setting can change when the scores exist.

    :param path: of the setting in a config file: ``("run", "threshold")``.
    """
    match path:
        case ["contexts"] | ["context", _, "weight"]:
            return True
        case ["run", name]:
            return name in RUN_SETTINGS
    return False


def override_settings(run: ScoredRun, tables: Mapping[str, Any], file: Layer | None = None) -> ScoredRun:
    """Return a run with other settings for the steps after the answers. Its notes list the changes.

    :param tables: settings as in a config file; they override those of ``file``.
    :param file: a config file that the user named. Settings in it that do not apply to scores are ignored; those that
        differ from the run's own are listed in a note.
    :raises UsageError: when a setting in ``tables`` does not apply to scores, when a context has no scores, or when
        ``keep_tail`` is set and the run did not score the tails.
    """
    before, after, notes = change_settings(run.header["config"], tables, file)
    table = run.table if after.run.keep_tail == before.run.keep_tail else _without_tails(run.table, after.run)
    config = after.model_dump(mode="json", exclude={"videos", "sink"})
    return replace(run, header={**run.header, "config": config}, table=table, notes=(*run.notes, *notes))


def change_settings(
    own_settings: Mapping[str, Any], tables: Mapping[str, Any], file: Layer | None = None
) -> tuple[RunConfig, RunConfig, list[str]]:
    """Return the settings of a run before and after a change of the steps after the answers, and notes on the change.

    :param own_settings: of the run, from its results. The other parameters and errors as `override_settings`.
    """
    own_settings = {key: value for key, value in own_settings.items() if key not in ("videos", "sink")}
    layers = [Layer(_SCORES, own_settings)]
    before = merge_layers(layers).config
    notes: list[str] = []
    if file is not None:
        usable, unused = _split(file.tables, before)
        layers.append(Layer(file.origin, usable))
        if unused:
            notes.append(
                f"The scores were made with other settings than {file.origin} has; not used: {', '.join(unused)}."
            )
    merged = merge_layers([*layers, Layer(_OVERRIDES, tables)])
    for setting, origin in merged.origins.items():
        path = setting.split(".")
        if origin == _OVERRIDES and path[0] == "context":
            _check_context(path[1], before)
        if origin == _OVERRIDES and not applies_to_scores(path):
            raise UsageError(f"{setting} does not apply to existing scores; omit it, or evaluate without scores.")
    after = merged.config
    _check(before, after)
    if changes := _list_changes(before, after):
        notes.append(f"Settings that differ from the run of the scores: {', '.join(changes)}.")
    return before, after, notes


def _split(tables: Mapping[str, Any], before: RunConfig) -> tuple[dict[str, Any], list[str]]:
    """Return the settings of a file that apply to scores, and the names of the others that differ from the run's."""
    usable: dict[str, Any] = {}
    unused: list[str] = []
    own_settings = before.model_dump(mode="json")
    for path, value in setting_values(tables):
        has_scores = path[0] != "context" or path[1] in before.contexts
        if applies_to_scores(path) and has_scores:
            table = usable
            for key in path[:-1]:
                table = table.setdefault(key, {})
            table[path[-1]] = value
        elif path[0] not in ("texts", "videos", "sink") and value != "auto" and value != _look_up(own_settings, path):
            unused.append(".".join(path))
    return usable, unused


def _look_up(tables: Any, path: Sequence[str]) -> Any:
    for key in path:
        tables = tables.get(key) if isinstance(tables, Mapping) else None
    return tables


def _check(before: RunConfig, after: RunConfig) -> None:
    for context in after.contexts:
        _check_context(context, before)
    if after.run.keep_tail and not before.run.keep_tail:
        raise UsageError(
            "The run did not score the tails of the videos, so keep_tail cannot be set for its scores. Omit it."
        )


def _check_context(context: str, before: RunConfig) -> None:
    if context not in before.contexts:
        raise UsageError(f"The scores have no context '{context}'. They have: {', '.join(before.contexts)}.")


def _list_changes(before: RunConfig, after: RunConfig) -> list[str]:
    def used_settings(config: RunConfig) -> dict[str, Any]:
        weights = {f"weight of {name}": config.context.get(name, {}).get("weight") for name in after.contexts}
        return {
            "contexts": list(config.contexts),
            **{name: getattr(config.run, name) for name in RUN_SETTINGS},
            **weights,
        }

    old_values = used_settings(before)
    return [
        f"{name} {_describe(value)} (was {_describe(old_values[name])})"
        for name, value in used_settings(after).items()
        if value != old_values[name]
    ]


def _describe(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "unset" if value is None else str(value)


def _without_tails(table: ScoreTable, run: RunOptions) -> ScoreTable:
    """Return the segments without the short one at the end of each video, as a run without tails has them."""
    full_segments = ScoreTable()
    for video, text in table.pairs():
        rows = table.rows(video, text)
        length = _full_length(rows, run)
        for row in rows:
            if row is not rows[-1] or row.stop - row.start >= length:
                full_segments.add(video, text, row)
    return full_segments


def _full_length(rows: Sequence[SegmentRow], run: RunOptions) -> int:
    """Return the frames of a full segment of one video."""
    if run.segment_seconds is None:
        return run.segment_frames
    if len(rows) > 1:
        return max(row.stop - row.start for row in rows)
    (row,) = rows
    fps = (row.stop - row.start) / max(row.stop_s - row.start_s, 1e-9)
    return max(1, round(run.segment_seconds * fps))
