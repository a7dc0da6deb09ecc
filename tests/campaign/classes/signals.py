"""Signals, closed pipes, full disks and closed descriptors, at any moment of any command."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time

from tests.campaign.classes.kills import END_S, SIGNALS, codes_of
from tests.campaign.plugin import SEGMENT
from tests.campaign.results import read_lines
from tests.campaign.stage import PLAIN_RUN, PLUGIN, Stage


def play(stage: Stage) -> str:
    """Disturb one command and judge its end."""
    kinds = {
        _any_command: 30,
        _partial: 20,
        _twice: 10,
        _fresh: 15,
        _pipe: 10,
        _full_disk: 10,
        _closed: 10,
        _ignored: 5,
        _exit: 8,
    }
    (kind,) = stage.random.choices(list(kinds), list(kinds.values()))
    stage.write("a.clip", f"{10 * SEGMENT} 1")
    return kind(stage)


def _run_arguments(*more: str, delay: str = "0.05") -> list[str]:
    flags = ["--backend", "levels", "--backend.delay", delay]
    return ["-p", str(PLUGIN), "run", "a.clip", "-t", "red", *PLAIN_RUN, *flags, *more]


def _any_command(stage: Stage) -> str:
    """A signal at any moment of any command: its code, no traceback, an end in time."""
    rng = stage.random
    command = rng.choice(
        (
            _run_arguments(),
            ["-p", str(PLUGIN), "config", "show"],
            ["-p", str(PLUGIN), "plugins"],
            ["doctor"],
            ["run", "--help"],
            [
                "-p",
                str(PLUGIN),
                "show",
                "a.clip",
                "-d",
                "shown",
                "--segment",
                "0",
                "-t",
                "red",
                *PLAIN_RUN,
                "--backend",
                "levels",
            ],
            ["-p", str(PLUGIN), "eval", "clips", "--root", ".", *PLAIN_RUN, "--backend", "levels"],
            ["cache", "show"],
            ["--version"],
        )
    )
    name = rng.choice(list(SIGNALS))
    process_id = stage.start(command)
    time.sleep(rng.choice((rng.uniform(0, 0.05), rng.uniform(0, 1.0))))
    os.kill(process_id, SIGNALS[name])
    codes = codes_of(name) | ({3, 4} if command == ["doctor"] else set())
    if SIGNALS[name] != signal.SIGKILL:
        codes |= {-SIGNALS[name]}  # before Python has come to the command line
    stage.finish(process_id, command, codes, END_S)
    words = [
        word for word in command if word in ("run", "config", "plugins", "doctor", "show", "eval", "cache", "--version")
    ]
    return f"{words[0]}: {name}"


def _partial(stage: Stage) -> str:
    """An interrupted run keeps a complete result of before, and leaves its own partial one beside it."""
    rng = stage.random
    name = rng.choice([name for name in SIGNALS if name != "-9"])
    output = rng.choice(("out.jsonl", "out.csv", "out.json"))
    has_result = rng.random() < 0.5
    if has_result:
        stage.run(*_run_arguments("-o", output, "--no-cache", delay="0"), writes=[output])
    before = (stage.work / output).read_bytes() if has_result else None
    arguments = _run_arguments("-o", output, "--no-cache", "--threshold", "0.2")
    process_id = stage.start(arguments)
    time.sleep(rng.uniform(0.3, 0.6))
    os.kill(process_id, SIGNALS[name])
    outcome = stage.finish(process_id, arguments, codes_of(name), END_S)
    if outcome.code:
        now = (stage.work / output).read_bytes() if (stage.work / output).exists() else None
        stage.check(now == before, f"an interrupted run replaced {output}")
        for path in stage.work.glob("out.jsonl?*"):
            read_lines(stage, path.name)
    return f"partial {output}: {name}{' over a complete one' if has_result else ''}"


def _twice(stage: Stage) -> str:
    """Two signals in a row, of any kind, end the run once."""
    rng = stage.random
    first, second = (rng.choice([name for name in SIGNALS if name != "-9"]) for _ in range(2))
    arguments = _run_arguments("-o", "out.jsonl")
    process_id = stage.start(arguments)
    time.sleep(rng.uniform(0.1, 0.6))
    os.kill(process_id, SIGNALS[first])
    time.sleep(rng.choice((0, 0.001, 0.02)))
    os.kill(process_id, SIGNALS[second])
    codes = codes_of(first) | codes_of(second) | {-SIGNALS[first], -SIGNALS[second]}
    stage.finish(process_id, arguments, codes, END_S)
    return f"twice: {first}, {second}"


def _fresh(stage: Stage) -> str:
    """A real new process, from its first millisecond: a signal ends it without a traceback."""
    rng = stage.random
    name = rng.choice([name for name in SIGNALS if name != "-9"])
    command = [sys.executable, "-m", "anyanomaly", *_run_arguments()]
    with open(stage.folder / "stderr", "wb") as err:
        process = subprocess.Popen(
            command,
            cwd=stage.work,
            env=stage.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=err,
        )
        time.sleep(rng.uniform(0, 1.5))
        process.send_signal(SIGNALS[name])
        try:
            process.wait(2 * END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            stage.fault("hang", f"a new process ignored {name}")
    errors = (stage.folder / "stderr").read_bytes()
    process.wait()
    if b"Traceback" in errors:
        stage.fault("traceback", f"after {name} in a new process: {errors.splitlines()[-1]!r}")
    if process.returncode not in codes_of(name) | {-SIGNALS[name]}:
        stage.fault("exit code", f"{process.returncode} after {name} in a new process")
    return f"new process: {name}"


def _in_shell(stage: Stage, shell: str, codes: set[int], kind: str) -> str:
    """Run a command through a shell, as the standard streams need one; ``$RUN`` is the command."""
    words = " ".join(f"'{word}'" for word in [sys.executable, "-m", "anyanomaly"])
    err = stage.folder / "stderr"
    with open(err, "wb") as errors:
        process = subprocess.run(
            ["bash", "-c", shell.replace("$RUN", words)],
            cwd=stage.work,
            env=stage.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            timeout=60,
            check=False,
        )
    content = err.read_bytes()
    if b"Traceback" in content or b"Exception ignored" in content:
        stage.fault("traceback", f"{kind}: {content.splitlines()[-1]!r}")
    if process.returncode not in codes:
        stage.fault("exit code", f"{kind}: {process.returncode} instead of {codes}")
    return kind


def _shell_run(*more: str) -> str:
    return " ".join(f"'{word}'" for word in _run_arguments("--threshold", "0.1", *more, delay="0"))


def _pipe(stage: Stage) -> str:
    """Nobody reads the output any more: 141."""
    kind = stage.random.choice(("run", "json", "plugins", "config"))
    words = {"run": _shell_run(), "json": _shell_run("--json"), "plugins": "plugins", "config": "config show"}[kind]
    codes = {141, 0} if kind in ("run", "json") else {141}
    return _in_shell(stage, f"$RUN {words} | true; exit ${{PIPESTATUS[0]}}", codes | {0}, f"closed pipe: {kind}")


def _full_disk(stage: Stage) -> str:
    """A full disk, or a limit on file sizes, is 6 with a message."""
    kind = stage.random.choice(("stdout", "output", "output csv", "limit"))
    if kind == "limit":
        arguments = _run_arguments("-o", "out.csv", "-o", "out.jsonl", "--no-cache", delay="0")

        def limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1024, resource.RLIM_INFINITY))

        process_id = stage.start(arguments, before=limited)
        stage.finish(process_id, arguments, {6})
        return "limit on file sizes"
    if kind == "stdout":
        return _in_shell(stage, f"$RUN {_shell_run()} > /dev/full", {6}, "full standard output")
    suffix = "csv" if kind == "output csv" else "jsonl"
    os.symlink("/dev/full", stage.work / f"out.{suffix}")
    stage.run(*_run_arguments("-o", f"out.{suffix}", delay="0"), codes={0, 6}, writes=[f"out.{suffix}"])
    return f"full {kind}"


def _closed(stage: Stage) -> str:
    """Standard streams that are closed: no traceback, and the results are written."""
    stream = stage.random.choice(("<&-", ">&-", "2>&-", "<&- >&- 2>&-"))
    codes = {0} if stream in ("<&-", "2>&-") else {0, 6}
    _in_shell(stage, f"$RUN {_shell_run('-o', 'out.jsonl')} {stream}", codes, f"closed stream {stream}")
    return f"closed stream {stream}"


def _ignored(stage: Stage) -> str:
    """A hang-up that the parent had ignored (nohup) stays ignored."""
    arguments = _run_arguments("-o", "out.jsonl")
    process_id = stage.start(arguments, before=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    time.sleep(stage.random.uniform(0.2, 0.6))
    os.kill(process_id, signal.SIGHUP)
    stage.finish(process_id, arguments, {0}, 20.0)
    return "ignored hang-up"


def _exit(stage: Stage) -> str:
    """`--fail-on-event` gives 1 with events and 0 without; no failure ever gives 1."""
    has_events = stage.random.random() < 0.5
    stage.run(
        *_run_arguments(
            "--fail-on-event",
            "--threshold",
            "0.05" if has_events else "1",
            "--min-event-seconds",
            "0" if has_events else "5",
            delay="0",
        ),
        codes={1} if has_events else {0},
    )
    return f"--fail-on-event {'with' if has_events else 'without'} events"
