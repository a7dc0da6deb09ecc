"""Tables as Markdown, CSV and LaTeX."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

from anyanomaly.bench.tables import Figure, ResultTable

NONE = "-"


def markdown(table: ResultTable) -> str:
    """Return the table in Markdown: value [95 % interval] (difference to the published one)."""
    lines = [[table.rows, "figures", *table.columns]]
    before = ""
    for line in table.lines:
        lines.append([line.row if line.row != before else "", line.source, *map(_plain, line.figures)])
        before = line.row
    return _markdown(lines)


def markdown_rows(rows: Sequence[Mapping[str, str]]) -> str:
    """Return rows of the same keys as a Markdown table."""
    return _markdown([list(rows[0]), *(list(row.values()) for row in rows)])


def comma_separated(table: ResultTable) -> str:
    """Return a line of CSV for each figure, in full precision."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["row", "column", "source", "value", "low", "high", "difference"])
    for line in table.lines:
        for column, figure in zip(table.columns, line.figures, strict=True):
            if isinstance(figure, Figure):
                bounds = figure.interval or ("", "")
                difference = "" if figure.difference is None else figure.difference
                writer.writerow([line.row, column, line.source, figure.value, *bounds, difference])
            elif figure is not None:
                writer.writerow([line.row, column, line.source, figure, "", "", ""])
    return out.getvalue()


def latex(table: ResultTable) -> str:
    """Return the table in LaTeX; it wants the package booktabs."""
    lines = [
        r"\begin{table}",
        r"\centering\small",
        rf"\caption{{{_tex(table.title)}. AUC in \%: value, 95\,\% interval, difference to the published figure.}}",
        rf"\begin{{tabular}}{{ll{'r' * len(table.columns)}}}",
        r"\toprule",
        " & ".join([_tex(table.rows), "figures", *map(_tex, table.columns)]) + r" \\",
    ]
    before = None
    for line in table.lines:
        if line.row != before:
            lines.append(r"\midrule")
        row = _tex(line.row) if line.row != before else ""
        lines.append(" & ".join([row, _tex(line.source), *map(_tex_figure, line.figures)]) + r" \\")
        before = line.row
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}"]) + "\n"


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    cells = [[each.replace("|", "\\|") for each in line] for line in lines]
    rows = [cells[0], ["---"] * len(cells[0]), *cells[1:]]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _value(figure: Figure) -> str:
    return f"{figure.value:.{figure.digits if figure.value < 1000 else 0}f}"


def _plain(figure: Figure | str | None) -> str:
    if not isinstance(figure, Figure):
        return figure or NONE
    digits = figure.digits
    interval = "" if figure.interval is None else f" [{figure.interval[0]:.{digits}f}, {figure.interval[1]:.{digits}f}]"
    difference = "" if figure.difference is None else f" ({figure.difference:+.{digits}f})"
    return f"{_value(figure)}{interval}{difference}"


def _tex_figure(figure: Figure | str | None) -> str:
    if not isinstance(figure, Figure):
        return _tex(figure or "--")
    digits = figure.digits
    interval = (
        ""
        if figure.interval is None
        else rf" {{\scriptsize[{figure.interval[0]:.{digits}f}, {figure.interval[1]:.{digits}f}]}}"
    )
    difference = "" if figure.difference is None else rf" {{\scriptsize(${figure.difference:+.{digits}f}$)}}"
    return f"{_value(figure)}{interval}{difference}"


def _tex(text: str) -> str:
    named = {"\\": r"\textbackslash{}", "·": r"$\cdot$", "×": r"$\times$", "~": r"\textasciitilde{}"}
    plain = "".join(f"\\{char}" if char in "&%$#_{}" else named.get(char, char) for char in text)
    return plain.replace("^", r"\textasciicircum{}")
