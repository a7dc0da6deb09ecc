"""Servers that are odd, slow, endless, broken or curious: an error message in time, and no secret told."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from typing import Any

from tests.campaign.hostile import hostile_text, mutate
from tests.campaign.plugin import SEGMENT
from tests.campaign.results import read_lines
from tests.campaign.server import MODELS, Reply, serve, text_answer
from tests.campaign.server_replies import compressed, raw_bytes
from tests.campaign.stage import PLAIN_RUN, PLUGIN, Stage

_ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1e308,
    "",
    "x",
    [],
    {},
    [[]],
    [None],
    {"a": None},
    "9" * 5000,
    2**70,
    -0.5,
    ["0.5"],
    {"content": "0.5"},
    [{"type": "text", "text": "0.5"}],
    "\x1b[31m",
    float("nan"),
    float("inf"),
)
_TIMEOUT_S = "2"


def play(stage: Stage) -> str:
    """Answer some questions of a run oddly."""
    kinds: dict[Callable[[Stage], tuple[str, Reply, Reply, set[int]]], int] = {
        _odd_field: 30,
        _status: 15,
        _mutated: 15,
        _odd_body: 15,
        _slow: 5,
        _sound: 8,
        _odd_models: 8,
        _redirect: 6,
        compressed: 5,
        raw_bytes: 8,
    }
    (make,) = stage.random.choices(list(kinds), list(kinds.values()))
    kind, reply, models, codes = make(stage)
    n_sound = stage.random.choice((0, 0, 1))
    n_segments = 2
    stage.use_plugins("openai")
    stage.write("a.clip", f"{n_segments * SEGMENT} 1")
    state = [n_sound]
    sound = Reply(json.dumps(text_answer("0.5. It is grey.")).encode())

    def answer(_: bytes) -> Reply:
        state[0] -= 1
        return sound if state[0] >= 0 else reply

    with serve(stage, answer, models) as url:
        has_password = stage.random.random() < 0.2
        if has_password:
            url = url.replace("http://", f"http://user:{stage.secret}@")
        stage.run(
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
            *(() if has_password else ("--backend.api-key-env", "CAMPAIGN_KEY")),
            "--backend.timeout-seconds",
            _TIMEOUT_S,
            "--backend.retries",
            stage.random.choice(("0", "0", "1")),
            "--backend.max-inflight",
            "1",
            "-o",
            "out.jsonl",
            codes=codes,
            writes=["out.jsonl"],
        )
    for line in read_lines(stage, "out.jsonl"):
        if line["type"] == "segment":
            stage.check(line["value"] is None or 0 <= line["value"] <= 1, f"the score {line['value']}")
    if codes == {0}:
        values = [line["value"] for line in read_lines(stage, "out.jsonl") if line["type"] == "segment"]
        stage.check(values == [0.5] * n_segments, f"scores {values}")
    return kind


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += _paths(item, (*path, key))
    return found


def _odd_field(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """One field of a sound answer has an odd value, or is missing."""
    rng = stage.random
    content = text_answer("0.5. It is grey.")
    path = rng.choice(_paths(content))
    parent: Any = content
    for key in path[:-1]:
        parent = parent[key]
    is_missing = rng.random() < 0.2
    if is_missing:
        del parent[path[-1]]
    else:
        parent[path[-1]] = rng.choice(_ODD_VALUES)
    return f"odd {'.'.join(map(str, path))}", Reply(json.dumps(content).encode()), MODELS, {0, 5}


def _status(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """A status that is an error, with a message that may be hostile or repeat the key."""
    rng = stage.random
    status = rng.choice(
        (400, 401, 403, 404, 405, 408, 409, 413, 418, 422, 425, 429, 451, 500, 501, 502, 503, 504, 529, 599)
    )
    key = stage.secret
    messages: tuple[Any, ...] = (
        {"error": {"message": f"Incorrect API key provided: {key}"}},
        {"error": f"key {key}"},
        {"detail": [key]},
        key,
        {"error": {"message": hostile_text(rng)}},
        {"error": hostile_text(rng)},
        {"error": {"message": ["a"]}},
        {"error": {"message": {"key": key}}},
        {"error": None},
        [],
        None,
        "",
        5,
        {"message": hostile_text(rng) * 200},
        {"error": {"message": " ".join(key)}} if rng.random() < 0 else {"error": {"message": f"Bearer {key}\x1b[2J"}},
    )
    body = json.dumps(rng.choice(messages)).encode()
    retry = rng.choice(
        (None, "0", "-5", "1e9", "nan", "inf", "x", "99999999999999999999", "Wed, 21 Oct 2015 07:28:00 GMT")
    )
    headers = {"Retry-After": retry} if retry is not None else {}
    return f"status {status}", Reply(body, status, headers), MODELS, {5}


def _mutated(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """The bytes of a sound answer are damaged."""
    kind, body = mutate(stage.random, json.dumps(text_answer("0.5. It is grey.")).encode())
    return f"bytes {kind}", Reply(body), MODELS, {0, 5}


def _odd_body(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """A body that is no answer."""
    rng = stage.random
    bodies = {
        "empty": b"",
        "html": b"<html>Please log in</html>",
        "null": b"null",
        "number": b"5",
        "list": b"[]",
        "deep": b"[" * 200_000,
        "deep object": b'{"a":' * 100_000,
        "no UTF-8": b'{"choices": "\xff\xfe"}',
        "noise": rng.randbytes(3000),
        "huge": b'{"choices": "' + b"a" * 70_000_000 + b'"}',
        "huge number": b'{"choices": ' + b"9" * 100_000 + b"}",
        "UTF-16": json.dumps(text_answer("0.5")).encode("utf-16"),
        "error in 200": json.dumps({"error": {"message": stage.secret}}).encode(),
        "many keys": json.dumps({str(number): number for number in range(20_000)}).encode(),
        "stream": b'data: {"choices": []}\n\ndata: [DONE]\n\n',
    }
    kind = rng.choice(list(bodies))
    codes = {0, 5} if kind == "UTF-16" else {5}
    lengths = {"short": 10, "long": len(bodies[kind]) + 1000, "none": -1, "true": None}
    length = rng.choice(("true", "true", "true", *lengths))
    return f"body {kind}, length {length}", Reply(bodies[kind], length=lengths[length]), MODELS, codes


def _slow(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """An answer that drips, stops or never ends is given up in time."""
    body = json.dumps(text_answer("0.5. It is grey.")).encode()
    kind = stage.random.choice(("drip", "stop", "endless", "endless fast"))
    replies = {
        "drip": Reply(body, pause_s=0.5, piece=1),
        "stop": Reply(body, pause_s=60.0),
        "endless": Reply(b" " * 1000, pause_s=0.2, is_endless=True),
        "endless fast": Reply(b" " * 1_000_000, is_endless=True),
    }
    return f"slow: {kind}", replies[kind], MODELS, {5}


def _sound(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """A sound answer in another dress is read."""
    body = json.dumps(text_answer("0.5. It is grey.")).encode()
    kind = stage.random.choice(("plain", "gzip", "deflate", "other type", "indented", "extra fields", "no length"))
    extra = {**text_answer("0.5. It is grey."), "system_fingerprint": None, "x": [1, {"y": 2}]}
    replies = {
        "plain": Reply(body),
        "gzip": Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"}),
        "deflate": Reply(zlib.compress(body), headers={"Content-Encoding": "deflate"}),
        "other type": Reply(body, headers={"Content-Type": "text/html; charset=latin-1"}),
        "indented": Reply(json.dumps(json.loads(body), indent=4).encode()),
        "extra fields": Reply(json.dumps(extra).encode()),
        "no length": Reply(body, length=-1),
    }
    return f"sound {kind}", replies[kind], MODELS, {0}


def _odd_models(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """The list of models is odd."""
    rng = stage.random
    sound = Reply(json.dumps(text_answer("0.5. It is grey.")).encode())
    content = json.loads(MODELS.body)
    if rng.random() < 0.5:
        path = rng.choice(_paths(content))
        parent: Any = content
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = rng.choice(_ODD_VALUES)
    else:
        content["data"] = rng.choice(
            (
                [],
                [{"id": stage.secret}, {"id": "b"}],
                [{"id": hostile_text(rng)}] * 2,
                [{"id": "a", "owned_by": 5}],
                [{}],
                "x",
            )
        )
    return "odd models", sound, Reply(json.dumps(content).encode()), {0, 2, 5}


def _redirect(stage: Stage) -> tuple[str, Reply, Reply, set[int]]:
    """A redirect is not followed, and the secrets in its target are not shown."""
    rng = stage.random
    target = rng.choice(
        (
            "http://127.0.0.1:9/{}",
            "http://u:{}@127.0.0.1:9/",
            "//127.0.0.1:9/?key={}",
            "file:///etc/passwd?{}",
            "\x01{}",
        )
    )
    headers = {"Location": target.format(stage.secret)}
    return "redirect", Reply(b"", rng.choice((301, 302, 303, 307, 308, 300)), headers), MODELS, {5}
