"""``anyanomaly eval --budget-curve``: what a stored run costs in accuracy when it asks less."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyanomaly.cli.call import Call, FlagValues
from anyanomaly.cli.curve_tables import HEAD, MAX_LOST, cost_panels, curve_rows, explain, lost_rows, summary
from anyanomaly.cli.dataset_flags import select_dataset
from anyanomaly.cli.output import print_json, print_line, print_message, print_table, print_text
from anyanomaly.cli.progress import show_bar
from anyanomaly.cli.run_flags import config_tables
from anyanomaly.config.files import find_file, read_file
from anyanomaly.errors import InputError, UsageError
from anyanomaly.outside_text import json_text

if TYPE_CHECKING:
    from anyanomaly.config.model import RunConfig
    from anyanomaly.evaluation.curve_result import BudgetCurve
    from anyanomaly.evaluation.replay_budget import Saving
    from anyanomaly.evaluation.scores import ScoredRun

_PICTURES = (".png", ".svg", ".pdf")
_SUFFIXES = (".json", ".html", *_PICTURES)
_SAVING = ("gate_rule", "gate_above", "clear_below", "clear_above")


def is_curve_setting(path: Sequence[str]) -> bool:
    """Return whether a flag says what is replayed, and not how the scores are measured."""
    return path[0] in ("gate", "gates") or (path[0] == "run" and path[1] in _SAVING)


def check_output(path: str) -> None:
    """:raises UsageError: when a curve cannot be written to a file of this name."""
    if not path.lower().endswith(_SUFFIXES):
        raise UsageError(
            f"-o {path}: a budget curve is a {', '.join(_SUFFIXES[:-1])} or {_SUFFIXES[-1]} file. Name one."
        )


def draw_curve(
    call: Call, flag_values: FlagValues, dataset: str, scores: Sequence[str], as_json: bool, stack: contextlib.ExitStack
) -> int:
    """Replay stored scores, print the curve, and return the exit code.

    :param stack: closes the result files; they are locked from the start.
    :raises UsageError: for flags that do not fit, and scores that are not those of a full run.
    """
    from anyanomaly.api.safe_file import SafeFile, check_distinct
    from anyanomaly.evaluation.budget_curve import CurvePlan, budget_curve, keep_selection
    from anyanomaly.evaluation.dataset_run import load_survey
    from anyanomaly.evaluation.gate_priorities import GateSource, gate_priorities
    from anyanomaly.evaluation.replay_budget import pairs_of
    from anyanomaly.evaluation.score_settings import override_settings
    from anyanomaly.evaluation.scores import read_scores
    from anyanomaly.metrics.frame_metrics import sklearn_metrics

    sklearn_metrics()
    outputs = flag_values.get(("output",), [])
    for path in outputs:
        check_output(path)
    check_distinct(outputs, scores)
    files = [stack.enter_context(SafeFile(path)) for path in outputs]
    selection = select_dataset(flag_values, dataset)
    survey = load_survey(selection, call.registry)
    check_distinct(outputs, [path for video in survey.videos for path in (video.uri, video.label_file)])
    settings = {
        path: value
        for path, value in flag_values.items()
        if path[0] not in ("dataset", "texts", "output") and not is_curve_setting(path)
    }
    config_file = find_file(call.config_file) if call.config_file else None
    layer = read_file(config_file, call.registry) if config_file else None
    stored = read_scores(scores)
    run = keep_selection(override_settings(stored, config_tables(settings), layer), survey, selection)
    config, names, is_stored = _choose_gates(stored, flag_values)
    saving = _choose_saving(config, flag_values)
    from anyanomaly.engine.settings import GateRule

    with show_bar(call, "videos") as update:
        source = GateSource(config, call.registry, survey.videos, update)
        rule = GateRule(saving.mode, saving.above)
        priorities = gate_priorities(pairs_of(run.table), names, rule, source, stored=is_stored)
    curve = budget_curve(run, survey, selection, call.registry, CurvePlan(priorities, saving))
    try:
        for file in files:  # before printing: standard output may be closed
            file.write(_render(curve, file.path))
            file.close()
    finally:
        if as_json:
            print_json(curve.to_json())
        else:
            _print_curve(curve)
    if not call.quiet:
        for note in curve.notes:
            print_message(f"anyanomaly: {note}")
    for problem in curve.problems:
        print_message(f"anyanomaly: {problem}")
    return InputError.exit_code if curve.problems else 0


def _choose_gates(stored: ScoredRun, flag_values: FlagValues) -> tuple[RunConfig, list[str], bool]:
    """Return the settings of the stored run with the gates to replay, their names, and whether they are the run's."""
    from anyanomaly.config.model import RunConfig

    own = {key: value for key, value in stored.header["config"].items() if key not in ("videos", "sink", "texts")}
    gates = list(own.get("gates", ()))
    names = list(flag_values.get(("gates",), gates))
    options: dict[str, Mapping[str, Any]] = {name: dict(table) for name, table in own.get("gate", {}).items()}
    changed = False
    for path, value in flag_values.items():
        if path[0] == "gate":
            table = options.get(path[1], {})
            changed |= path[1] not in gates or table.get(path[2]) != value
            options[path[1]] = {**table, path[2]: value}
    config = RunConfig.model_validate({**own, "gates": tuple(names), "gate": options})
    return config, names, not changed and set(names) <= set(gates)


