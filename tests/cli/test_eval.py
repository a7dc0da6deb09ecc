"""``anyanomaly eval`` prints figures and writes all of them to a file; faults are named and lose nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.errors import OutputError
from tests.cli.conftest import Cli, Result

PLUGIN = str(Path(__file__).with_name("fake_dataset.py"))
RUN = ["--selector", "middle", "--context", "key", "--segment-frames", "8", "--smooth-seconds", "0"]


@pytest.fixture
def evaluate(cli: Cli, folder: Path) -> Callable[..., Result]:
    """Return a function that runs ``anyanomaly eval scenes`` with the backend that sees red."""

    def run(*arguments: str, protocols: tuple[str, ...] = ("fixed",)) -> Result:
        flags = [*RUN, *(argument for name in protocols for argument in ("--protocol", name))]
        return cli("-p", PLUGIN, "eval", "scenes", "--root", str(folder), "--backend", "red", *flags, *arguments)

    return run


def read_result(path: str = "e.json") -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text())
    return content


def test_a_dataset_is_run_and_measured(evaluate: Callable[..., Result]) -> None:
    result = evaluate("-t", "red", "-o", "e.json", protocols=())
    assert result.code == 0
    head, row, null_auc, *_ = result.out.splitlines()
    assert head.split() == ["AUC", "in", "%", "fixed", "cross-video", "paper", "paper-oracle"]
    assert row.split()[:2] == ["red", "100.0"]
    assert null_auc.startswith("null AUC")
    content = read_result()
    assert content["protocols"]["fixed"]["classes"]["red"]["auc"] == 1.0
    assert content["protocols"]["fixed"]["classes"]["red"]["events"]["recall"] == 1.0
    assert content["config"]["backend"]["name"] == "red"
    assert content["backend"] == "red "
    assert content["hardware"]["cores"] >= 1
    assert content["answers"]["asked"] + content["answers"]["reused"] == 21
    assert "videos" not in content["config"]


def test_a_class_of_several_texts_is_scored_by_their_maximum(evaluate: Callable[..., Result]) -> None:
    assert evaluate("-t", "any", "-o", "e.json").code == 0
    assert read_result()["protocols"]["fixed"]["classes"]["any"]["auc"] == 1.0


def test_a_class_with_one_label_only_is_named_and_the_others_are_measured(evaluate: Callable[..., Result]) -> None:
    result = evaluate()
    assert result.code == 0
    assert "Class 'blue' has no AUC: its 168 labels are all 0." in result.err
    alone = evaluate("-t", "blue")
    assert alone.code == 4
    assert "Nothing can be measured. Class 'blue' has no AUC" in alone.err


def test_an_interrupted_evaluation_continues_and_prints_the_same_table(evaluate: Callable[..., Result]) -> None:
    uninterrupted = evaluate("--no-cache", "-o", "uninterrupted.json")
    assert evaluate("--backend.fail", "interrupt").code == 130
    resumed = evaluate("-o", "e.json")
    assert resumed.out == uninterrupted.out
    assert read_result()["protocols"] == read_result("uninterrupted.json")["protocols"]
    assert read_result()["answers"]["asked"] < read_result("uninterrupted.json")["answers"]["asked"]


def test_a_video_at_which_the_backend_fails_is_skipped_and_named(
    evaluate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RED_FAILS_AT", "03")
    result = evaluate("-t", "red", "-o", "e.json", "--no-cache")
    assert result.code == 4
    assert "anyanomaly: Video '03' is skipped: The engine died." in result.err.splitlines()
    assert set(read_result()["protocols"]["fixed"]["classes"]["red"]["videos"]) == {"00", "01", "02", "04", "05"}


def test_a_backend_that_fails_at_every_video_ends_the_evaluation(
    evaluate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RED_FAILS_AT", "0")
    result = evaluate("-t", "red", "--no-cache")
    assert result.code == 5
    assert result.err.splitlines()[-1] == "anyanomaly: The engine died."


def test_labels_of_the_wrong_length_and_missing_videos_are_named_and_all_others_measured(
    evaluate: Callable[..., Result],
) -> None:
    long = evaluate("-t", "red", "--dataset.fault", "long")
    assert long.code == 4
    assert "Video '01' has 78 labels for 'red' and 48 frames with scores; skipped." in long.err
    assert long.out.splitlines()[1].split()[:2] == ["red", "100.0"]
    missing = evaluate("-t", "red", "--dataset.fault", "gone")
    assert missing.code == 4
    assert "There is no video" in missing.err
    assert "Video '01' has no scores for 'red'; skipped." in missing.err


def test_a_difference_of_two_frames_is_truncated_and_noted(evaluate: Callable[..., Result]) -> None:
    result = evaluate("-t", "red", "--dataset.fault", "off", "-o", "e.json")
    assert result.code == 0
    (note,) = (note for note in read_result()["notes"] if "differ in number" in note)
    assert note.endswith("the longer is truncated at the end: '01' (50 labels, 48 frames).")
    assert f"anyanomaly: {note}" in result.err.splitlines()


def test_figures_are_printed_when_their_file_cannot_be_written(
    evaluate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: SafeFile, text: str) -> None:
        raise OutputError("Cannot go on writing it: No space left on device.")

    monkeypatch.setattr(SafeFile, "write", full)
    result = evaluate("-t", "red", "-o", "e.json")
    assert result.code == 6
    assert result.out.splitlines()[1].split()[:2] == ["red", "100.0"]
    assert result.err.splitlines()[-1] == "anyanomaly: Cannot go on writing it: No space left on device."


def test_two_videos_of_one_name_are_refused(evaluate: Callable[..., Result]) -> None:
    result = evaluate("--dataset.fault", "twice")
    assert result.code == 4
    assert result.err.splitlines()[-1] == "anyanomaly: Dataset 'scenes' has two videos of the name '00'."


def test_missing_answers_are_counted_and_too_many_end_with_5(evaluate: Callable[..., Result]) -> None:
    result = evaluate("-t", "red", "--backend.words", "no idea", "-o", "e.json")
    assert result.code == 5
    assert "21 of 21 answers have no readable score, for example 'no idea'" in result.err
    allowed = evaluate("-t", "red", "--backend.words", "no idea", "--max-unreadable", "1")
    assert "Class 'red' has no AUC: no frame has a readable score." in allowed.err


def test_stored_scores_are_measured_without_a_model(evaluate: Callable[..., Result], cli: Cli, folder: Path) -> None:
    ran = evaluate("-o", "scores.jsonl", "-o", "e.json")
    command = ["-p", PLUGIN, "eval", "scenes", "--root", str(folder), "--protocol", "fixed", "--scores", "scores.jsonl"]
    stored = cli(*command, "-o", "stored.json")
    assert stored.out == ran.out
    assert read_result("stored.json")["protocols"] == read_result()["protocols"]
    assert read_result("stored.json")["backend"] == "red "
    Path("other.jsonl").write_text(Path("scores.jsonl").read_text().replace('"value": 1.0', '"value": 0.0'))
    compared = cli(*command, "-t", "red", "--against", "other.jsonl")
    assert compared.out.splitlines()[-1].split()[:2] == ["mean", "+50.00"]


def test_a_file_without_scores_is_named(evaluate: Callable[..., Result], cli: Cli, folder: Path) -> None:
    Path("notes.txt").write_text("hello\n")
    command = ["-p", PLUGIN, "eval", "scenes", "--root", str(folder), "--scores"]
    assert "notes.txt has a line that is not JSON" in cli(*command, "notes.txt").error
    ran = evaluate("-t", "red", "-o", "scores.jsonl")
    assert ran.code == 0
    for old, new in (
        ('"value": 1.0', '"value": "high"'),
        ('"value": 1.0', '"value": Infinity'),
        ('"stop": 16', '"stop": 8'),
        ('"config"', '"configuration"'),
    ):
        Path("broken.jsonl").write_text(Path("scores.jsonl").read_text().replace(old, new))
        assert re.match(
            r"anyanomaly: Line \d+ of broken.jsonl is not a result of a run \(", cli(*command, "broken.jsonl").error
        )
    assert (
        cli(*command, "gone.jsonl").error
        == "anyanomaly: Cannot read the results gone.jsonl: No such file or directory. Check the path."
    )


def test_wrong_use_is_one_sentence(evaluate: Callable[..., Result], cli: Cli, folder: Path) -> None:
    assert "The dataset has no class 'green'. It has: any, blue, red." in evaluate("-t", "green").err
    assert "There is no protocol 'best'. Use one of fixed, cross-class" in evaluate(protocols=("best",)).err
    assert "--check covers the whole dataset; omit -t" in evaluate("--check", "-t", "red", protocols=()).err
    assert "No dataset is named" in cli("-p", PLUGIN, "eval").error
    assert "Unknown dataset 'scenez'. Did you mean 'scenes'?" in cli("-p", PLUGIN, "eval", "scenez").error
    assert "There is no folder nowhere. Make it." in evaluate("--root", "nowhere").err


def test_a_file_that_cannot_be_written_is_refused_before_anything_runs(evaluate: Callable[..., Result]) -> None:
    result = evaluate("-o", "/proc/none/e.json")
    assert result.code == 6
    assert not result.out


def test_the_options_of_the_dataset_are_listed(cli: Cli) -> None:
    help_text = cli("-p", PLUGIN, "eval", "scenes", "--help").out
    assert "--dataset.fault" in help_text
    assert "--root" in help_text


def test_the_check_refuses_an_option_that_no_reader_has(evaluate: Callable[..., Result], cli: Cli) -> None:
    Path("anyanomaly.toml").write_text("[reader]\nbogus = 1\n")
    ran, checked = evaluate("-t", "red"), evaluate("--check", protocols=())
    assert (ran.code, checked.code) == (2, 2)
    assert "bogus" in checked.error
    assert checked.error == ran.err.splitlines()[-1]


def test_a_dataset_is_measured_in_full(evaluate: Callable[..., Result]) -> None:
    result = evaluate("--start", "1")
    assert result.code == 2
    assert "Omit 'start' and 'stop'" in result.error
