"""Scores that exist: what follows the answers can be set anew, and gives what a run with these settings gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import anyanomaly
from anyanomaly.errors import UsageError
from tests.cli.conftest import Cli, Result

CLI_TESTS = Path(__file__).parents[1] / "cli"
PLUGIN = str(CLI_TESTS / "fake_dataset.py")
RUN = ["--selector", "middle", "--encoder", "colour", "--backend", "red", "--segment-frames", "10"]


@pytest.fixture
def evaluate(cli: Cli, folder: Path) -> Callable[..., Result]:
    """Evaluate class red of the scenes, whose videos end in a short segment, with all contexts."""

    def run(*words: str) -> Result:
        return cli("-p", PLUGIN, "eval", "scenes", "--root", str(folder), "-t", "red", "--protocol", "fixed", *words)

    return run


@pytest.fixture
def scores(evaluate: Callable[..., Result]) -> str:
    assert evaluate(*RUN, "-o", "scores.jsonl").code == 0
    return "scores.jsonl"


def content(path: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(Path(path).read_text())
    return result


SETTINGS = [
    ["--threshold", "0.05"],
    ["--smooth-seconds", "0"],
    ["--smooth-frames", "3"],
    ["--merge-seconds", "0"],
    ["--min-event-seconds", "3"],
    ["--no-keep-tail"],
    ["--context", "position", "--context", "key"],
    ["--context.key.weight", "0.1"],
    ["--threshold", "0.05", "--context", "temporal", "--context.temporal.weight", "2"],
]


@pytest.mark.parametrize("flags", SETTINGS, ids=" ".join)
def test_a_setting_for_scores_gives_what_a_run_with_it_gives(
    evaluate: Callable[..., Result], scores: str, flags: list[str]
) -> None:
    ran = evaluate(*RUN, *flags, "-o", "ran.json")
    measured = evaluate("--scores", scores, *flags, "-o", "measured.json")
    assert measured.code == ran.code
    assert content("measured.json")["protocols"] == content("ran.json")["protocols"]
    assert content("measured.json")["problems"] == content("ran.json")["problems"]
    for key in ("run", "contexts"):
        assert content("measured.json")["config"][key] == content("ran.json")["config"][key]
    (note,) = (note for note in content("measured.json")["notes"] if "Settings that differ" in note)
    assert note.startswith("Settings that differ from the run of the scores: ")
    assert f"anyanomaly: {note}" in measured.err.splitlines()


def test_a_note_names_what_was_set_and_what_it_was(evaluate: Callable[..., Result], scores: str) -> None:
    result = evaluate("--scores", scores, "--threshold", "0.05", "--context.key.weight", "0.1")
    assert "of the scores: threshold 0.05 (was 0.5), weight of key 0.1 (was " in result.err


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--backend", "red"], "--backend"),
        (["--encoder", "colour"], "--encoder"),
        (["--selector", "middle"], "--selector"),
        (["--reader", "scene"], "--reader"),
        (["--prompt", "yes-no"], "--prompt"),
        (["--preset", "paper"], "--preset"),
        (["--scoring", "expected"], "--scoring"),
        (["--segment-frames", "12"], "--segment-frames"),
        (["--every", "2"], "--every"),
        (["--device", "cpu"], "--device"),
        (["--no-cache"], "--no-cache"),
        (["--context.position.large", "3"], "--context.position.large"),
        (["--sink", "jsonl"], "--sink"),
    ],
)
def test_a_flag_that_does_not_apply_to_scores_is_refused_by_name(
    evaluate: Callable[..., Result], scores: str, flags: list[str], name: str
) -> None:
    result = evaluate("--scores", scores, *flags)
    assert result.code == 2
    assert result.error == (
        f"anyanomaly: {name} does not apply to existing scores; omit it, or evaluate without --scores."
    )


def test_scores_cannot_be_written_again(evaluate: Callable[..., Result], scores: str) -> None:
    assert "-o s.csv: --scores computes no new scores" in evaluate("--scores", scores, "-o", "s.csv").error


def test_contexts_and_tails_that_have_no_scores_are_refused(evaluate: Callable[..., Result]) -> None:
    evaluate(*RUN, "--context", "key", "--no-keep-tail", "-o", "scores.jsonl")
    for flags, message in (
        (["--context", "key", "--context", "position"], "The scores have no context 'position'. They have: key."),
        (["--keep-tail"], "The run did not score the tails of the videos"),
        (["--context.key.weight", "0"], "All contexts have weight 0"),
    ):
        result = evaluate("--scores", "scores.jsonl", *flags)
        assert result.code == 2
        assert message in result.error


def test_a_named_config_file_is_laid_over_and_what_does_not_apply_is_noted(
    cli: Cli, evaluate: Callable[..., Result], scores: str, folder: Path
) -> None:
    Path("mine.toml").write_text(
        'backend = "cloud"\nselector = "middle"\n[run]\nthreshold = 0.05\nsegment_frames = 10\nevery = 2\n'
    )
    words = ["eval", "scenes", "--root", str(folder), "-t", "red", "--protocol", "fixed", "--scores", scores]
    cli("--config", "mine.toml", "-p", PLUGIN, *words, "-o", "e.json")
    assert content("e.json")["config"]["run"]["threshold"] == 0.05
    assert content("e.json")["config"]["backend"]["name"] == "red"
    (note,) = (note for note in content("e.json")["notes"] if "not used" in note)
    assert note.endswith("than file mine.toml has; not used: backend.name, run.every.")
    Path("mine.toml").rename("anyanomaly.toml")
    assert evaluate("--scores", scores, "-o", "e.json").code == 0
    assert content("e.json")["config"]["run"]["threshold"] == 0.5  # that of the run


def test_python_sets_and_refuses_the_same(scores: str, folder: Path) -> None:
    arguments: dict[str, Any] = {"root": folder, "classes": "red", "protocols": "fixed", "scores": scores}
    arguments["plugins"] = [PLUGIN, str(CLI_TESTS / "fake_plugin.py")]
    result = anyanomaly.evaluate("scenes", **arguments, run={"threshold": 0.05}, against=scores)
    events = result.protocols["fixed"].classes["red"].events
    assert events is not None
    assert events.threshold == 0.05
    assert result.answers is None
    assert result.comparison is not None
    assert result.comparison.mean.difference == 0
    with pytest.raises(UsageError, match=r"^run.every does not apply to existing scores"):
        anyanomaly.evaluate("scenes", **arguments, run={"every": 2})


MIRROR = '''"""A context under a name of its own."""
from anyanomaly import ContextSpec, hookimpl
from anyanomaly.builtin.contexts import KeyContext
from anyanomaly.types import Context


class Mirror(KeyContext):
    def build(self, segment, text, key_frames):
        (context,) = super().build(segment, text, key_frames)
        return [Context("mirror", context.images)]


@hookimpl
def anyanomaly_register_contexts():
    return [ContextSpec(name="mirror", summary="m", target="mirror:Mirror", options="anyanomaly.api:ContextOptions")]
'''


def test_the_contexts_of_the_scores_decide_which_weights_can_be_set(
    cli: Cli, evaluate: Callable[..., Result], folder: Path
) -> None:
    (folder / "mirror.py").write_text(MIRROR)
    words = ["-p", "mirror.py", "-p", PLUGIN, "eval", "scenes", "--root", str(folder), "-t", "red"]
    words += ["--protocol", "fixed"]
    assert cli(*words, *RUN, "--context", "key", "--context", "mirror", "-o", "scores.jsonl").code == 0
    result = cli(*words, "--scores", "scores.jsonl", "--context.mirror.weight", "3")
    assert "weight of mirror 3.0 (was 1.0)" in result.err
    result = cli(*words, "--scores", "scores.jsonl", "--context.position.weight", "3")
    assert result.error == "anyanomaly: The scores have no context 'position'. They have: key, mirror."
    Path("mine.toml").write_text("[context.position]\nweight = 3\n")
    result = cli("--config", "mine.toml", *words, "--scores", "scores.jsonl")
    assert "not used: context.position.weight." in result.err


def test_a_note_names_a_file_of_scores_with_other_settings(evaluate: Callable[..., Result], scores: str) -> None:
    assert evaluate(*RUN, "--threshold", "0.9", "-o", "strict.jsonl").code == 0
    result = evaluate("--scores", scores, "--scores", "strict.jsonl")
    assert "strict.jsonl has other settings than scores.jsonl, whose settings are used." in result.err
    assert "other settings" not in evaluate("--scores", scores, "--scores", scores).err


@pytest.mark.parametrize("option", ["--scores", "--against"])
def test_settings_that_this_version_does_not_have_name_the_file(
    evaluate: Callable[..., Result], scores: str, option: str
) -> None:
    header, *lines = Path(scores).read_text().splitlines()
    changed = json.loads(header)
    changed["config"]["run"]["future"] = 1
    Path("newer.jsonl").write_text("\n".join([json.dumps(changed), *lines]))
    result = evaluate(*(() if option == "--scores" else ("--scores", scores)), option, "newer.jsonl")
    assert result.code == 4
    assert "Cannot read the settings of the run in newer.jsonl: There is no setting 'run.future'." in result.error
