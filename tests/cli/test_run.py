"""``anyanomaly run``: events on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from anyanomaly.api.safe_file import SafeFile
from anyanomaly.errors import OutputError
from tests.cli.conftest import Cli


def test_events_are_tab_separated_lines(red: Cli) -> None:
    result = red()
    assert result.code == 0
    assert result.out == "1.00\t2.00\t1.000\tred\tIt is that red.\n"
    assert result.err == "4 segments (32 frames); 2 questions asked, 2 answers reused; 1 event.\n"


def test_with_several_videos_each_line_names_its_own(red: Cli, folder: Path) -> None:
    (folder / "lane.scene").write_text("24")
    lines = red("lane.scene").out.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["street", "lane"]


def test_json_lines(red: Cli) -> None:
    (event,) = [json.loads(line) for line in red("--json").out.splitlines()]
    assert event == {
        "type": "event",
        "video": "street",
        "text": "red",
        "start_s": 1.0,
        "stop_s": 2.0,
        "peak": 1.0,
        "peak_s": 1.0,
        "rationale": "It is that red.",
    }


def test_a_rationale_of_several_lines_stays_one_line(red: Cli) -> None:
    (line,) = red("--backend.words", "1.0\tbecause\nit is").out.splitlines()
    assert line.split("\t")[-1] == "because it is"


def test_a_second_run_asks_nothing(red: Cli) -> None:
    assert "2 questions asked, 2 answers reused" in red().err
    assert "0 questions asked, 4 answers reused" in red().err
    assert "4 questions asked, 0 answers reused" in red("--no-cache").err


def test_verbose_prints_the_speed(cli: Cli) -> None:
    words = ["--selector", "middle", "--context", "key", "--backend", "red", "--segment-frames", "8"]
    *_, last_line = cli("-v", "run", "street.scene", "-t", "red", *words).err.splitlines()
    assert "frames/s per text" in last_line
    assert "times real time (decode " in last_line


def test_the_report_of_a_run_has_its_speed(red: Cli) -> None:
    assert red("-o", "r.html").code == 0
    assert re.search(r"<h3>Speed</h3><p>[\d.]+ s without loading: .* times real time", Path("r.html").read_text())


def test_quiet_prints_only_the_events(cli: Cli) -> None:
    words = ["--selector", "middle", "--context", "key", "--backend", "red", "--segment-frames", "8"]
    result = cli("-q", "run", "street.scene", "-t", "red", *words)
    assert result.out
    assert not result.err


@pytest.mark.parametrize(
    "text", ["{text} {hint}", "<b>bold</b> & \"quoted\" 'too'", "自転車に乗った人", "100 % \\n", "🚲"]
)
def test_any_words_can_be_searched_for(red: Cli, text: str) -> None:
    result = red(text=text)
    assert result.code == 0
    assert result.out.split("\t")[3] == text


def test_events_set_the_exit_code_only_when_asked(red: Cli, folder: Path) -> None:
    (folder / "calm.scene").write_text("8")
    assert red().code == 0
    assert red("--fail-on-event").code == 1
    assert red("--fail-on-event", video="calm.scene").code == 0


def test_a_video_read_in_part_is_reported_at_the_end(red: Cli, folder: Path) -> None:
    (folder / "cut.scene").write_text("32 20")
    result = red("street.scene", video="cut.scene")
    assert result.code == 4
    assert len(result.out.splitlines()) == 2
    assert result.err.splitlines()[-1] == "anyanomaly: cut.scene breaks off: 20 of 32 frames could be read."


def test_a_missing_video_beside_a_good_one(red: Cli) -> None:
    result = red("gone.scene")
    assert result.code == 4
    assert result.out
    assert result.err.splitlines()[-1] == "anyanomaly: There is no video gone.scene."


def test_json_names_what_could_not_be_read(red: Cli, folder: Path) -> None:
    (folder / "cut.scene").write_text("32 20")
    lines = [json.loads(line) for line in red("cut.scene", "gone.scene", "--json").out.splitlines()]
    assert [(line["video"], line["message"]) for line in lines if line["type"] == "notice"] == [
        ("gone.scene", "There is no video gone.scene."),
        ("cut", "cut.scene breaks off: 20 of 32 frames could be read."),
    ]


def test_a_backend_that_dies_ends_the_run_with_its_message(red: Cli) -> None:
    result = red("--backend.fail", "engine", "--no-cache")
    assert result.code == 5
    assert result.err.splitlines()[-1] == "anyanomaly: The engine died."


def test_a_bug_keeps_its_traceback_and_has_its_own_exit_code(red: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anyanomaly.cli.run._summarise", lambda *_: 1 // 0)
    result = red()
    assert result.code == 70
    assert result.err.startswith("Traceback ")
    assert "ZeroDivisionError" in result.err
    assert result.err.splitlines()[-1].startswith("anyanomaly: This is a bug in anyanomaly. Please report it")


@pytest.mark.parametrize(("error", "code"), [(MemoryError, 5), (RecursionError, 4)])
def test_what_a_machine_or_an_input_does_is_no_bug(
    red: Cli, monkeypatch: pytest.MonkeyPatch, error: type[Exception], code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("anyanomaly.cli.run._summarise", fail)
    result = red()
    assert result.code == code
    assert "Traceback" not in result.err


def test_an_interrupted_run_reports_its_progress(red: Cli) -> None:
    result = red("--backend.fail", "interrupt", "--no-cache")
    assert result.code == 130
    assert result.err.splitlines()[0].startswith("2 segments")
    assert result.err.splitlines()[-1] == "anyanomaly: interrupted"


def test_too_many_answers_without_a_score_fail_the_run(red: Cli) -> None:
    result = red("--backend.words", "no idea")
    assert result.code == 5
    assert "'no idea'" in result.err.splitlines()[-1]
    assert red("--backend.words", "no idea", "--max-unreadable", "1").code == 0


def test_a_closed_pipe_ends_the_run_quietly(red: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        monkeypatch.setattr(sys, "stderr", sys.stderr)  # Typer replaces both
        result = red()
        assert result.code == 141
        assert "Traceback" not in result.err


def test_standard_output_on_a_full_disk(red: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    with open("/dev/full", "w") as full, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", full)
        result = red()
    assert result.code == 6
    assert result.err.splitlines()[-1].startswith("anyanomaly: Standard output cannot be written: ")


def test_a_result_that_cannot_be_written_is_not_listed(red: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: SafeFile, text: str) -> None:
        raise OutputError(f"Cannot go on writing {self.path}: No space left on device.")

    assert "Results: frames.csv." in red("-o", "frames.csv").err
    monkeypatch.setattr(SafeFile, "write", full)
    result = red("-o", "frames.csv")
    assert result.code == 6
    assert "Results:" not in result.err


def test_disabled_plugins_are_reported(red: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = folder / "broken_plugin-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-plugin\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[anyanomaly]\nbroken = no_such_module_here\n")
    monkeypatch.syspath_prepend(str(folder))
    result = red()
    assert result.code == 0
    assert result.err.splitlines()[0].startswith("anyanomaly: Plugin 'broken' is disabled: ")
