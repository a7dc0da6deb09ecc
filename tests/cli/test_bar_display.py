"""The progress bar of commands whose work has one number."""

from __future__ import annotations

import pytest

from anyanomaly.cli.bar_display import BarDisplay
from tests.cli.terminal import run_in_terminal
from tests.cli.test_live_display import PARTS, WAITING
from tests.cli.test_run_display import new_console


@pytest.mark.parametrize(
    ("n_done", "n_total", "texts"),
    [
        (0, 4, ["cell [red]", " 0 %", "0 of 4 cells   0:00 running"]),
        (1.5, 4, ["cell [red]", " 37 %  0:00 left", "1.50 of 4 cells   0:00 running"]),
        (1234, None, ["cell [red]", "1,234 cells   0:00 running"]),
    ],
)
def test_what_is_done(n_done: float, n_total: float | None, texts: list[str]) -> None:
    display = BarDisplay(new_console(), "cells")
    display.update("cell [red]", n_done, n_total)
    lines = [line.plain for line in display.lines(79, 23)]
    assert [line.endswith(text) for line, text in zip(lines, texts, strict=True)] == [True] * len(texts)
    assert [len(line.plain) for line in display.lines(9, 1)] == [9]


def test_an_evaluation_shows_its_run(folder: object) -> None:
    command = ["-p", WAITING, "eval", "waiting", "--backend", "waiting", *PARTS]
    finished = run_in_terminal(
        command,
        meanwhile=lambda printed: "\x03" if "3 segments" in printed else None,
        WAIT_AT="answer",
        WAIT_FILE="place",
    )
    assert finished.code == 130
    assert "waiting for the model" in finished.printed
    counts, *last_lines = finished.screen.lines
    assert counts.endswith(" questions asked, 0 answers reused. Run the same command again to continue.")
    assert last_lines == ["anyanomaly: interrupted", ""]
