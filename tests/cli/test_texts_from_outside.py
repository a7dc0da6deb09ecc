"""Texts from outside: they cannot steer a terminal, forge a line or a column, or make a result unreadable."""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anyanomaly.bench.render import escape_markdown
from anyanomaly.cli.output import MessageFormatter
from tests.cli.conftest import Cli

HOSTILE = (
    "1.0 \x1b]8;;http:evil.test\x1b\\click\x1b[2J\r\x08\x07\x9b31m\x7f \u202etxt.exe\u2066 \u2028next \x85 "
    "\x0b\x0c\x1c\x1e \udcdf\udfff"
)
SAFE_CONTROLS = "\n\t"


def assert_safe(printed: str) -> None:
    """Fail when a terminal would obey a character of ``printed``, or a program would split one of its lines."""
    for char in printed:
        category, bidi = unicodedata.category(char), unicodedata.bidirectional(char)
        assert category not in {"Cc", "Cs", "Zl", "Zp"} or char in SAFE_CONTROLS, ascii(char)
        assert bidi not in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}, ascii(char)


def test_answers_in_every_output(red: Cli, folder: Path) -> None:
    outputs = ["-o", "r.jsonl", "-o", "r.json", "-o", "r.csv"]
    plain = red("--backend.words", HOSTILE, *outputs, video="street.scene")
    assert plain.code == 0
    assert_safe(plain.out + plain.err)
    assert [len(line.split("\t")) for line in plain.out.splitlines()] == [5]
    as_json = red("--backend.words", HOSTILE, "--json")
    assert_safe(as_json.out)
    (event,) = map(json.loads, as_json.out.splitlines())
    assert "\u202etxt.exe" in event["rationale"]  # JSON holds the exact text
    lines = Path("r.jsonl").read_text("utf-8").splitlines()  # at U+2028 too
    answers = [json.loads(line)["scores"]["key"]["answer"] for line in lines if '"segment"' in line.split(",")[0]]
    assert set(answers) == {HOSTILE.replace("\udcdf\udfff", r"\udcdf\udfff")}
    assert json.loads(Path("r.json").read_text("utf-8"))["events"]
    with Path("r.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == 33


def test_recorded_answers_are_read_again(red: Cli) -> None:
    red("--backend.words", HOSTILE, "-o", "r.jsonl")
    exact = [json.loads(line) for line in Path("r.jsonl").read_text("utf-8").split("\n") if line]
    raw = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in exact)  # as another program writes it
    Path("raw.jsonl").write_text(raw, "utf-8")
    replay = red("--backend", "replay", "--backend.path", "raw.jsonl", "--json")
    assert replay.code == 0, replay.err
    assert len(replay.out.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [f"--{HOSTILE}"],
        ["run", f"--{HOSTILE}"],
        ["run", "street.scene", "-t", HOSTILE],
        ["run", f"{HOSTILE}.mp4", "-t", "red", "--backend", "red", "--encoder", "colour"],
        ["run", "street.scene", "-t", "red", "--backend", HOSTILE],
        ["run", "street.scene", "-t", "red", "--prompt", HOSTILE],
        ["run", "street.scene", "-t", "red", "-o", f"{HOSTILE}.xyz"],
        ["config", "show", f"{HOSTILE}.mp4", "-t", "red", "--backend", "red"],
        ["plugins", "show", HOSTILE],
        ["plugins", "check", f"backend:{HOSTILE}"],
        ["--config", HOSTILE, "run", "street.scene", "-t", "red"],
        ["bench", HOSTILE],
        ["eval", HOSTILE],
        [HOSTILE],
    ],
)
def test_arguments_in_messages(cli: Cli, arguments: list[str]) -> None:
    result = cli(*arguments)
    assert result.code in (0, 2, 4)
    assert_safe(result.out + result.err)
    assert len(result.err.splitlines()) <= 1


def test_settings_are_valid_toml(cli: Cli) -> None:
    import tomllib

    shown = cli("config", "show", f"{HOSTILE}.mp4", "-t", "red", "--backend", "red")
    (video,) = tomllib.loads(shown.out)["videos"]
    assert video == f"{HOSTILE}.mp4".replace("\udcdf\udfff", r"\udcdf\udfff")


def test_a_plugin_that_speaks(cli: Cli, folder: Path) -> None:
    Path("loud.py").write_text(
        f"TEXT = {HOSTILE!a}\n"
        "from pydantic import Field\n"
        "from anyanomaly import BackendSpec, hookimpl\n"
        "from anyanomaly.api import Options\n"
        "class Loud(Options):\n"
        "    level: str = Field(TEXT, description=TEXT)\n"
        "@hookimpl\n"
        "def anyanomaly_register_backends():\n"
        "    return [BackendSpec(name='loud', summary=TEXT, target='loud:No', options=__name__ + ':Loud')]\n"
    )
    for arguments in (
        ["plugins"],
        ["plugins", "--json"],
        ["plugins", "show", "backend:loud"],
        ["plugins", "check", "backend:loud"],
    ):
        result = cli("-p", "loud.py", *arguments)
        assert_safe(result.out + result.err)
    assert_safe(cli("-p", "loud.py", "run", "--backend", "loud", "--help").out)
    Path("broken.py").write_text(f"raise ValueError({HOSTILE!a})\n")
    result = cli("-p", "broken.py", "plugins")
    assert result.code == 2
    assert_safe(result.err)


def test_show_escapes_for_the_terminal_html_and_json(cli: Cli, folder: Path) -> None:
    shown = cli(
        *("show", "street.scene", "-t", "<b>red</b>", "--segment", "1", "--segment-frames", "8", "-d", "page"),
        *("--encoder", "colour", "--backend", "red", "--backend.words", f"{HOSTILE}</pre><script>"),
    )
    assert shown.code == 0
    assert_safe(shown.out + shown.err)
    page = Path("page/index.html").read_text("utf-8")
    assert_safe(page + Path("page/answers.json").read_text("utf-8"))
    assert "<script" not in page


def test_log_records_of_libraries() -> None:
    record = logging.LogRecord("library", logging.WARNING, "", 0, "%s", (f"{HOSTILE}\nanyanomaly: forged",), None)
    printed = MessageFormatter().format(record)
    assert_safe(printed)
    assert len(printed.splitlines()) == 1


@pytest.mark.parametrize("encoding", ["ascii:strict", "latin-1:strict", "utf-8:strict"])
def test_every_locale(folder: Path, encoding: str) -> None:
    """What a stream cannot encode is escaped, and JSON stays JSON."""
    import subprocess

    from tests.cli.conftest import PLUGIN

    plain = ["--backend", "red", "--selector", "middle", "--context", "key"]
    words = ["-t", "red", *plain, "--backend.words", "1.0 Größe 猫 😀"]
    process = subprocess.run(
        [sys.executable, "-m", "anyanomaly", "-p", PLUGIN, "run", "street.scene", b"stra\xdfe.scene", *words, "--json"],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (process.returncode, b"Traceback" in process.stderr) == (4, False), process.stderr
    (event,) = [event for line in process.stdout.splitlines() if (event := json.loads(line))["type"] == "event"]
    assert "猫 😀" in event["rationale"] or "\\udc" in event["rationale"]  # Python decodes arguments as ASCII there


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(), max_size=40))
def test_escapes_for_markdown(text: str) -> None:
    assert_safe(escape_markdown(text))
    assert "\n" not in escape_markdown(text)
    assert escape_markdown(text).replace("\\|", "").count("|") == 0 or "\\" in text
