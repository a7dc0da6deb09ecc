"""Answers of models: with known scores, without one, and hostile."""

from __future__ import annotations

import json
import random

from tests.campaign.hostile import NUMBERS, hostile_text
from tests.campaign.plugin import SEGMENT
from tests.campaign.results import read_lines
from tests.campaign.stage import Stage

_SENTENCES = (
    "The image shows a street.",
    "A wall is in the picture.",
    "It is a grey day.",
    "The camera looks at a square.",
)
_LABELS = ("Score", "score", "Rating", "Anomaly score", "得分", "Bewertung", "Final score")


def _with_score(rng: random.Random) -> tuple[str, str, float | None]:
    """Return a form, an answer, and the score that a careful person reads from it."""
    tenths = rng.randrange(11)
    value, sentence, label = tenths / 10, rng.choice(_SENTENCES), rng.choice(_LABELS)
    forms: dict[str, tuple[str, float | None]] = {
        "leading": (f"{value}. {sentence}", value),
        "bare": (f" {value} ", value),
        "labelled": (f"{label}: {value}\n{sentence}", value),
        "percent": (f"Score: {10 * tenths}%", value),
        "of ten": (f"Score: {tenths}/10. {sentence}", value),
        "json": (json.dumps({"score": value, "reason": sentence}), value),
        "json in a fence": (f"```json\n{json.dumps({'score': value, 'reason': sentence})}\n```", value),
        "tag": (f"<answer>{value}</answer>", value),
        "boxed": (f"\\boxed{{{value}}}", value),
        "thoughts": (f"<think>Perhaps {rng.randrange(11) / 10}.</think>\n{value}. {sentence}", value),
        "open thoughts": (f"<think>I wonder whether it is {value}", None),
        "wide digits": (str(value).translate(str.maketrans("0123456789.", "０１２３４５６７８９．")), value),
        "bold": (f"**Score:** {value}\n\n{sentence}", value),
        "range": (f"{tenths / 20:.2f}-{tenths / 20 + 0.3:.2f}", None),
        "two scores": (f"Score: 0.{rng.randint(1, 4)}. Score: 0.{rng.randint(5, 9)}", None),
        "no number": (sentence, None),
        "too large": (f"Score: {rng.randint(2, 9)}", None),
        "below zero": (f"Score: -0.{rng.randint(1, 9)}", None),
        "bound": (f"at least 0.{rng.randint(1, 9)}", None),
        "empty": (rng.choice(("", " ", "\n", "\t\n ")), None),
        "refusal": (f"Please provide the image. {value}", None),
    }
    form = rng.choice(list(forms))
    return form, *forms[form]


def _hostile(rng: random.Random) -> tuple[str, str]:
    """Return a kind and an answer that may stumble a parser; its score is unknown, or missing."""
    repeated = rng.choice(
        ("0.5 ", "(", "Score: ", "0.", "<think>", "[[", '{"a":', "9", "not ", "1/", "a-", " ", "\n", "-0", "0,0")
    )
    kinds = {
        "hostile words": lambda: hostile_text(rng, 12),
        "long": lambda: repeated * rng.choice((1000, 20_000)),
        "huge": lambda: rng.choice("a0 .\n") * 100_000,
        "odd number": lambda: f"Score: {rng.choice(NUMBERS)}",
        "nested": lambda: "[" * rng.choice((100, 50_000)) + "0.5" + "]" * 100,
        "nested object": lambda: '{"score":' * rng.choice((10, 5000)) + "0.5",
        "cut json": lambda: json.dumps({"score": 0.5, "reason": hostile_text(rng)})[: rng.randint(1, 30)],
        "score in hostile words": lambda: f"{hostile_text(rng)} Score: 0.5 {hostile_text(rng)}",
    }
    kind = rng.choice(list(kinds))
    return kind, kinds[kind]()


def play(stage: Stage) -> str:
    """A run whose answers are given: known scores are read, others are in [0, 1] or missing, records stay whole."""
    rng = stage.random
    answers: list[str] = []
    wanted: list[float | None] = []
    kinds: list[str] = []
    is_hostile: list[bool] = []
    for _ in range(rng.randint(2, 6)):
        is_hostile.append(rng.random() < 0.5)
        if is_hostile[-1]:
            kind, answer = _hostile(rng)
            value = None
        else:
            kind, answer, value = _with_score(rng)
        kinds.append(kind)
        answers.append(answer)
        wanted.append(value)
    stage.write("answers.json", json.dumps(answers))
    answers = json.loads(json.dumps(answers))  # in JSON, a high and a low surrogate are one character
    stage.write("a.clip", f"{SEGMENT * len(answers)} 1")
    arguments = ["a.clip", "-t", "red", "-o", "out.jsonl", "-o", "out.csv", "--backend.answers", "answers.json"]
    as_json = rng.random() < 0.5
    stage.engine_run(
        *arguments, *(["--json"] if as_json else []), "--max-unreadable", "1", writes=["out.jsonl", "out.csv"]
    )
    lines = [line for line in read_lines(stage, "out.jsonl") if line["type"] == "segment"]
    stage.check(len(lines) == len(answers), f"{len(lines)} records of {len(answers)} segments")
    for line, answer, value, hostile, kind in zip(lines, answers, wanted, is_hostile, kinds, strict=False):
        if hostile:
            stage.check(line["value"] is None or 0 <= line["value"] <= 1, f"{kind}: the score {line['value']}")
        else:
            stage.check(line["value"] == value, f"{answer!r}: score {line['value']} instead of {value}")
        stored = line["scores"]["key"]["answer"]
        storable = answer.encode("utf-8", "backslashreplace").decode()
        stage.check(stored == storable, f"{kind}: the stored answer differs: {stored[:60]!r}")
    if rng.random() < 0.3:
        _check_share(stage, answers)
    return kinds[0]


def _check_share(stage: Stage, answers: list[str]) -> None:
    """Without any readable score the backend has failed: exit code 5."""
    stage.write("answers.json", json.dumps(["The street is empty."] * len(answers)))
    stage.engine_run("a.clip", "-t", "red", "--backend.answers", "answers.json", "--no-cache", codes={5})