def _choose_saving(config: RunConfig, flag_values: FlagValues) -> Saving:
    """Return what is saved: the flags over the settings of the stored run.

    :raises UsageError: when the limits of a clear score overlap, or the stored run did not ask what they need.
    """
    from anyanomaly.assemble.run_settings import clear_rule
    from anyanomaly.evaluation.replay_budget import Saving

    flags = {path[1]: value for path, value in flag_values.items() if path[0] == "run" and path[1] in _SAVING}
    run = config.run.model_copy(update=flags)
    own, clear = clear_rule(config.run), clear_rule(run)
    if own and (clear is None or clear.below < own.below or clear.above > own.above):
        raise UsageError(
            "The run of the scores asked only about the first context where its score was clear, so other limits must "
            f"leave out at least as much: --clear-below at least {own.below:g}, --clear-above at most {own.above:g}."
        )
    return Saving(None, run.gate_rule, run.gate_above, clear)


def _print_curve(curve: BudgetCurve) -> None:
    print_line(summary(curve))
    print_line("")
    print_table([list(HEAD), *curve_rows(curve)])
    print_line("")
    for line in explain(curve):
        print_text(line)
    head, rows = lost_rows(curve)
    if not rows:
        print_line("\nNo gate loses an event of the full run.")
        return
    print_text("\nEvents of the full run that a gate loses, with the largest budget at which it does:\n")
    print_table([head, *rows[:MAX_LOST]])
    if len(rows) > MAX_LOST:
        print_line(f"and {len(rows) - MAX_LOST} more: -o FILE.json has all.")


def _render(curve: BudgetCurve, path: Path) -> str | bytes:
    """Return the content of a file: JSON, a picture or a page."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return json_text(curve.to_json(), indent=1) + "\n"
    from anyanomaly.plots.cost_curves import draw_costs

    title = f"{curve.dataset.name}: what a run loses when it asks less"
    panels = cost_panels(curve)
    if suffix in _PICTURES:
        return draw_costs(panels, title, suffix[1:])
    from anyanomaly.pages.environment import render_page
    from anyanomaly.pages.text import data_uri

    head, rows = lost_rows(curve)
    return render_page(
        "curve.html.j2",
        title=title,
        subtitle=summary(curve),
        picture=data_uri("image/svg+xml", draw_costs(panels, title, "svg")),
        description="Event recall, AUC and false alarms per hour against the share of questions, a curve per gate; "
        "the first table has the same figures.",
        tables=[
            {"title": "Figures", "head": HEAD, "rows": curve_rows(curve), "empty": ""},
            {
                "title": "Events of the full run that a gate loses, with the largest budget at which it does",
                "head": head,
                "rows": rows,
                "empty": "No gate loses an event of the full run.",
            },
        ],
        notes=[*explain(curve), *curve.notes, *curve.problems],
    )
