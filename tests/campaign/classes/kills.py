"""Kills at random moments of `run`, `eval` and `bench`: nothing is lost, and the end is byte-identical.

What is killed: the command itself by -9, TERM, INT or HUP; the worker of a bench; the server of a run; a real engine.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from tests.campaign.classes.recipes import RECIPE
from tests.campaign.plugin import SEGMENT
from tests.campaign.process import children, wait_for_handlers
from tests.campaign.server import Reply, serve, text_answer
from tests.campaign.stage import PLAIN_RUN, PLUGIN, Stage

SIGNALS = {"-9": signal.SIGKILL, "TERM": signal.SIGTERM, "INT": signal.SIGINT, "HUP": signal.SIGHUP}
END_S = 5.0
"""Within which a command ends after a signal."""


def codes_of(name: str) -> set[int]:
    """Return the exit codes of a command that got this signal, or was complete before."""
    number = SIGNALS[name]
    return {0, -number if number == signal.SIGKILL else 128 + number}


def play(stage: Stage) -> str:
    """Kill a command one to three times, run it to its end, and compare with an undisturbed run."""
    kinds = {_run: 40, _eval: 20, _bench: 15, _worker: 10, _server: 10, _engine: 8}
    (kind,) = stage.random.choices(list(kinds), list(kinds.values()))
    return kind(stage)


def _signal_at(stage: Stage, arguments: Sequence[str], name: str, delay_s: float, limit_s: float = END_S) -> None:
    """Start a command, send it a signal ``delay_s`` after it began, and judge its end."""
    process_id = stage.start(arguments)
    wait_for_handlers(process_id)
    time.sleep(delay_s)
    os.kill(process_id, SIGNALS[name])
    stage.finish(process_id, arguments, codes_of(name), limit_s)


def _disturb(stage: Stage, arguments: Sequence[str], duration_s: float, outputs: Sequence[str], batch: int) -> str:
    """Run undisturbed with another store, then with kills, and compare the outputs and the questions."""
    rng = stage.random
    log = stage.work / "log.txt"
    wanted = _undisturbed(stage, arguments, outputs)
    once = Counter(_questions(log))
    log.unlink(missing_ok=True)
    names = [rng.choice(list(SIGNALS)) for _ in range(rng.randint(1, 3))]
    for name in names:
        _signal_at(stage, arguments, name, rng.uniform(0, duration_s))
    stage.finish(stage.start(arguments), arguments, {0})
    _compare(stage, wanted)
    asked = Counter(_questions(log))
    stage.check(asked >= once, f"{len(asked)} of {len(once)} questions were asked")
    n_repeated = asked.total() - once.total()
    stage.check(n_repeated <= batch * len(names), f"{n_repeated} answers were asked twice after {len(names)} kills")
    return ", ".join(sorted(set(names)))


def _undisturbed(stage: Stage, arguments: Sequence[str], outputs: Sequence[str]) -> dict[str, bytes]:
    """Return the outputs of an undisturbed run with a store of its own; the outputs are removed."""
    other_store = {"ANYANOMALY_CACHE_DIR": str(stage.folder / "other-cache")}
    stage.finish(stage.start(arguments, other_store), arguments, {0}, 240.0)
    wanted = {name: (stage.work / name).read_bytes() for name in outputs if (stage.work / name).exists()}
    stage.check(len(wanted) == len(outputs), f"only {list(wanted)} of {list(outputs)} were written")
    for name in outputs:
        first = stage.work / Path(name).parts[0]
        shutil.rmtree(first) if first.is_dir() else first.unlink(missing_ok=True)
    return wanted


def _compare(stage: Stage, wanted: dict[str, bytes]) -> None:
    for name, content in wanted.items():
        path = stage.work / name
        stage.check(path.exists() and path.read_bytes() == content, f"{name} differs from the undisturbed run")


def _questions(log: Path) -> list[tuple[str, int]]:
    lines = log.read_text().splitlines() if log.exists() else []
    return [tuple(json.loads(line)[:2]) for line in lines if line.endswith("]")]


def _run(stage: Stage) -> str:
    """A run of one or two clips, in batches of one or more."""
    rng = stage.random
    batch = rng.choice((1, 1, 4))
    stage.write("a.clip", f"{12 * SEGMENT} 1")
    stage.write("b.clip", f"{5 * SEGMENT} 2")
    outputs = rng.choice((["out.jsonl"], ["out.jsonl", "out.csv", "out.json"]))
    arguments = [
        "-p",
        str(PLUGIN),
        "run",
        "a.clip",
        "b.clip",
        "-t",
        "red",
        *PLAIN_RUN,
        "--backend",
        "levels",
        "--backend.delay",
        "0.03",
        "--backend.batch",
        str(batch),
        "--backend.log",
        "log.txt",
        *(part for name in outputs for part in ("-o", name)),
    ]
    return f"run, batches of {batch}: {_disturb(stage, arguments, 0.8, outputs, batch)}"


def _eval(stage: Stage) -> str:
    """An evaluation of three clips."""
    outputs = ["scores.jsonl"]
    arguments = [
        "-p",
        str(PLUGIN),
        "eval",
        "clips",
        "--root",
        ".",
        "--dataset.n",
        "3",
        *PLAIN_RUN,
        "--backend",
        "levels",
        "--backend.delay",
        "0.03",
        "--backend.log",
        "log.txt",
        "-o",
        "scores.jsonl",
    ]
    return f"eval: {_disturb(stage, arguments, 1.0, outputs, 1)}"


def _bench_arguments(stage: Stage, delay: float) -> list[str]:
    backend = f'config.backend = {{name = "levels", delay = {delay}, log = "{stage.work / "log.txt"}"}}'
    stage.write("r.toml", RECIPE.replace('config.backend = "levels"', backend))
    return ["-p", str(PLUGIN), "bench", "r.toml", "-d", "out", "--root", f"clips={stage.work}"]


def _bench(stage: Stage) -> str:
    """A bench of two cells."""
    return f"bench: {_disturb(stage, _bench_arguments(stage, 0.03), 3.0, ['out/table.md', 'out/table.csv'], 1)}"


def _worker(stage: Stage) -> str:
    """The worker of a bench is killed: its cell fails with 5, and the next run completes the table."""
    arguments = _bench_arguments(stage, 0.1)
    wanted = _undisturbed(stage, arguments, ["out/table.md", "out/table.csv"])
    process_id = stage.start(arguments)
    deadline_s = time.monotonic() + 20
    while not (workers := children(process_id)) and time.monotonic() < deadline_s:
        time.sleep(0.01)
    time.sleep(stage.random.uniform(0, 1.5))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    stage.finish(process_id, arguments, {0, 5}, 60.0)
    stage.finish(stage.start(arguments), arguments, {0}, 60.0)
    _compare(stage, wanted)
    return "worker of a bench"


def _server(stage: Stage) -> str:
    """The server of a run is killed: 5 and the scores so far; with the server back, the run completes."""
    stage.use_plugins("openai")
    stage.write("a.clip", f"{12 * SEGMENT} 1")

    def answer(_: bytes) -> Reply:
        return Reply(json.dumps(text_answer("0.5. It is grey.")).encode(), pause_s=0.03)

    with serve(stage, answer) as url:
        arguments = [
            "-p",
            str(PLUGIN),
            "run",
            "a.clip",
            "-t",
            "red",
            *PLAIN_RUN,
            "--backend",
            "openai",
            "--backend.base-url",
            url,
            "--backend.retries",
            "0",
            "--backend.max-inflight",
            "1",
            "-o",
            "out.jsonl",
        ]
        wanted = _undisturbed(stage, arguments, ["out.jsonl"])
        process_id = stage.start(arguments)
        time.sleep(stage.random.uniform(0.1, 0.8))
    stage.finish(process_id, arguments, {0, 5}, 30.0)
    with serve(stage, answer, port=int(url.split(":")[2].partition("/")[0])):
        stage.finish(stage.start(arguments), arguments, {0}, 30.0)
    _compare(stage, wanted)
    return "server of a run"


def _engine(stage: Stage) -> str:
    """A real engine on the demo's tiny models: the command, or the engine's own process, is killed."""
    rng = stage.random
    engines = {
        "demo-hf": ("transformers", "torch"),
        "demo-gguf": ("llamacpp", "llama_cpp"),
        "demo-vllm": ("vllm", "vllm"),
    }
    name = rng.choice([name for name, (_, package) in engines.items() if find_spec(package)])
    stage.use_plugins("demo", "openclip", engines[name][0])
    shutil.copyfile(stage.assets / "h264.mp4", stage.work / "a.mp4")
    arguments = [
        "run",
        "a.mp4",
        "-t",
        "a red car",
        "--encoder",
        "demo-clip",
        "--backend",
        name,
        "--context",
        "key",
        "--selector",
        "middle",
        "--segment-frames",
        "2",
        "--max-unreadable",
        "1",
        "-o",
        "out.jsonl",
    ]
    start_s = time.monotonic()
    wanted = _undisturbed(stage, arguments, ["out.jsonl"])
    duration_s = time.monotonic() - start_s
    kinds = []
    for _ in range(2):
        process_id = stage.start(arguments)
        time.sleep(rng.uniform(0.3, 1.0) * duration_s)
        engine_processes = sorted(children(process_id))
        if engine_processes and rng.random() < 0.6:
            kinds.append("its process")
            os.kill(engine_processes[-1], signal.SIGKILL)
            stage.finish(process_id, arguments, {0, 5}, 120.0)
        else:
            kinds.append(rng.choice(list(SIGNALS)))
            os.kill(process_id, SIGNALS[kinds[-1]])
            stage.finish(process_id, arguments, codes_of(kinds[-1]), 60.0)
    stage.finish(stage.start(arguments), arguments, {0}, 240.0)
    _compare(stage, wanted)
    return f"engine {name}: {', '.join(kinds)}"
