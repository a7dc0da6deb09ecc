"""SIGINT, SIGTERM and SIGHUP end every command in order, wherever they meet it: real processes, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from anyanomaly.processes import descendants

PLUGIN = str(Path(__file__).with_name("waiting_plugin.py"))
PARTS = ["--backend", "waiting", "--selector", "middle", "--context", "key"]
SCORED = [*PARTS, "--segment-frames", "8"]
RUN = ["run", "street.wait", "-t", "car", "-o", "out.jsonl", *SCORED]
COMMANDS = {
    "run": RUN,
    "eval": ["eval", "waiting", *SCORED],
    "show": ["show", "street.wait", "-t", "car", "-d", "page", "--at", "4", *PARTS],
    "bench": ["bench", "recipe.toml", "-d", "results"],
    "check": ["plugins", "check", "backend:waiting"],
}
RECIPE = """
title = "A plugin that waits"
protocols = ["fixed"]
[config]
selector = "middle"
contexts = ["key"]
[config.run]
segment_frames = 8
[[backend]]
label = "waiting"
config.backend = "waiting"
[[dataset]]
name = "waiting"
label = "Waiting"
"""
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@dataclass
class Command:
    """A command that runs in a process of its own."""

    process: subprocess.Popen[str]
    place: Path  # a file that the plugin writes
    printed: str = ""

    def wait(self) -> str:
        """Wait until the plugin waits, and return what it says: "waiting", or the id of its child process."""
        while self.process.poll() is None:
            if self.place.exists() and (words := self.place.read_text().split()):
                return words[0]
            time.sleep(0.02)
        raise AssertionError(self.process.communicate()[1])

    def end(self, *signals: signal.Signals) -> int:
        """Send signals, and return the exit code; in ``printed`` is what the command wrote on standard error."""
        for number in signals:
            self.process.send_signal(number)
            time.sleep(0.1)  # signals that come together are one
        self.printed += self.process.communicate(timeout=60)[1]
        return self.process.returncode


@pytest.fixture
def start(tmp_path: Path) -> Iterator[object]:
    """Return a function that starts a command with the plugin, which waits at a place."""
    (tmp_path / "street.wait").touch()
    (tmp_path / "recipe.toml").write_text(RECIPE)
    processes = []

    def listen() -> None:  # whatever the tests were started with
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)

    def run(place: str, command: list[str] = RUN, before: object = listen) -> Command:
        place_file = tmp_path / f"place-{len(processes)}"
        environment = {
            **os.environ,
            "WAIT_AT": place,
            "WAIT_FILE": str(place_file),
            "ANYANOMALY_CACHE_DIR": str(tmp_path / "cache"),
        }
        process = subprocess.Popen(
            [sys.executable, "-c", "from anyanomaly.cli import entry; entry()", "-p", PLUGIN, *command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=before,  # type: ignore[arg-type]
        )
        processes.append(process)
        return Command(process, place_file)

    yield run
    for process in processes:
        process.kill()
        process.communicate()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_a_run_keeps_its_results_and_has_the_code_of_the_signal(start, tmp_path: Path, number: signal.Signals) -> None:
    command = start("answer")
    command.wait()
    assert command.end(number) == 128 + number
    assert command.printed.splitlines()[-1] == "anyanomaly: interrupted"
    assert "segments (" in command.printed
    assert "Traceback" not in command.printed
    (results,) = tmp_path.glob("out.jsonl*")
    assert results.read_text().count('"segment"') >= 2


@pytest.mark.parametrize("name", ["eval", "show", "check"])
def test_other_commands_end_in_the_same_way(start, name: str) -> None:
    command = start("load", COMMANDS[name])
    command.wait()
    assert command.end(signal.SIGTERM) == 143
    # on a busy machine, the end of pytest in `check` may take longer than a command gets
    assert command.printed.splitlines()[-1].startswith("anyanomaly: interrupted")
    assert "Traceback" not in command.printed


def test_a_bench_ends_its_worker_and_the_processes_of_that(start) -> None:
    command = start("load child", COMMANDS["bench"])
    child = int(command.wait())
    assert is_running(child)
    assert command.end(signal.SIGTERM) == 143
    assert command.printed.splitlines()[-1] == "anyanomaly: interrupted"
    assert not is_running(child)


def test_a_worker_ends_when_its_bench_is_killed(start) -> None:
    command = start("load", COMMANDS["bench"])
    command.wait()
    (worker,) = descendants(command.process.pid)
    command.process.kill()
    command.process.wait()
    end_s = time.monotonic() + 40  # the plugin alone would wait for 60
    while is_running(worker):
        assert time.monotonic() < end_s, "the worker goes on"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "place",
    ["import", "hook", "probe", "load swallow", "answer swallow", "answer translate", "frames", "load native", "close"],
)
def test_wherever_the_signal_meets_the_command(start, place: str) -> None:
    command = start(place)
    command.wait()
    assert command.end(signal.SIGTERM) == 143
    assert "anyanomaly: interrupted" in command.printed
    assert "Traceback" not in command.printed


def test_a_process_that_a_plugin_started_is_gone(start) -> None:
    command = start("load child")
    child = int(command.wait())
    assert is_running(child)
    assert command.end(signal.SIGTERM) == 143
    assert not is_running(child)


def test_a_second_interrupt_ends_at_once_and_a_second_sigterm_does_not(start) -> None:
    command = start("close")
    command.wait()
    start_s = time.monotonic()
    assert command.end(signal.SIGTERM, signal.SIGTERM) == 143
    waited_s = time.monotonic() - start_s
    command = start("close")
    command.wait()
    start_s = time.monotonic()
    assert command.end(signal.SIGINT, signal.SIGINT) == 130
    assert time.monotonic() - start_s < waited_s


def test_nohup_keeps_a_run_alive_after_its_terminal_is_closed(start) -> None:
    command = start("answer swallow", before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    command.wait()
    command.process.send_signal(signal.SIGHUP)
    assert command.end(signal.SIGTERM) == 143


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_take_nothing_from_the_results(start, tmp_path: Path, closed: str) -> None:
    arguments = " ".join([sys.executable, "-c", "'from anyanomaly.cli import entry; entry()'", "-p", PLUGIN, *RUN])
    environment = {**os.environ, "ANYANOMALY_CACHE_DIR": str(tmp_path / "cache")}
    assert subprocess.run(f"{arguments} {closed}", shell=True, cwd=tmp_path, env=environment).returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert "run" in {line["type"] for line in lines}


def test_a_thread_that_never_ends_does_not_keep_the_process(start) -> None:
    assert start("load thread").end() == 0
