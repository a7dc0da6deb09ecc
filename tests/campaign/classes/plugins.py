"""Plugins that fail: at import, in a hook, or while a component works. The failure is theirs, and is named."""

from __future__ import annotations

from textwrap import indent

from tests.campaign.hostile import mutate
from tests.campaign.plugin import SEGMENT, level
from tests.campaign.plugin_code import HEAD, ODD_RETURNS, ROLES, component, failure
from tests.campaign.results import read_lines
from tests.campaign.stage import PLAIN_RUN, PLUGIN, Stage


def play(stage: Stage) -> str:
    """One of: a plugin that cannot be loaded, a hook that fails, or a component that fails at its work."""
    kinds = ((_loading, 30), (_hook, 30), (_backend, 25), (_reader, 15))
    (kind,) = stage.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
    stage.write("a.clip", f"{2 * SEGMENT} 1")
    return kind(stage)


def _loading(stage: Stage) -> str:
    """A plugin that is asked for and cannot be loaded is refused: exit code 2."""
    rng = stage.random
    kinds = {
        "failure": "",
        "syntax": "def (:\n",
        "NUL": "x = 1\0\n",
        "no UTF-8": "",
        "empty": "",
        "noise": "",
        "hangs": "while True: pass\n",
        "sleeps": "import time; time.sleep(1000)\n",
        "unknown hook": "from anyanomaly import hookimpl\n@hookimpl\ndef anyanomaly_register_things(): return []\n",
        "wrong arguments": f"{HEAD}@hookimpl\ndef anyanomaly_register_backends(a, b): return []\n",
        "deep": "x = " + "(" * 5000 + ")" * 5000,
        "missing": "",
        "folder": "",
        "mutated": "",
    }
    kind = rng.choice(("failure", "failure", *kinds))
    codes = {2}
    path = stage.work / "broken.py"
    match kind:
        case "failure":
            name, code = failure(rng)
            stage.write("broken.py", f"{code}\n")
            kind = f"failure {name}"
        case "no UTF-8" | "noise":
            path.write_bytes(b"x = '\xff\xfe'\n" if kind == "no UTF-8" else rng.randbytes(500))
        case "missing":
            pass
        case "folder":
            path.mkdir()
        case "mutated":
            path.write_bytes(mutate(rng, PLUGIN.read_bytes())[1])
            codes = {0, 2, 3, 4, 5}
        case _:
            codes = {0} if kind == "empty" else {2}
            stage.write("broken.py", kinds[kind])
    command = rng.choice((["plugins"], ["run", "a.clip", "-t", "red", *PLAIN_RUN, "--backend", "levels"]))
    if kind == "empty" or rng.random() < 0.7:
        plugins = ["-p", str(PLUGIN), "-p", "broken.py"]
    else:
        plugins = ["-p", "broken.py"]
        if codes == {0, 2, 3, 4, 5}:
            command = ["plugins"]
    stage.run(*plugins, *command, codes=codes)
    return f"loading: {kind}"


def _hook(stage: Stage) -> str:
    """A hook that fails or returns something odd loses its components; others work on."""
    rng = stage.random
    role = rng.choice(list(ROLES))
    hook = ROLES[role][2]
    if rng.random() < 0.5:
        kind, body = failure(rng)
    elif rng.random() < 0.2:
        kind, body = rng.choice(
            (
                ("hangs", "while True: pass"),
                ("sleeps", "import time; time.sleep(1000)"),
                ("endless", "yield from iter(int, 1)"),
                ("endless list", "import itertools; return itertools.count()"),
            )
        )
    else:
        value = rng.choice(ODD_RETURNS).replace("{{}}", "{}")
        kind, body = f"returns {value}", f"return {value}"
    stage.write("broken.py", f"{HEAD}\n@hookimpl\ndef {hook}():\n{indent(body, '    ')}\n")
    if rng.random() < 0.3:
        stage.run("-p", str(PLUGIN), "-p", "broken.py", "plugins")
    else:
        stage.run(
            "-p",
            str(PLUGIN),
            "-p",
            "broken.py",
            "run",
            "a.clip",
            "-t",
            "red",
            *PLAIN_RUN,
            "--backend",
            "levels",
            "-o",
            "out.jsonl",
            writes=["out.jsonl"],
        )
        values = [line["value"] for line in read_lines(stage, "out.jsonl") if line["type"] == "segment"]
        stage.check(values == [level(0, 1), level(1, 1)], f"scores {values} beside a broken hook")
    if not kind.startswith(("returns iter", "returns (x", "returns []", "returns {}", "returns None")):
        stage.check(b"broken" in stage.outcomes[-1].err + stage.outcomes[-1].out, "the plugin is not named")
    return f"hook of {role}: {kind}"


