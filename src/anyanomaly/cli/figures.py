"""The result of an evaluation as tables for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anyanomaly.cli.output import print_line, print_table, print_text

if TYPE_CHECKING:
    from anyanomaly.evaluation.result import (
        ClassResult,
        Comparison,
        EvaluationResult,
        MeanResult,
        ProtocolResult,
    )
    from anyanomaly.metrics.resampling import Interval

INTERVAL_NOTE = (
    "[95 % bootstrap interval over videos]; null AUC: mean of the same protocol on circularly shifted labels "
    "(their 95 % quantile)."
)
ORACLE_NOTE = "paper-oracle: sigma and weights were searched on the labels under test, which inflates the AUC."
MACRO_NOTE = "macro: mean over videos that have both labels; padded: over all, each with a 0 and a 1 appended."


def print_figures(result: EvaluationResult) -> None:
    """Print the AUC of each class under each protocol, then further figures of the first protocol."""
    protocols = {name: protocol for name, protocol in result.protocols.items() if protocol.classes}
    class_names = list(dict.fromkeys(name for protocol in protocols.values() for name in protocol.classes))
    rows = [["AUC in %", *protocols]]
    rows += [
        [name, *(_format_auc(protocol.classes.get(name)) for protocol in protocols.values())] for name in class_names
    ]
    if len(class_names) > 1:
        rows.append(["mean", *(_format_auc(protocol.mean) for protocol in protocols.values())])
    rows.append(["null AUC", *(_format_null(protocol.mean) for protocol in protocols.values())])
    print_table(rows)
    print_text(f"\n{INTERVAL_NOTE}")
    if "paper-oracle" in protocols:
        print_line(ORACLE_NOTE)
    if protocols:
        _print_details(*next(iter(protocols.items())))


def print_comparison(comparison: Comparison) -> None:
    """Print the paired comparison with another run."""
    differences = {**comparison.classes, "mean": comparison.mean}
    rows = [["AUC minus the other's", "difference", "95 % interval", "p"]]
    for name, entry in differences.items():
        rows.append([name, f"{100 * entry.difference:+.2f}", _format_bounds(entry.interval, "+.2f"), f"{entry.p:.3f}"])
    print_line("")
    print_table(rows)


def _print_details(protocol_name: str, protocol: ProtocolResult) -> None:
    columns = ("frames", "positive", "macro", "padded", "AP", "EER", "best F1", "events", "delay s", "false/h")
    rows = [[protocol_name, *columns]]
    for name, entry in protocol.classes.items():
        fractions = (entry.macro_auc, entry.macro_auc_padded, entry.ap, entry.eer, entry.best_f1)
        row = [name, str(entry.n_frames), str(entry.n_positive), *map(_format_percent, fractions)]
        if entry.events is not None:
            events = entry.events
            row.append(f"{events.n_detected}/{events.n_labelled}")
            row += [_format_number(value) for value in (events.mean_delay_s, events.false_alarms_per_hour)]
        rows.append(row + [""] * (len(rows[0]) - len(row)))
    print_line("")
    print_table(rows)
    print_text(f"\n{MACRO_NOTE}")


def _format_auc(entry: ClassResult | MeanResult | None) -> str:
    if entry is None or entry.auc is None:
        return "-"
    return f"{100 * entry.auc:.1f} {_format_bounds(entry.interval, '.1f')}"


def _format_null(mean: MeanResult | None) -> str:
    return "-" if mean is None else f"{_format_percent(mean.null_auc)} ({_format_percent(mean.null_auc_95)})"


def _format_bounds(bounds: Interval | None, number_format: str) -> str:
    """Return bounds in percent."""
    return "[-]" if bounds is None else f"[{100 * bounds[0]:{number_format}}, {100 * bounds[1]:{number_format}}]"


def _format_percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.1f}"


def _format_number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
