"""Recipes of benches: by grammar, wrong, damaged; listed, and some run."""

from __future__ import annotations

import csv
import io
import os
from typing import Any

from tests.campaign.hostile import hostile_text, mutate
from tests.campaign.stage import PLUGIN, Stage

RECIPE = """
title = "Clips"
rows = ["backend"]
columns = ["dataset", "ablation"]
protocols = ["fixed"]

[config]
selector = "middle"
encoder = "levels"
contexts = ["key"]
[config.run]
segment_frames = 8
smooth_seconds = 0

[[backend]]
label = "Levels"
config.backend = "levels"

[[dataset]]
label = "Clips"
name = "clips"
options.n = 2

[[ablation]]
label = "first"

[[ablation]]
label = "second"
config.run.seed = 1
"""
_WRONG = {
    "unknown key": ('title = "Clips"', 'title = "Clips"\nx = 1'),
    "unknown axis": ('rows = ["backend"]', 'rows = ["model"]'),
    "axis twice": ('rows = ["backend"]', 'rows = ["backend", "backend"]'),
    "no label": ('label = "Levels"\n', ""),
    "no dataset": ('name = "clips"', 'name = "nothing"'),
    "same label": ('label = "second"', 'label = "first"'),
    "no backend": ('config.backend = "levels"', 'config.backend = "nothing"'),
    "wrong option": ("options.n = 2", 'options.n = "x"'),
    "unknown option": ("options.n = 2", "options.m = 2"),
    "wrong setting": ("segment_frames = 8", "segment_frames = -8"),
    "texts": ('selector = "middle"', 'selector = "middle"\ntexts = ["a"]'),
    "sink": ('selector = "middle"', 'selector = "middle"\nsink = [{path = "x.csv"}]'),
    "protocol": ('protocols = ["fixed"]', 'protocols = ["nothing"]'),
    "several, no axis": ('columns = ["dataset", "ablation"]', 'columns = ["dataset"]'),
    "digits": ('title = "Clips"', 'title = "Clips"\ndigits = 99'),
    "facts": ('title = "Clips"', 'title = "Clips"\nfacts = "nothing.json"\npublished = "a/b"'),
    "number as title": ('title = "Clips"', "title = 5"),
    "classes": ('title = "Clips"', 'title = "Clips"\nclasses = "x"'),
    "improvement": ('title = "Clips"', 'title = "Clips"\nimprovement = {base = "nothing", of = "first"}'),
    "facts folder": ('title = "Clips"', 'title = "Clips"\nfacts = "."'),
    "speed": ('title = "Clips"', 'title = "Clips"\nspeed = {segments = 0}'),
}


def play(stage: Stage) -> str:
    """One of: a right recipe, one with one fault, a damaged one, odd labels in a full run, odd flags."""
    kinds = ((_wrong, 40), (_damaged, 25), (_flags, 15), (_no_file, 5), (_full, 8))
    (kind,) = stage.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
    return kind(stage)


def _bench(stage: Stage, *flags: str, **settings: Any) -> None:
    arguments = ("-p", str(PLUGIN), "bench", "r.toml", "--root", f"clips={stage.work}", *flags)
    stage.run(*arguments, **settings)


def _wrong(stage: Stage) -> str:
    """A right recipe lists its cells; a recipe with a fault is refused: 2."""
    kind = stage.random.choice(("", *_WRONG))
    old, new = _WRONG.get(kind, ("", ""))
    stage.write("r.toml", RECIPE.replace(old, new, 1) if kind else RECIPE)
    _bench(stage, "--list", codes={2} if kind else {0})
    if not kind:
        stage.check(stage.outcomes[-1].out.count(b"\n") == 2, "not two cells")
    return f"wrong: {kind}" if kind else "right"


def _damaged(stage: Stage) -> str:
    """A damaged recipe: 0 or 2."""
    rng = stage.random
    kind, content = mutate(rng, RECIPE.encode())
    if rng.random() < 0.15:
        kind, content = rng.choice(
            (
                ("deep", b"x = " + b"[" * 50_000),
                ("huge number", b"digits = " + b"9" * 9000),
                ("noise", rng.randbytes(500)),
                ("empty", b""),
            )
        )
    stage.write("r.toml", content)
    _bench(stage, "--list", codes={0, 2, 3} if kind not in ("deep", "huge number", "noise", "empty") else {2})
    return f"damaged: {kind}"


def _flags(stage: Stage) -> str:
    """Odd values of the flags of a bench."""
    rng = stage.random
    stage.write("r.toml", RECIPE)
    text = hostile_text(rng).encode("utf-8", "ignore").decode().replace("\0", "")[:5000]
    flag, value = rng.choice(
        (
            ("--root", text),
            ("--root", f"{text}=x"),
            ("--labels", "clips="),
            ("--model", f"levels={text}"),
            ("--dataset", text),
            ("--set", text),
            ("--set", f"run.seed={text}"),
            ("--set", f"{text}=1"),
            ("--set", "run.segment_frames=0"),
            ("--set", "dataset.n=[1"),
            ("--set", "run.seed=" + "9" * 5000),
            ("--set", "run.seed=" + "[" * 5000),
            ("--set", "a.b.c.d=1"),
            ("--set", "=1"),
            ("-d", "\x1b[31m"),
            ("--set", "dataset.n=-1"),
        )
    )
    _bench(stage, "--list", *((f"{flag}={value}",) if flag != "-d" else (flag, value)), codes={0, 2, 3})
    return f"flag {flag} {value[:12] if value.isascii() and value.isprintable() else 'hostile'}"


def _no_file(stage: Stage) -> str:
    """A recipe that is no file is refused."""
    kind = stage.random.choice(("folder", "fifo", "endless", "missing", "loop"))
    path = stage.work / "r.toml"
    match kind:
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "endless":
            path.symlink_to("/dev/zero")
        case "loop":
            path.symlink_to("r.toml")
    _bench(stage, "--list", codes={2})
    return f"no file: {kind}"


def _full(stage: Stage) -> str:
    """A bench with odd labels gives a sound table; the AUC of answers that follow the labels is 100."""
    rng = stage.random
    label = (
        "".join(character for character in hostile_text(rng, 2) if character.isprintable())[:40]
        .replace('"', "")
        .replace("\\", "")
        or "x"
    )
    label = rng.choice((label, "=1+1", "a|b", "../x", "é", "first\\u001b[31m"))
    stage.write("r.toml", RECIPE.replace('label = "first"', f'label = "{label}"'))
    _bench(stage, "-d", "out", codes={0}, writes=["out", ".clip"], time_limit_s=60)
    table = stage.work / "out" / "table.csv"
    if table.exists():
        cells = [cell for row in csv.reader(io.StringIO(table.read_text(), newline="")) for cell in row]
        stage.check(any(cell.startswith("100.0") for cell in cells), f"no AUC of 100: {cells[:20]}")
        stage.check(not any(cell[:1] in ("=", "+", "@") for cell in cells), f"a formula in the table: {cells[:20]}")
    return "full run with odd label"
