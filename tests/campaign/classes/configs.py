"""Settings: from files, flags and variables; valid, wrong, beyond sense, damaged, and planted by a stranger."""

from __future__ import annotations

import os
from typing import Any

from tests.campaign.hostile import NUMBERS, hostile_text, mutate
from tests.campaign.plugin import SEGMENT
from tests.campaign.server import Reply, serve
from tests.campaign.stage import PLAIN_RUN, PLUGIN, Stage

_FRACTION: tuple[list[Any], list[Any]] = ([0, 0.0, 0.5, 1, 1.0], [-0.1, 1.1, "nan", "x", [], {}, True, 1e308])
_COUNT: tuple[list[Any], list[Any]] = ([1, 2, 24, 100], [0, -1, 1.5, "x", [1], {}, "", -(2**63)])
_NOT_NEGATIVE: tuple[list[Any], list[Any]] = ([0, 0.5, 3, 1e3], [-1, -0.001, "x", [], {}])
_FLAG: tuple[list[Any], list[Any]] = ([True, False], [2, -1, "x", [], {}, 0.5])
_SETTINGS: dict[str, tuple[list[Any], list[Any]]] = {
    "run.segment_frames": _COUNT,
    "run.every": ([1], _COUNT[1]),  # at most the frames of a segment
    "run.max_tokens": _COUNT,
    "run.lookahead_mib": _COUNT,
    "run.seed": ([0, 1, 5], [-1, 1.5, "x", [], {}]),
    "run.threshold": _FRACTION,
    "run.max_unreadable": _FRACTION,
    "run.smooth_seconds": _NOT_NEGATIVE,
    "run.merge_seconds": _NOT_NEGATIVE,
    "run.min_event_seconds": _NOT_NEGATIVE,
    "run.temperature": ([0, 0.5, 100], _NOT_NEGATIVE[1]),
    "run.top_p": ([0.5, 1, 1.0], [0, -1, 1.5, "x", []]),
    "run.repetition_penalty": ([1, 1.5], [0, -1, "x", []]),
    "run.keep_tail": _FLAG,
    "run.store": _FLAG,
    "run.scoring": (["words", "published"], ["", "Words", 5, [], {}, "a" * 5000]),
    "run.start": ([0, 0.5, "0:00", "0.2"], [-1, "x", "1:2:3:4", [], {}]),
    "run.device": (["auto", "cpu"], ["", "gpu", "cuda:-1", 5, []]),
    "contexts": ([["key"]], [[], ["key", "key"], ["nothing"], "key" * 3, 5, [5]]),
    "selector": (["middle", {"name": "middle"}], ["nothing", 5, [], {"name": 5}, {"name": "middle", "x": 1}]),
    "texts": ([["red"], ["a", "b"]], [[""], ["a", "a"], "x" * 600, [5], 5, ["a\nb"], ["x" * 501]]),
    "prompt.name": (["auto", "simple"], ["nothing", 5, [], "nothing.toml"]),
    "preset": (["default"], ["nothing", 5, [], "../default", ""]),
}


def play(stage: Stage) -> str:
    """One of: a file by grammar, a damaged file, flags, a variable, a planted file, or no file at all."""
    kinds = ((_by_grammar, 40), (_damaged, 20), (_flags, 20), (_planted, 12), (_no_file, 8))
    (kind,) = stage.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
    return kind(stage)


def _toml(value: Any) -> str:
    """Return a value in TOML."""
    match value:
        case bool():
            return str(value).lower()
        case "nan":
            return "nan"
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            return f'"{escaped}"'
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {_toml(item)}' for key, item in value.items())}}}"
    return repr(value)


def _file_of(settings: dict[str, Any]) -> str:
    return "".join(f"{name} = {_toml(value)}\n" for name, value in settings.items())


