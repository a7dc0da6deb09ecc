"""Faults planted on purpose, one kind per seed: a campaign that does not report them all judges nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from unittest import mock

from tests.campaign.classes import answers
from tests.campaign.stage import Stage

SEEDS = 8


def play(stage: Stage) -> str:
    """Plant the fault of this seed in the command line, and run as every case does."""
    faults = (_traceback, _hang, _exit_code, _wrong_result, _secret, _unasked_file, _child_left, _memory)
    return faults[stage.seed % SEEDS](stage)


def _planted(stage: Stage, entry: Callable[[], object], **settings: float) -> None:
    with mock.patch("anyanomaly.cli.entry", entry):
        stage.run("--version", **settings)  # type: ignore[arg-type]


def _traceback(stage: Stage) -> str:
    def entry() -> None:
        try:
            raise ValueError("a bug")
        except ValueError:
            sys.excepthook(*sys.exc_info())

    _planted(stage, entry)
    return "traceback"


def _hang(stage: Stage) -> str:
    _planted(stage, lambda: time.sleep(60), time_limit_s=0.5)
    return "hang"


def _exit_code(stage: Stage) -> str:
    _planted(stage, lambda: sys.exit(1))
    return "exit code"


def _wrong_result(stage: Stage) -> str:
    """Scores are rounded away in the result file: a class of real cases sees it."""
    with mock.patch("anyanomaly.builtin.json_lines.rounded_number", return_value=0.0):
        answers.play(stage)
    return "wrong result"


def _secret(stage: Stage) -> str:
    _planted(stage, lambda: print(os.environ["CAMPAIGN_KEY"]))
    return "leak"


def _unasked_file(stage: Stage) -> str:
    _planted(stage, lambda: open("canary", "w").close())
    return "leak"


def _child_left(stage: Stage) -> str:
    with mock.patch("tests.campaign.process.CHILDREN_END_S", 0.3):
        _planted(stage, lambda: os.posix_spawn("/bin/sleep", ["sleep", "60"], {}))
    return "hang"


def _memory(stage: Stage) -> str:
    _planted(stage, lambda: b"x" * (2200 << 20))
    return "memory"
