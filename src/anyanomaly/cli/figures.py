"""What was measured, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from anyanomaly.cli.output import print_table

if TYPE_CHECKING:
    from anyanomaly.evaluation.dataset_run import Evaluated

ORACLE = "paper-oracle: sigma and weights were searched on the labels under test, which inflates."


def print_figures(evaluated: Evaluated) -> None:
    """Print AUC per class and protocol, then what else there is of the first protocol."""
    protocols: Mapping[str, Any] = evaluated.result["protocols"]
    names = [name for name, found in protocols.items() if found["classes"]]
    classes = list(dict.fromkeys(each for name in names for each in protocols[name]["classes"]))
    rows = [["AUC in %", *names]]
    rows += [[each, *(_area(protocols[name]["classes"].get(each)) for name in names)] for each in classes]
    if len(classes) > 1:
        rows.append(["mean", *(_area(protocols[name]["mean"]) for name in names)])
    rows.append(["floor", *(_floor(protocols[name]["mean"]) for name in names)])
    print_table(rows)
    print("\n[95 % interval over videos]; floor: mean of the same protocol on shifted labels (95 % of them below).")
    if "paper-oracle" in names:
        print(ORACLE)
    if names:
        _print_details(names[0], protocols[names[0]]["classes"])


def print_differences(found: Mapping[str, Any]) -> None:
    """Print the paired comparison with another run."""
    rows = [["AUC less the other's", "difference", "95 % interval", "p"]]
    for name, each in [*found["classes"].items(), ("mean", found["mean"])]:
        rows.append([name, f"{100 * each['difference']:+.2f}", _bounds(each["interval"], "+.2f"), f"{each['p']:.3f}"])
    print()
    print_table(rows)


def _print_details(protocol: str, classes: Mapping[str, Any]) -> None:
    columns = ("frames", "positive", "macro", "padded", "AP", "EER", "best F1", "events", "late s", "false/h")
    rows = [[protocol, *columns]]
    for name, each in classes.items():
        shares = [each[key] for key in ("macro_auc", "macro_auc_padded", "ap", "eer", "best_f1")]
        row = [name, str(each["frames"]), str(each["positives"]), *(_number(value, "{:.1%}")[:-1] for value in shares)]
        if events := each.get("events"):
            row.append(f"{events['found']}/{events['labelled']}")
            row += [_number(events[key], "{:.1f} ")[:-1] for key in ("mean_delay_s", "false_alarms_per_hour")]
        rows.append(row + [""] * (len(rows[0]) - len(row)))
    print()
    print_table(rows)
    print("\nmacro: mean over videos that have both labels; padded: over all, each with a 0 and a 1 appended.")


def _area(found: Mapping[str, Any] | None) -> str:
    if found is None or found["auc"] is None:
        return "-"
    return f"{100 * found['auc']:.1f} {_bounds(found['interval'], '.1f')}"


def _floor(found: Mapping[str, Any]) -> str:
    return f"{_number(found['floor'], '{:.1%}')[:-1]} ({_number(found['floor_95'], '{:.1%}')[:-1]})"


def _bounds(bounds: list[float] | None, form: str) -> str:
    return "[-]" if bounds is None else f"[{100 * bounds[0]:{form}}, {100 * bounds[1]:{form}}]"


def _number(value: float | None, form: str) -> str:
    return "- " if value is None else form.format(value)