def _choose_settings(stage: Stage) -> tuple[dict[str, Any], str]:
    """Return settings, and the name of the one that is wrong; empty: all are right."""
    rng = stage.random
    names = rng.sample(list(_SETTINGS), rng.randint(1, 5))
    settings = {name: rng.choice(_SETTINGS[name][0]) for name in names}
    wrong = ""
    if rng.random() < 0.6:
        wrong = rng.choice(names)
        settings[wrong] = rng.choice(_SETTINGS[wrong][1])
    elif rng.random() < 0.3:
        wrong = rng.choice(("run.segment_frame", "unknown", "run.x.y", "prompt.nam", '"\\u202e"', "run.Threshold"))
        settings[wrong] = 1
    return settings, wrong


def _by_grammar(stage: Stage) -> str:
    """A file of right settings is used: 0; one wrong setting is refused: 2."""
    settings, wrong = _choose_settings(stage)
    stage.write("c.toml", _file_of(settings))
    codes = {2} if wrong else {0}
    arguments = ["-p", str(PLUGIN), "--config", "c.toml"]
    if stage.random.random() < 0.5:
        stage.run(
            *arguments,
            "config",
            "show",
            codes=codes | ({0} if wrong in ("selector", "contexts", "prompt.name") else set()),
        )
    else:
        stage.write("a.clip", f"{SEGMENT} 1")
        flags = ["--encoder", "levels", "--backend", "levels", "--max-unreadable", "1"]
        flags += [] if "selector" in settings else ["--selector", "middle"]
        flags += [] if "contexts" in settings else ["--context", "key"]
        flags += [] if "texts" in settings else ["-t", "red"]
        if wrong == "run.max_unreadable":
            flags.remove("--max-unreadable")
            flags.remove("1")
        stage.run(*arguments, "run", "a.clip", *flags, codes=codes | ({4} if settings.get("run.start") else set()))
    return f"file with wrong {wrong}" if wrong else f"file of {min(settings)}"


def _damaged(stage: Stage) -> str:
    """A file that is damaged, foreign or endless."""
    rng = stage.random
    settings, _ = _choose_settings(stage)
    content = f"# é 日本\n{_file_of(settings)}".encode()
    kinds = {
        "noise": rng.randbytes(300),
        "deep": b"x = " + b"[" * 20_000,
        "deep tables": b"[" + b"a." * 5000 + b"a]\n",
        "huge": b"x = 1\n" * 100_000,
        "NUL": b"run.seed = 1\0\n",
        "BOM": b"\xef\xbb\xbf" + content,
        "UTF-16": content.decode().encode("utf-16"),
        "CR": content.replace(b"\n", b"\r"),
        "twice": content + content,
        "huge number": b"run.seed = " + b"9" * 10_000,
        "JSON": b'{"run": {"seed": 1}}',
        "empty": b"",
        "long line": b"#" * 5_000_000,
        "hostile text": f"texts = [{_toml(hostile_text(rng))}]".encode("utf-8", "surrogatepass"),
        "dates": b"run.seed = 2020-01-01\nrun.threshold = 07:32:00\n",
    }
    kind = rng.choice(("mutated",) * 10 + tuple(kinds))
    if kind == "mutated":
        kind, content = mutate(rng, content)
    else:
        content = kinds[kind]
    stage.write("c.toml", content)
    codes = {0} if kind == "empty" else {0, 2}
    if rng.random() < 0.5:
        stage.run("--config", "c.toml", "config", "show", codes=codes)
    else:
        stage.run("config", "show", codes=codes, environment={"ANYANOMALY_CONFIG": "c.toml"})
    return f"damaged: {kind}"


