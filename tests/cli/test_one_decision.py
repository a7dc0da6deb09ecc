"""One decision, one place: every command answers the same for the same settings.

The tests compare which components and options ``run --help``, ``config show``, ``run``, ``show``, ``eval``,
``eval --check`` and ``doctor`` report.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyanomaly.registry import auto
from tests.cli.conftest import Cli, Result

ENGINES = str(Path(__file__).with_name("engines_plugin.py"))
DATASET = str(Path(__file__).with_name("fake_dataset.py"))
VIDEO = "street.scene"


@pytest.fixture
def ask(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command with the engines and the dataset of these tests, on a machine with a GPU."""
    monkeypatch.setattr(auto, "has_nvidia_gpu", lambda: True)
    monkeypatch.setattr("anyanomaly.cli.doctor.DEVICES", "print('[]')")

    (folder / "scenes").mkdir()

    def run(*words: str) -> Result:
        return cli("-p", ENGINES, "-p", DATASET, *words)

    return run


class Answers:
    """What each command says of a run with some flags, given on the command line and in a config file."""

    def __init__(self, ask: Callable[..., Result], flags: list[str]) -> None:
        common = ["--encoder", "colour", "--segment-frames", "8", "--no-cache", *flags]
        words = ["-t", "red", *common]
        self.help = ask("run", *common, "--help").out
        self.config = tomllib.loads(ask("config", "show", VIDEO, *words).out)
        assert ask("run", VIDEO, *words, "-o", "run.jsonl").code == 0
        self.header = json.loads(Path("run.jsonl").read_text().splitlines()[0])
        self.show = ask("show", VIDEO, *words, "--segment", "1", "-d", "page").err
        dataset = ["scenes", "--root", "scenes", "--protocol", "fixed"]
        assert ask("eval", *dataset, *words, "-o", "eval.json").code == 0
        self.result = json.loads(Path("eval.json").read_text())

    def backends(self) -> set[str]:
        """Return the backends that the commands take; one when they agree."""
        flags = {"engine-gpu": "--backend.streams", "engine-cpu": "--backend.threads", "red": "--backend.level"}
        names = {name for name, flag in flags.items() if flag in self.help}
        if "backend " in self.show:
            names.add(self.show.partition("backend ")[2].partition(",")[0])
        configs = (self.config, self.header["config"], self.result["config"])
        return names | {config["backend"]["name"] for config in configs}

    def values(self, *path: str) -> list[Any]:
        """Return a setting as `config show`, the results of a run and those of an evaluation have it."""
        values = []
        for config in (self.config, self.header["config"], self.result["config"]):
            value: Any = config
            for key in path:
                value = value[key]
            values.append(value)
        return values


