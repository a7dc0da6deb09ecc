"""Prompt templates: what the backend is asked is the template with its slots filled, or the template is refused."""

from __future__ import annotations

import json
import random

from anyanomaly.config.toml import toml_value
from tests.campaign.hostile import TEMPLATE_TRAPS, hostile_text, mutate
from tests.campaign.plugin import SEGMENT
from tests.campaign.stage import Stage

_TEXTS = (
    "red",
    "a {hint} of {text}",
    "{output}",
    "{0}",
    "{text.__class__}",
    "%s",
    "\\1 \\g<0>",
    "$HOME",
    "{{text}}",
    "é 日本 🚲",
)


def play(stage: Stage) -> str:
    """One of: a template by grammar, one that expands without end, a damaged one, or a question in settings."""
    kinds = ((_by_grammar, 60), (_expanding, 10), (_damaged, 25), (_settings, 15))
    (kind,) = stage.random.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
    stage.write("a.clip", f"{SEGMENT} 1")
    return kind(stage)


def _clean(text: str) -> str:
    """Return a text that a TOML file and an event text may hold, whatever else is in it."""
    return "".join(character for character in text if character.isprintable() or character == " ")


def _ask(stage: Stage, text: str, *flags: str, codes: set[int]) -> str | None:
    """Run with a prompt and return the question that the backend got; None: it got none."""
    arguments = ("a.clip", f"--text={text}", "--backend.log", "log.txt", "--no-cache", "--max-unreadable", "1", *flags)
    stage.engine_run(*arguments, codes=codes, writes=["log.txt"])
    log = stage.work / "log.txt"
    questions = log.read_text().splitlines() if log.exists() else []
    return json.loads(questions[0])[2] if questions else None


def _fill(question: str, text: str, word: str) -> str:
    """Fill the slots of a template in one pass, and remove lines of the hint, of which these runs have none."""
    lines = question.strip("\n").split("\n")
    kept = "\n".join(line for line in lines if line.strip(" \t") != "{hint}")
    parts: list[str] = []
    slots = {"{text}": text, "{output}": word, "{hint}": ""}
    position = 0
    while position < len(kept):
        slot = next((name for name in slots if kept.startswith(name, position)), "")
        parts.append(slots[slot] if slot else kept[position])
        position += len(slot) or 1
    return "".join(parts)


def _question(rng: random.Random) -> str:
    parts = [
        rng.choice(
            (
                "{text}",
                "{output}",
                "\n{hint}\n",
                "Is there ",
                "\n",
                " ",
                "{",
                "}",
                "{{text}}",
                *TEMPLATE_TRAPS[1:],
                _clean(hostile_text(rng, 2))[:50],
            )
        )
        for _ in range(rng.randint(1, 8))
    ]
    return "".join(parts)


def _by_grammar(stage: Stage) -> str:
    """A template with a slot for the text is asked, filled; one without is refused."""
    rng = stage.random
    question, text, word = _question(rng), rng.choice(_TEXTS), rng.choice(("Response", "Reply", "{text}", "é"))
    if rng.random() < 0.8:
        question = f"{rng.choice(('Q', '{text} or', '{'))} {question} {{text}} ."
    stage.write("p.toml", f"question = {toml_value(question)}\noutput_word = {toml_value(word)}\n")
    is_valid = "{text}" in question
    asked = _ask(stage, text, "--prompt", "p.toml", codes={0} if is_valid else {2})
    wanted = _fill(question, text, word)
    has_removed_line = "\n{hint}" in question or "{hint}\n" in question
    if is_valid and not has_removed_line:
        stage.check(asked == wanted, f"asked {asked!r} instead of {wanted!r}")
    stage.check(is_valid or asked is None, "a template without a slot for the text was asked")
    return f"template {'valid' if is_valid else 'without text'}, {question.count('{')} braces, text {text[:12]}"


def _expanding(stage: Stage) -> str:
    """A template that grows beyond sense is refused within seconds: 2; one of a moderate size is asked."""
    rng = stage.random
    count = rng.choice((5, 100_000, 3_000_000))
    slot = rng.choice(("{text}", "{output}"))
    stage.write(
        "p.toml",
        f"question = {toml_value('{text}' + slot * count)}\n"
        + f"output_word = {toml_value('w' * rng.choice((1, 10_000)))}\n",
    )
    asked = _ask(stage, "x" * 400, "--prompt", "p.toml", codes={0} if count == 5 else {2})
    stage.check(asked is None or len(asked) < 10_000_000, "a question of more than 10 MB was asked")
    return f"expanding {slot} {count}"


def _damaged(stage: Stage) -> str:
    """A damaged or foreign template file: 0 or 2."""
    rng = stage.random
    content = b'question = "Is there {text}?\\n{hint}"\nsystem = "You look."\ntext_first = true\n'
    kind, content = mutate(rng, content)
    if rng.random() < 0.4:
        odd = {
            "list": b"question = ['{text}']\n",
            "number": b"question = 5\n",
            "table": b"[question]\ntext = 1\n",
            "unknown": b'question = "{text}"\nx = 1\n',
            "flag as word": b'question = "{text}"\ntext_first = "yes"\n',
            "system list": b'question = "{text}"\nsystem = ["a"]\n',
            "name": b'name = "x"\nquestion = "{text}"\n',
            "huge": b'question = "{text}' + b"a" * 20_000_000 + b'"\n',
            "control": b'question = "{text} \\u001b[31m \\u0000"\n',
            "deep": b"question = " + b"[" * 50_000,
        }
        kind = rng.choice(list(odd))
        content = odd[kind]
    stage.write("p.toml", content)
    _ask(
        stage,
        "red",
        "--prompt",
        "p.toml",
        codes={2}
        if kind in ("list", "number", "table", "unknown", "name", "flag as word", "system list", "deep")
        else {0, 2},
    )
    return f"damaged: {kind}"


def _settings(stage: Stage) -> str:
    """Overrides on the command line fill the question as they are."""
    rng = stage.random
    word = rng.choice(("Answer", "{text}", "{output}", "%s", "a" * 1000, "é"))
    stage.write("p.toml", 'question = "Is there {text}? {output}:"\n')
    asked = _ask(stage, "red", "--prompt", "p.toml", f"--prompt.output-word={word}", codes={0})
    stage.check(asked == f"Is there red? {word}:", f"asked {asked!r}")
    return f"output word {word[:10]}"
