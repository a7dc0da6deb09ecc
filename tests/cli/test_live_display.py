"""The live display in a real terminal, and its absence where there is none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import PLUGIN
from tests.cli.terminal import COLOUR, Finished, run_in_terminal

WAITING = str(Path(__file__).with_name("waiting_plugin.py"))
PARTS = ["--selector", "middle", "--context", "key", "--segment-frames", "8", "--smooth-seconds", "0"]
RED = ["-p", PLUGIN, "run", "street.scene", "-t", "red", "--backend", "red", *PARTS]
WAIT = ["-p", WAITING, "run", "street.wait", "-t", "car", "--backend", "waiting", *PARTS]
EVENT = "1.00\t2.00\t1.000\tred\tIt is that red."
SUMMARY = "4 segments (32 frames); 2 questions asked, 2 answers reused; 1 event."
SCORES = f"red peak 1.00 at 0:01 {'▁' * 8}{'█' * 8}{'▁' * 16}"
CLOSING = ["Scores over time (▅ and higher reach the threshold 0.5):", SCORES, SUMMARY, ""]


@pytest.fixture(autouse=True)
def work(folder: Path) -> None:
    Path("street.wait").touch()


def run_stopped(stop: str | int) -> Finished:
    """Run the plugin that waits, and press keys or send a signal when the display shows the segments before that."""
    return run_in_terminal(
        WAIT,
        meanwhile=lambda printed: stop if "3 segments" in printed else None,
        WAIT_AT="answer",
        WAIT_FILE="place",
    )


def test_the_display_comes_and_goes_and_leaves_every_line_whole() -> None:
    finished = run_in_terminal(RED)
    assert finished.code == 0
    assert "waiting for the first score" in finished.printed
    assert finished.screen.lines == [EVENT.expandtabs(), *CLOSING]


def test_events_go_through_a_pipe_while_the_display_is_on_the_terminal() -> None:
    finished = run_in_terminal(RED, pipe_output=True)
    assert finished.piped == EVENT + "\n"
    assert "waiting for the first score" in finished.printed
    assert finished.screen.lines == CLOSING


@pytest.mark.parametrize(("stop", "code"), [("\x03", 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "sigterm"])
def test_a_stopped_run_removes_the_display_and_leaves_the_terminal_as_it_was(stop: str | int, code: int) -> None:
    finished = run_stopped(stop)
    assert finished.code == code
    assert " 60 %" in finished.printed
    assert "24 frames" in finished.printed
    assert " % waiting for the model" in finished.printed
    assert COLOUR.search(finished.printed)
    *above, summary, last, end = finished.screen.lines
    assert (last, end) == ("anyanomaly: interrupted", "")
    assert summary.startswith("3 segments (24 frames)")
    assert "waiting for the model" not in "".join(above)
    assert finished.screen.wraps
    assert "\x1b[?25" not in finished.printed  # the cursor is never hidden


def test_a_killed_run_leaves_a_terminal_that_works() -> None:
    finished = run_stopped(signal.SIGKILL)
    assert finished.code == -signal.SIGKILL
    assert finished.screen.lines[finished.screen.at[0] :] == [""]  # the prompt comes below the display
    assert finished.screen.at[1] == 0
    assert finished.screen.wraps


@pytest.mark.parametrize("fail", ["bug", "engine"])
def test_an_error_is_printed_where_the_display_was(fail: str) -> None:
    finished = run_in_terminal([*RED, "--no-cache", "--backend.fail", fail], columns=400)
    assert finished.code == 5
    assert finished.screen.lines[-2].startswith("anyanomaly: ")
    assert "waiting for" not in finished.screen.text
    assert finished.screen.wraps


def test_nothing_wraps_on_a_narrow_terminal() -> None:
    text = "[red]x[/red] :smile: 自転車に乗った人 🚲"
    finished = run_in_terminal([*RED, "-t", text, "--backend.words", "0.9"], columns=40, pipe_output=True)
    assert text in finished.piped
    *lines, summary, _ = finished.printed.rpartition("\x1b[J")[2].split("\r\n")
    assert lines[-1].startswith("[red]x[")
    assert finished.screen.n_wraps == (len(summary) - 1) // 40  # a sentence, which is as long as it is


def test_without_colour() -> None:
    finished = run_in_terminal(RED, NO_COLOR="1")
    assert not COLOUR.search(finished.printed)
    assert finished.screen.lines == [EVENT.expandtabs(), *CLOSING]


def test_a_terminal_without_block_characters() -> None:
    finished = run_in_terminal(RED, encoding="ascii")
    assert "waiting for the first score" in finished.printed
    assert finished.screen.lines[2].endswith(f" {'_' * 8}{'@' * 8}{'_' * 16}")


def test_a_dumb_terminal_gets_plain_text() -> None:
    assert run_in_terminal(RED, TERM="dumb").printed.splitlines() == [EVENT, SUMMARY]


def test_quiet_has_no_display() -> None:
    assert run_in_terminal(["-q", *RED]).printed.splitlines() == [EVENT]


def test_results_that_are_written_to_the_terminal_are_not_torn() -> None:
    finished = run_in_terminal([*RED, "--sink", "csv", "--sink.csv.path", "-"])
    assert finished.code == 0
    assert "\x1b" not in finished.printed


@pytest.mark.parametrize("colour", [{}, {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"}])
def test_without_a_terminal_there_are_no_control_characters(colour: dict[str, str]) -> None:
    command = [sys.executable, "-m", "anyanomaly", *RED]
    finished = subprocess.run(command, env={**os.environ, **colour}, capture_output=True, text=True, check=True)
    assert (finished.stdout, finished.stderr) == (EVENT + "\n", SUMMARY + "\n")