def _flags(stage: Stage) -> str:
    """Flags with wrong and odd values: 2 or, where the value is right, 0; never a bug."""
    rng = stage.random
    stage.write("a.clip", f"{SEGMENT} 1")
    flags = rng.sample(
        (
            "--threshold",
            "--segment-frames",
            "--segment-seconds",
            "--every",
            "--start",
            "--stop",
            "--max-tokens",
            "--seed",
            "--smooth-seconds",
            "--smooth-frames",
            "--merge-seconds",
            "--min-event-seconds",
            "--temperature",
            "--top-p",
            "--repetition-penalty",
            "--lookahead-mib",
            "--max-unreadable",
            "--device",
            "--scoring",
            "--reason-above",
            "--backend.batch",
            "--backend.delay",
            "--prompt",
            "--context.key.weight",
            "--reader",
            "--sink",
            "--preset",
            "--prompt.output-word",
            "--prompt.system",
        ),
        rng.choice((1, 1, 2)),
    )
    values = [rng.choice((*NUMBERS, hostile_text(rng).replace("\0", ""), "1", "0.5", "1:00")) for _ in flags]
    values = [os.fsdecode(value.encode("utf-8", "replace"))[:100_000] for value in values]
    arguments = [f"{flag}={value}" for flag, value in zip(flags, values, strict=True)]
    if "--backend.delay" in flags:
        arguments = [argument for argument in arguments if not argument.startswith("--backend.delay")]
    stage.run(
        "-p", str(PLUGIN), "run", "a.clip", "-t", "red", *PLAIN_RUN, "--backend", "levels", *arguments, codes={0, 2, 4}
    )
    return f"flag {flags[0]}"


def _planted(stage: Stage) -> str:
    """A file in the current folder, which a stranger may have put there, runs, sends and overwrites nothing."""
    rng = stage.random
    stage.write("a.clip", f"{SEGMENT} 1")
    stage.write("precious.txt", "precious")
    stage.write("evil.py", "open('canary', 'w').write('run')\n")
    for name in ("torch", "typing_extensions", "numpy", "sitecustomize", "yaml", "anyanomaly_evil"):
        stage.write(f"{name}.py", "open('canary', 'w').write('run')\n")
    with serve(stage, lambda _: Reply(b"{}")) as url:
        planted = {
            "sink": '[[sink]]\nname = "jsonl"\npath = "precious.txt"\n',
            "output": '[[sink]]\npath = "precious.txt"\n',
            "server": "run.allow_network = true\n[backend]\n"
            f'name = "openai"\nbase_url = "{url}"\napi_key_env = "CAMPAIGN_KEY"\n',
            "remote code": '[backend]\nname = "transformers"\nmodel = "."\ntrust_remote_code = true\n',
            "videos": f'videos = ["{url}/x.mp4", "/etc/passwd"]\n',
            "prompt": '[prompt]\nname = "/etc/passwd"\n',
            "plugins": 'plugins = ["evil.py"]\n',
        }
        kind = rng.choice(list(planted))
        stage.write("anyanomaly.toml", planted[kind])
        stage.use_plugins("openai", "transformers") if kind in ("server", "remote code") else None
        command = rng.choice((["run", "a.clip", "-t", "red"], ["config", "show"], ["plugins"], ["doctor"], ["run"]))
        flags = ["--selector", "middle", "--context", "key", "--encoder", "levels"] if command[0] == "run" else []
        flags += ["--backend", "levels"] if command[0] == "run" and kind not in ("server", "remote code") else []
        stage.run("-p", str(PLUGIN), *command, *flags, codes={0, 2, 3, 4, 5}, time_limit_s=60)
    stage.check((stage.work / "precious.txt").read_text() == "precious", "a file was overwritten for a planted setting")
    if (stage.work / "canary").exists():
        stage.fault("leak", "code in the current folder was run")
    requests = stage.folder / "requests"
    if requests.exists():
        stage.fault("leak", f"sent to a server that a planted file names: {requests.read_text()[:100]}")
    return f"planted {kind}, {command[0]}"


def _no_file(stage: Stage) -> str:
    """A config that is no file is refused."""
    kind = stage.random.choice(("folder", "fifo", "device", "missing", "loop", "endless"))
    path = stage.work / "c.toml"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/null")
        case "loop":
            path.symlink_to("c.toml")
        case "endless":
            path.symlink_to("/dev/zero")
    codes = {0, 2} if kind == "device" else {2}
    if stage.random.random() < 0.5:
        stage.run("--config", "c.toml", "config", "show", codes=codes)
    else:
        stage.run("config", "show", codes=codes, environment={"ANYANOMALY_CONFIG": "c.toml"})
    return f"no file: {kind}"
