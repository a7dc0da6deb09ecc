"""Tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from anyanomaly.bench.tables import Entry, Figure, ResultTable
from anyanomaly.outside_text import terminal_line
from anyanomaly.results.csv_cells import csv_text

NOTHING = "-"


def markdown(table: ResultTable) -> str:
    """Return the table in Markdown: value [95 % interval] (difference to the published one)."""
    lines = [[escape_markdown(text) for text in (table.rows, "figures", *table.columns)]]
    row_above = ""
    for line in table.lines:
        label = line.row if line.row != row_above else ""
        lines.append([escape_markdown(label), line.source, *map(_markdown_entry, line.entries)])
        row_above = line.row
    return _markdown(lines)


def markdown_rows(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of the same keys as a Markdown table."""
    return _markdown([[escape_markdown(text) for text in line] for line in (rows[0], *(row.values() for row in rows))])


def comma_separated(table: ResultTable) -> str:
    """Return a line of CSV for each figure, in full precision, and for each word."""
    rows: list[list[str | float | None]] = [
        ["row", "column", "source", "value", "low", "high", "difference", "mark"],
    ]
    for line in table.lines:
        for column, entry in zip(table.columns, line.entries, strict=True):
            if isinstance(entry, Figure):
                bounds = entry.interval or (None, None)
                rows.append([line.row, column, line.source, entry.value, *bounds, entry.difference, entry.mark])
            elif entry:
                rows.append([line.row, column, line.source, entry, None, None, None, None])
    return csv_text(rows)


def latex(table: ResultTable) -> str:
    """Return the table in LaTeX; it needs the package booktabs."""
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{_latex_caption(table)}}}",
        rf"\begin{{tabular}}{{ll{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join([escape_latex(table.rows), "figures", *map(escape_latex, table.columns)]) + r" \\",
    ]
    row_above = None
    for line in table.lines:
        if line.row != row_above:
            lines.append(r"\midrule")
        label = escape_latex(line.row) if line.row != row_above else ""
        lines.append(" & ".join([label, escape_latex(line.source), *map(_latex_entry, line.entries)]) + r" \\")
        row_above = line.row
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def escape_markdown(text: str) -> str:
    """Return a text from outside as one line of Markdown that shows it as it is, in a table too."""
    return re.sub(r"[\\`*\[\]<>|~$]|(?<!\w)_|_(?!\w)|&(?=[#\w])", r"\\\g<0>", terminal_line(text))


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    rows = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _markdown_entry(entry: Entry) -> str:
    if not isinstance(entry, Figure):
        return NOTHING if entry is None else escape_markdown(entry)
    interval = f" [{_interval(entry)}]" if entry.interval else ""
    difference = "" if entry.difference is None else f" ({entry.difference:+.{entry.digits}f})"
    return f"{_value(entry)}{escape_markdown(entry.mark)}{interval}{difference}"


def _latex_entry(entry: Entry) -> str:
    if not isinstance(entry, Figure):
        return "--" if entry is None else escape_latex(entry)
    mark = f"$^{{{escape_latex(entry.mark).replace('$', '')}}}$" if entry.mark else ""
    interval = rf" {{\scriptsize[{_interval(entry)}]}}" if entry.interval else ""
    difference = "" if entry.difference is None else rf" {{\scriptsize(${entry.difference:+.{entry.digits}f}$)}}"
    return f"{_value(entry)}{mark}{interval}{difference}"


def _latex_caption(table: ResultTable) -> str:
    parts = ["value", r"95\,\% interval"]
    if any(figure.difference is not None for figure in table.figures):
        parts.append("difference to the published figure")
    remarks = "".join(f" {escape_latex(remark)}." for remark in table.legend)
    return rf"{escape_latex(table.title)}. AUC in \%: {', '.join(parts)}.{remarks}"


def _value(figure: Figure) -> str:
    return f"{figure.value:.{figure.digits if figure.value < 1000 else 0}f}"


def _interval(figure: Figure) -> str:
    assert figure.interval is not None  # asked for only then
    low, high = figure.interval
    return f"{low:.{figure.digits}f}, {high:.{figure.digits}f}"


def escape_latex(text: str) -> str:
    commands = {
        "\\": r"\textbackslash{}",
        "·": r"$\cdot$",
        "×": r"$\times$",
        "†": r"$\dagger$",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
    }
    return "".join(f"\\{char}" if char in "&%$#_{}" else commands.get(char, char) for char in terminal_line(text))
