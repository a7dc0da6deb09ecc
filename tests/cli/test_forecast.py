"""``anyanomaly run`` says after its first answers how long it will take, where that is long and there is no GPU."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from anyanomaly.cli import forecast
from anyanomaly.cli.forecast import describe, duration_text
from anyanomaly.engine.forecast import Forecast
from tests.cli.conftest import Cli, Result
from tests.cli.slow_plugin import LATENCY_S

PLUGIN = str(Path(__file__).with_name("slow_plugin.py"))
N_SEGMENTS = 50
LINE = re.compile(r"anyanomaly: without a GPU, the rest takes about (\d+) s \((\d+) questions of ([\d.]+) s\)(.*)")


@pytest.fixture
def run(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Return a function that searches 50 segments with a slow backend, for which two seconds are long."""
    monkeypatch.setattr(forecast, "LONG_S", 1.0)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    (folder / "street.scene").write_text(str(8 * N_SEGMENTS))

    def search(*flags: str) -> Result:
        plain = ["--selector", "middle", "--context", "key", "--backend", "slow", "--encoder", "colour"]
        return cli(
            "-p", PLUGIN, *flags[:-1], "run", "street.scene", "-t", "red", *plain, "--segment-frames", "8", *flags[-1:]
        )

    return search


def test_one_line_tells_the_rest_of_a_long_run(run: Cli) -> None:
    lines = [match for line in run("--no-cache").err.splitlines() if (match := LINE.fullmatch(line))]
    ((seconds, n_questions, per_question, fast),) = [match.groups() for match in lines]
    assert 0 < int(n_questions) < N_SEGMENTS
    assert float(per_question) >= LATENCY_S
    assert abs(int(seconds) - int(n_questions) * float(per_question)) <= 1
    assert "--preset fast takes at most about" in fast or fast == "."


@pytest.mark.parametrize("flags", [["-q", "--no-cache"], ["--json"]])
def test_quiet_runs_and_programs_get_no_forecast(run: Cli, flags: list[str]) -> None:
    assert "without a GPU" not in run(*flags).err


def test_a_short_run_gets_none(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "LONG_S", 60.0)
    assert "without a GPU" not in run("--no-cache").err


def test_a_gpu_gets_none(run: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly.registry.auto.has_nvidia_gpu", lambda: True)
    assert "without a GPU" not in run("--no-cache").err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (89, "89 s"),
        (100, "2 min"),
        (45 * 60, "45 min"),
        (3 * 3600 + 17 * 60, "3 h 20 min"),
        (2 * 3600, "2 h"),
        (53 * 3600, "2 days 5 h"),
    ],
)
def test_durations_have_two_figures(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_savings_of_unknown_size_make_it_a_limit() -> None:
    assert describe(Forecast(180, 14.2, is_most=True), 540.0) == (
        "without a GPU, the rest takes at most about 43 min (at most 180 questions of 14.2 s); --preset fast takes at "
        "most about 9 min."
    )
