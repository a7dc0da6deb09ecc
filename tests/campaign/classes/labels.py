"""Labels of datasets: manifests and label files in all formats, right, wrong, damaged and hostile."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import Any

import h5py
import numpy as np

from tests.campaign.hostile import mutate
from tests.campaign.label_files import LABEL_FORMS, hostile_label_file, write_labels
from tests.campaign.plugin import SEGMENT, level
from tests.campaign.stage import PLAIN_RUN, PLUGIN, Stage

_N_FRAMES = 6 * SEGMENT
_TEXTS = ("red", "a fall", "人", "é", "a, b", 'say "no"')


def play(stage: Stage) -> str:
    """One of: right labels with their figures, one wrong thing, a damaged file, a label file that is none."""
    stage.use_plugins("cvad")
    kinds = ((_right, 35), (_wrong, 30), (_damaged, 30), (_hostile_file, 15))
    (kind,) = stage.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
    return kind(stage)


def _evaluate(stage: Stage, codes: set[int], *flags: str) -> dict[str, Any]:
    stage.run(
        "-p",
        str(PLUGIN),
        "eval",
        "folder",
        "--root",
        ".",
        *PLAIN_RUN,
        "--backend",
        "levels",
        "--smooth-seconds",
        "0",
        "--protocol",
        "fixed",
        "-o",
        "out.json",
        *flags,
        codes=codes,
        writes=["out.json"],
    )
    path = stage.work / "out.json"
    return json.loads(path.read_text()) if stage.outcomes[-1].code == 0 and path.exists() else {}


def _auc(scores: list[float], labels: list[bool]) -> float:
    """Return the fraction of pairs of a positive and a negative frame that the scores order; ties count half."""
    positive = [score for score, label in zip(scores, labels, strict=True) if label]
    negative = [score for score, label in zip(scores, labels, strict=True) if not label]
    wins = sum((p > n) + 0.5 * (p == n) for p in positive for n in negative)
    return wins / (len(positive) * len(negative))


def _dataset(stage: Stage, forms: list[str]) -> tuple[list[dict[str, Any]], dict[str, tuple[list[float], list[bool]]]]:
    """Write clips and labels; return the rows of the manifest, and per text the scores and labels of all frames."""
    rng = stage.random
    rows: list[dict[str, Any]] = []
    frames: dict[str, tuple[list[float], list[bool]]] = {}
    texts = rng.sample(_TEXTS, rng.choice((1, 2)))
    for seed in range(rng.choice((2, 3))):
        name = f"v{seed}.clip"
        stage.write(name, f"{_N_FRAMES} {seed}")
        for text in texts:
            labels = np.array([rng.random() < 0.4 for _ in range(_N_FRAMES // 4)]).repeat(4)
            labels[0], labels[-1] = True, False
            rows.append({"video": name, "text": text, **write_labels(stage, name, labels, rng.choice(forms))})
            scores, truths = frames.setdefault(text, ([], []))
            scores += [level(index // SEGMENT, seed) for index in range(_N_FRAMES)]
            truths += [bool(label) for label in labels]
    return rows, frames


def _right(stage: Stage) -> str:
    """Right labels, whatever their formats and units side by side, give the AUC that counting pairs gives."""
    forms = stage.random.sample(LABEL_FORMS, stage.random.choice((1, 2, 3)))
    rows, frames = _dataset(stage, forms)
    stage.random.shuffle(rows)
    has_inline = any(isinstance(row["labels"], list) or "unit" in row for row in rows)
    if has_inline or stage.random.random() < 0.3:
        stage.write("manifest.json", json.dumps(rows))
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, ["video", "text", "labels"], lineterminator=stage.random.choice(("\n", "\r\n")))
        writer.writeheader()
        writer.writerows(rows)
        stage.write("manifest.csv", stage.random.choice(("", "\ufeff")) + text.getvalue())
    figures = _evaluate(stage, {0})
    classes = figures.get("protocols", {}).get("fixed", {}).get("classes", {})
    for text, (scores, labels) in frames.items():
        found = classes.get(text, {})
        stage.check(
            found.get("positives") == sum(labels), f"{text}: {found.get('n_positive')} positive of {sum(labels)}"
        )
        auc = found.get("auc")
        stage.check(
            auc is not None and abs(auc - _auc(scores, labels)) < 1e-6, f"{text}: AUC {auc} for {_auc(scores, labels)}"
        )
    return f"right: {', '.join(sorted(forms))}"


_WRONG_LABELS: dict[str, Any] = {
    "value 2": [0, 2] * 24,
    "negative": [0, -1] * 24,
    "NaN": [float("nan")] * 48,
    "words": ["a"] * 48,
    "null": [None] * 48,
    "nested": [[[0]]] * 48,
    "too short": [0, 1] * 5,
    "too long": [0, 1] * 500,
    "reversed span": [[5, 2]],
    "empty span": [[5, 5]],
    "negative span": [[-3, 5]],
    "span of words": [["a", "b"]],
    "three numbers": [[1, 2, 3]],
    "infinite span": [[0, float("inf")]],
    "NaN span": [[float("nan"), 5]],
    "huge span": [[0, 1e300]],
    "huge number": [[0, 10**4000]],
    "object": {"a": 1},
    "number": 5,
    "true": True,
}


def _wrong(stage: Stage) -> str:
    """One wrong thing in a manifest or in labels is named: 4."""
    rng = stage.random
    rows, _ = _dataset(stage, ["json list", "npy", "spans in frames"])
    kind = rng.choice(("labels", "labels", "manifest"))
    codes = {4}
    if kind == "labels":
        what = rng.choice(list(_WRONG_LABELS))
        value = _WRONG_LABELS[what]
        if isinstance(value, list) and isinstance(value[0], list) and rng.random() < 0.5:
            rows[0] |= {"labels": value, "unit": rng.choice(("frames", "seconds"))}
        else:
            stage.write("wrong.json", json.dumps({"v0.clip": value}))
            rows[0] = {**rows[0], "labels": "wrong.json"}
        if what in ("huge span", "infinite span", "huge number"):
            codes = {0, 4}  # a span may end after the video
    else:
        changes: dict[str, Any] = {
            "missing video": {"video": "no.clip"},
            "missing labels": {"labels": "no.json"},
            "unknown unit": {"labels": [[0, 5]], "unit": "minutes"},
            "empty text": {"text": ""},
            "empty labels": {"labels": ""},
            "unknown column": {"x": "y"},
            "unknown format": {"labels": "v0.clip"},
            "twice": None,
            "no rows": None,
            "no list": None,
            "row is no table": None,
            "text is a number": {"text": 5},
            "video is a list": {"video": ["v0.clip"]},
            "outside": {"labels": "../../../../etc/passwd"},
            "video is a folder": {"video": "."},
            "text of 600": {"text": "x" * 600},
            "text with a line break": {"text": "a\nb"},
            "unit is a list": {"labels": [[0, 5]], "unit": []},
            "no such key": {"labels": "npy#x"},
        }
        what = rng.choice(list(changes))
        if changes[what] is not None:
            rows[0] = {**rows[0], **changes[what]}
            codes = {2, 4} if what.startswith("text") else {4}
        elif what == "twice":
            rows.append(rows[0])
        else:
            rows = {"no rows": [], "no list": {"rows": rows}, "row is no table": [*rows, 5]}[what]  # type: ignore[assignment]
    stage.write("manifest.json", json.dumps(rows))
    flags = ["--check"] if rng.random() < 0.3 and what not in ("text of 600", "text with a line break") else []
    if flags:
        stage.run(
            "-p",
            str(PLUGIN),
            "eval",
            "folder",
            "--root",
            ".",
            *flags,
            codes=codes | {0} if what == "text is a number" else codes,
        )
    else:
        _evaluate(stage, codes | {0} if what == "text is a number" else codes)
    return f"wrong {kind}: {what}{' --check' if flags else ''}"


def _damaged(stage: Stage) -> str:
    """A damaged manifest or label file: 0 or 4."""
    rng = stage.random
    form = rng.choice(("npy", "h5", "json list", "json spans", "csv column", "csv spans"))
    rows, _ = _dataset(stage, [form])
    target = stage.work / str(rows[0]["labels"])
    if rng.random() < 0.2:
        target = stage.write("manifest.json", json.dumps(rows))
    else:
        stage.write("manifest.json", json.dumps(rows))
    kind, content = mutate(rng, target.read_bytes())
    target.write_bytes(content)
    stage.use_plugins("cvad")
    _evaluate(stage, {0, 2, 4} if target.name == "manifest.json" else {0, 4})
    return f"damaged {'manifest' if target.name == 'manifest.json' else form}: {kind}"


def _hostile_file(stage: Stage) -> str:
    """A label file that runs code, never ends, or declares more than it holds: 4, and nothing happens."""
    rng = stage.random
    rows, _ = _dataset(stage, ["json list"])
    suffix, content = hostile_label_file(rng)
    kind = rng.choice(("content", "content", "content", "fifo", "device", "folder", "loop", "h5 huge", "h5 link"))
    name = f"evil{suffix if kind == 'content' else rng.choice(('.npy', '.json', '.csv', '.h5', '.mat'))}"
    path = stage.work / name
    match kind:
        case "content":
            path.write_bytes(content)
            kind = f"content {suffix} {content[:8]!r}"
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to(rng.choice(("/dev/zero", "/dev/random", "/dev/tty")))
        case "folder":
            path.mkdir()
        case "loop":
            path.symlink_to(path.name)
        case "h5 huge":
            path = path.with_suffix(".h5")
            with h5py.File(path, "w") as file:
                file.create_dataset(
                    "v0.clip", shape=(rng.choice((10**10, 2**40)),), dtype="u1", chunks=(1024,), compression="gzip"
                )
        case "h5 link":
            stage.write("private.txt", "private words")
            path = path.with_suffix(".h5")
            with h5py.File(path, "w") as file:
                file["v0.clip"] = rng.choice(
                    (h5py.ExternalLink("/etc/passwd", "/"), h5py.SoftLink("/v0"), h5py.ExternalLink(path.name, "/v0"))
                )
    rows[0] = {**rows[0], "labels": path.name}
    stage.write("manifest.json", json.dumps(rows))
    _evaluate(stage, {4})
    stage.check(not (stage.work / "canary").exists(), "code in a label file was run")
    return f"hostile file: {kind}"