def _backend(stage: Stage) -> str:
    """A backend that fails or answers wrongly ends the run with 5; what was answered before is kept."""
    rng = stage.random
    where = rng.choice(("__init__", "load", "fingerprint", "answer_batch", "close", "answers", "answers", "answers"))
    kind, body = failure(rng)
    codes = {5}
    parts = {
        "load": "def load(self): pass",
        "close": "def close(self): pass",
        "fingerprint": "@property\ndef fingerprint(self): return 'odd'",
        "answer_batch": "def answer_batch(self, queries): return [Answer(query.id, text='0.5') for query in queries]",
    }
    if where == "answers":
        values = {
            "None": "None",
            "too few": "[]",
            "twice": "[Answer(q.id, text='0.5') for q in queries] * 2",
            "words": "['0.5' for q in queries]",
            "no words": "[Answer(q.id, text=None) for q in queries]",
            "number": "[Answer(q.id, text=0.5) for q in queries]",
            "other id": "[Answer(QueryId('x', 0, 'y', 'z'), text='0.5')]",
            "value": "[Answer(q.id, text='', value=7.0) for q in queries]",
            "NaN": "[Answer(q.id, text='', value=float('nan')) for q in queries]",
            "bytes": "[Answer(q.id, text=b'0.5') for q in queries]",
            "logprobs": "[Answer(q.id, text='', logprobs={'x': 'y'}) for q in queries]",
            "endless": "iter(int, 1)",
            "value words": "[Answer(q.id, text='', value='0.5') for q in queries]",
            "no id": "[Answer(None, text='0.5')]",
            "infinite": "[Answer(q.id, text='', value=float('inf')) for q in queries]",
        }
        kind = rng.choice(list(values))
        parts["answer_batch"] = f"def answer_batch(self, queries): return {values[kind]}"
    elif where == "__init__":
        parts["init"] = f"def __init__(self, options):\n{indent(body, '    ')}"
    elif where == "fingerprint":
        parts["fingerprint"] = f"@property\ndef fingerprint(self):\n{indent(body, '    ')}"
    else:
        arguments = "self, queries" if where == "answer_batch" else "self"
        parts[where] = f"def {where}({arguments}):\n{indent(body, '    ')}"
    if where == "close":
        codes = {0, 5}
    if kind in ("missing module", "own error"):
        codes |= {3}
    stage.write("odd.py", component("backend", "odd", "\n".join(parts.values())))
    stage.run(
        "-p",
        str(PLUGIN),
        "-p",
        "odd.py",
        "run",
        "a.clip",
        "-t",
        "red",
        *PLAIN_RUN,
        "--backend",
        "odd",
        "-o",
        "out.jsonl",
        codes=codes | {2} if where == "__init__" else codes,
        writes=["out.jsonl"],
    )
    for line in read_lines(stage, "out.jsonl"):
        if line["type"] == "segment":
            stage.check(line["value"] is None or 0 <= line["value"] <= 1, f"the score {line['value']}")
    return f"backend {where}: {kind}"


def _reader(stage: Stage) -> str:
    """A reader that fails or gives odd frames costs its video: 4; the other video keeps its scores."""
    rng = stage.random
    kind, body = failure(rng)
    where = rng.choice(("probe", "frames", "frames late", "images", "images", "probed"))
    probe = "def probe(self, uri): return Video('odd', uri, 8.0, 16, 16, 16)"
    image = "np.zeros((16, 16, 3), np.uint8)"
    frames = (
        "def frames(self, video, *, start=0, every=1):\n"
        "    for i in range(start, 16, every):\n        yield Frame(video, i, i / 8, {image})\n{late}"
    )
    if where == "probe":
        probe = f"def probe(self, uri):\n{indent(body, '    ')}"
        frames = frames.format(image=image, late="")
    elif where == "frames":
        frames = f"def frames(self, video, *, start=0, every=1):\n{indent(body, '    ')}"
    elif where == "frames late":
        frames = frames.format(image=image, late=indent(body, "    "))
    elif where == "images":
        images = (
            "None",
            "np.zeros((16, 16), np.uint8)",
            "np.zeros((16, 16, 3))",
            "np.zeros((0, 0, 3), np.uint8)",
            "'x'",
            "np.zeros((16, 16, 4), np.uint8)",
            "np.zeros((1 + i, 16, 3), np.uint8)",
            "np.array(5)",
            "[[1]]",
        )
        kind = rng.choice(images)
        frames = frames.format(image=kind, late="")
    else:
        videos = (
            "None",
            "'x'",
            "Video('odd', uri, 0.0, 16, 16, 16)",
            "Video('odd', uri, float('nan'), 16, 16, 16)",
            "Video('odd', uri, 8.0, -5, 16, 16)",
            "Video('', uri, 8.0, 16, 0, 0)",
            "Video(5, uri, 8.0, 16, 16, 16)",
            "Video('odd', uri, 1e300, 16, 16, 16)",
            "Video('odd', uri, 8.0, 10**30, 16, 16)",
        )
        kind = rng.choice(videos)
        probe = f"def probe(self, uri): return {kind}"
        frames = frames.format(image=image, late="")
    stage.write("odd.py", component("reader", "odd", f"{probe}\n{frames}"))
    stage.write("b.odd", "x")
    codes = {4} if where in ("probe", "frames", "frames late") else {0, 4}
    names = ["a.clip", "b.odd"]
    rng.shuffle(names)
    stage.run(
        "-p",
        str(PLUGIN),
        "-p",
        "odd.py",
        "run",
        *names,
        "-t",
        "red",
        *PLAIN_RUN,
        "--backend",
        "levels",
        "-o",
        "out.jsonl",
        codes=codes | ({3} if kind == "missing module" else set()) | ({5} if kind == "own error" else set()),
        writes=["out.jsonl"],
    )
    lines = [line for line in read_lines(stage, "out.jsonl") if line["type"] == "segment" and line["video"] == "a"]
    if stage.outcomes[-1].code in (0, 4):
        stage.check(
            [line["value"] for line in lines] == [level(0, 1), level(1, 1)], "other scores beside a broken reader"
        )
    return f"reader {where}: {kind}"