@pytest.mark.parametrize(
    ("flags", "backend", "device"),
    [
        ([], "engine-gpu", "auto"),
        (["--backend.device", "cpu"], "engine-cpu", "cpu"),
        (["--device", "cpu"], "engine-cpu", "cpu"),
        (["--device", "cpu", "--backend.device", "cuda"], "engine-gpu", "cuda"),
        (["--backend=engine-cpu"], "engine-cpu", "auto"),
        (["--backend", "red"], "red", None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_every_command_takes_the_same_backend(
    ask: Callable[..., Result], flags: list[str], backend: str, device: str | None
) -> None:
    answers = Answers(ask, flags)
    assert answers.backends() == {backend}
    if device is not None:
        assert answers.values("backend", "device") == [device] * 3
        assert f"where it runs [default: {device}]" in answers.help


@pytest.mark.parametrize("table", ["backend", "run"])
def test_a_device_in_the_config_file_counts_as_on_the_command_line(
    ask: Callable[..., Result], folder: Path, table: str
) -> None:
    (folder / "anyanomaly.toml").write_text(f"[{table}]\ndevice = 'cpu'\n[encoder]\nname = 'colour'\n")
    report = json.loads(ask("doctor", "--json").out)
    used = {component["role"]: component["name"] for component in report["run"]}
    assert used["backend"] == report["auto"]["backend"] == "engine-cpu"
    assert "backend engine-cpu" in report["next"]
    assert Answers(ask, []).backends() == {"engine-cpu"}


@pytest.mark.parametrize(("backend", "device"), [("engine-cpu", "cpu"), ("red", None)])
def test_the_device_of_a_table_without_a_name_is_for_any_backend(
    ask: Callable[..., Result], folder: Path, backend: str, device: str | None
) -> None:
    (folder / "anyanomaly.toml").write_text("[backend]\ndevice = 'cpu'\n[encoder]\ndevice = 'cpu'\n")
    answers = Answers(ask, ["--backend", backend])  # the encoder of these tests has no device
    assert answers.backends() == {backend}
    if device is not None:
        assert answers.values("backend", "device") == [device] * 3


@pytest.mark.parametrize(
    ("flags", "path", "value"),
    [
        ([], ("context", "key", "weight"), 0.6),
        (["--preset", "paper"], ("context", "position", "contrast_run_texts"), False),
        (["--preset", "paper-avenue"], ("context", "temporal", "large"), 240),
        (["--context.position.large", "100"], ("context", "position", "large"), 100),
        (["--device", "cpu", "--seed", "7"], ("backend", "seed"), 7),
        (["--selector", "random", "--seed", "7"], ("selector", "seed"), 7),
        (["--backend", "red", "--backend.mode", "fancy"], ("backend", "mode"), "fancy"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else None,
)
def test_every_option_is_written_down_as_it_is_used(
    ask: Callable[..., Result], flags: list[str], path: tuple[str, ...], value: Any
) -> None:
    assert Answers(ask, flags).values(*path) == [value] * 3


def test_help_shows_the_seed_that_components_get(ask: Callable[..., Result]) -> None:
    assert "seed [default: 7]" in ask("run", "--device", "cpu", "--seed", "7", "--help").out


def test_results_hold_what_decided_the_scores(ask: Callable[..., Result]) -> None:
    header = Answers(ask, ["--scoring", "words"]).header
    assert header["config"]["context"]["position"]["small"] == 48
    assert header["prompt"]["name"] == "reason-consideration"
    assert "**{text}**" in header["prompt"]["question"]
    assert len(header["prompt"]["sha256"]) == 64
    assert [reader["name"] for reader in header["readers"]] == ["scene"]
    assert set(header["revisions"]) == {"encoder", "backend"}


WRONG = {
    "an option that no reader has": "[reader]\nbogus = 1\n",
    "a reader that does not exist": "[reader]\nname = 'vidoe'\n",
}


@pytest.mark.parametrize("table", WRONG.values(), ids=WRONG.keys())
def test_every_command_refuses_the_same_reader(ask: Callable[..., Result], settings_file: Path, table: str) -> None:
    settings_file.write_text(table + "[encoder]\nname = 'colour'\n[backend]\nname = 'red'\n")
    commands = (
        ["run", VIDEO, "-t", "red"],
        ["show", VIDEO, "-t", "red", "--segment", "0", "-d", "page"],
        ["config", "show", VIDEO, "-t", "red"],
        ["config", "show"],
        ["eval", "scenes", "--root", "scenes", "--check"],
        ["eval", "scenes", "--root", "scenes"],
    )
    results = [ask(*words) for words in commands]
    assert {result.code for result in results} == {2}
    assert len({result.error for result in results}) == 1


def test_show_asks_nothing_that_a_run_asked(ask: Callable[..., Result]) -> None:
    words = [VIDEO, "-t", "red", "--encoder", "colour", "--segment-frames", "8", "--backend", "red"]
    assert ask("run", *words).code == 0
    assert ask("show", *words, "--segment", "1", "-d", "first", "--backend.fail", "engine").code == 0


def test_show_gives_the_scores_and_reasons_of_a_run(ask: Callable[..., Result]) -> None:
    texts, backend = ["-t", "red", "-t", "green"], ["--backend", "engine-cpu"]
    words = [VIDEO, *texts, "--encoder", "colour", "--segment-frames", "8", *backend]
    weights = ["--context.key.weight", "0.1", "--context.temporal.weight", "0.8", "--context.temporal.windows", "3"]
    assert ask("run", *words, *weights, "-o", "run.jsonl").code == 0
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert ask("show", *words, *weights, "--segment", "1", "-d", "page").code == 0
    answers = {text["text"]: text for text in json.loads(Path("page/answers.json").read_text())["texts"]}
    for line in lines:
        if line["type"] == "segment" and line["segment"] == 1:
            text = answers[line["text"]]
            assert text["score"] == pytest.approx(line["value"], abs=1e-6)
            best: dict[str, float] = {}
            for part in text["contexts"]:
                best[part["context"]] = max(best.get(part["context"], 0.0), part["score"])
            assert best == {name: score["value"] for name, score in line["scores"].items()}


def test_show_takes_no_outputs(ask: Callable[..., Result]) -> None:
    result = ask("show", VIDEO, "-t", "red", "--segment", "0", "-d", "page", "-o", "x.jsonl")
    assert result.code == 2
    assert "No such option: -o" in result.error


REFUSED = {
    "options of a context that does not exist": "[context.nope]\nweight = 1\n",
    "a context that does not exist": "contexts = ['nope']\n",
    "no weight": "contexts = ['key']\n[context.key]\nweight = 0\n",
    "an infinite weight": "[context.key]\nweight = inf\n",
    "empty segments": "[run]\nevery = 30\n",
    "scoring without log-probabilities": "[run]\nscoring = 'expected'\n",
    "reasons without a question for them": "[run]\nreason_above = 0.5\n",
    "too many images": "contexts = ['frames']\n",
    "a prompt that does not exist": "[prompt]\nname = 'nope'\n",
    "an encoder that does not exist": "[encoder]\nname = 'nope'\n",
    "a reader that does not exist": "[reader]\nname = 'vidoe'\n",
    "an option that no reader has": "[reader]\nbogus = 1\n",
    "a device that the backend does not run on": "[backend]\nname = 'engine-gpu'\ndevice = 'cpu'\n",
}

RECIPE = """
title = "t"
[config]
{settings}
[[backend]]
label = "B"
config = {{}}
[[dataset]]
label = "D"
name = "scenes"
options = {{root = "scenes"}}
"""


@pytest.mark.parametrize("table", REFUSED.values(), ids=REFUSED.keys())
def test_every_command_refuses_what_a_run_refuses(
    ask: Callable[..., Result], folder: Path, settings_file: Path, table: str
) -> None:
    tables = "".join(
        f"[{role}]\nname = '{name}'\n"
        for role, name in (("encoder", "colour"), ("backend", "red"))
        if f"[{role}]" not in table
    )
    settings = f"{table}{tables}"
    settings_file.write_text(settings)
    recipe_settings = f"\n{settings}".replace("\n[", "\n[config.")
    (folder / "recipe.toml").write_text(RECIPE.format(settings=recipe_settings))
    commands = (
        ["run", VIDEO, "-t", "red"],
        ["show", VIDEO, "-t", "red", "--segment", "0", "-d", "page"],
        ["config", "show"],
        ["eval", "scenes", "--root", "scenes"],
        ["bench", "recipe.toml", "--list"],
    )
    results = [ask(*words) for words in commands]
    assert {result.code for result in results} == {2}
    messages = {result.error.removeprefix("anyanomaly: ").removeprefix("In 'B · D': ") for result in results}
    assert len(messages) == 1
    assert json.loads(ask("doctor", "--json").out)["next"] == messages.pop()


def test_config_show_prints_the_settings_that_a_run_refuses(ask: Callable[..., Result]) -> None:
    result = ask("config", "show", "--encoder", "colour", "--backend", "red", "--scoring", "expected")
    assert result.code == 2
    assert tomllib.loads(result.out)["run"]["scoring"] == "expected"


def test_a_component_that_the_run_does_not_use_is_not_checked(ask: Callable[..., Result], folder: Path) -> None:
    settings = "selector = 'middle'\ncontexts = ['key']\nbackend = 'red'\n[encoder]\nname = 'nope'\n"
    (folder / "anyanomaly.toml").write_text(settings)
    assert ask("run", VIDEO, "-t", "red", "--segment-frames", "8").code == 0
    assert ask("config", "show").code == 0
    report = json.loads(ask("doctor", "--json").out)
    assert {component["role"] for component in report["run"]} == {"selector", "context", "backend"}
    assert "(backend red;" in report["next"]


def test_options_of_a_preset_are_for_readers_that_have_them(ask: Callable[..., Result], settings_file: Path) -> None:
    words = ["--preset", "paper", "--reader", "scene", "--backend", "red", "--encoder", "colour"]
    assert ask("run", VIDEO, "-t", "red", *words, "--segment-frames", "8").code == 0
    assert ask("config", "show", VIDEO, *words).code == 0
    settings_file.write_text("[reader]\nmax_side = 100\n")  # the user's own option is not ignored
    assert "Reader 'scene' has no option 'max_side'" in ask("run", VIDEO, "-t", "red", *words).error


def test_no_file_gets_two_results(ask: Callable[..., Result], folder: Path) -> None:
    words = ["--encoder", "colour", "--backend", "red", "-o", "a.jsonl", "-o", "./a.jsonl"]
    for command in (["run", VIDEO, "-t", "red"], ["config", "show"]):
        result = ask(*command, *words)
        assert result.code == 2
        assert "Two results would go to the file" in result.error
    assert not (folder / "a.jsonl").exists()
