"""``anyanomaly report``: outputs of stored results are those of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import anyanomaly
from tests.cli.conftest import Cli

OUTPUTS = ["-o", "r.jsonl", "-o", "e.json", "-o", "f.csv"]
COPIES = ["-o", "copy/r.jsonl", "-o", "copy/e.json", "-o", "copy/f.csv"]


def copies_are_equal(suffix: str = "") -> bool:
    names = ("r.jsonl", "e.json", "f.csv")
    return all(Path("copy", name).read_bytes() == Path(f"{name}{suffix}").read_bytes() for name in names)


@pytest.mark.parametrize("flags", [[], ["--smooth-seconds", "0.3", "--every", "3"]])
def test_outputs_of_stored_results_are_those_of_the_run(red: Cli, cli: Cli, folder: Path, flags: list[str]) -> None:
    (folder / "night.scene").write_text("20")
    assert red("night.scene", *OUTPUTS, *flags).code == 0
    made = cli("report", "r.jsonl", *COPIES)
    assert (made.code, made.out) == (0, "")
    assert made.err.endswith("Results: copy/r.jsonl, copy/e.json, copy/f.csv.\n")
    assert copies_are_equal()


@pytest.mark.parametrize("fault", ["interrupt", "engine"])
def test_results_of_a_run_that_did_not_complete_keep_their_status(red: Cli, cli: Cli, fault: str) -> None:
    red(*OUTPUTS, "--no-cache", "--backend.fail", fault)
    status = anyanomaly.read_results("r.jsonl.partial").status
    made = cli("report", "r.jsonl.partial", *COPIES)
    assert made.code == 0
    assert f"The run of r.jsonl.partial is {status}; its results so far are used." in made.err
    assert copies_are_equal(".partial")
    assert anyanomaly.read_results("copy/r.jsonl").status == status


@pytest.mark.parametrize("name", ["r.jsonl.gz", "r.parquet"])
def test_compressed_and_tabular_results_are_read(red: Cli, cli: Cli, name: str) -> None:
    assert red(*OUTPUTS, "-o", name).code == 0
    assert cli("report", name, "-o", f"copy/{name}", *COPIES[2:]).code == 0
    for copied in (name, "e.json", "f.csv"):
        assert Path("copy", copied).read_bytes() == Path(copied).read_bytes()


def test_weights_can_change(red: Cli, cli: Cli) -> None:
    assert red("-o", "r.jsonl", "--context", "position", "--encoder", "colour").code == 0
    made = cli("report", "r.jsonl", "--context.position.weight", "3", "-o", "w.jsonl")
    assert "weight of position 3.0 (was" in made.err
    refused = cli("report", "r.jsonl", *(f"--context.{name}.weight=0" for name in ("key", "position")), "-o", "w.csv")
    assert (refused.code, "All contexts have weight 0" in refused.error) == (2, True)


def test_other_settings_find_other_events(red: Cli, cli: Cli) -> None:
    assert red("-o", "r.jsonl", "--smooth-seconds", "0.5", "--threshold", "0.9").code == 0
    assert not anyanomaly.read_results("r.jsonl").events
    made = cli("report", "r.jsonl", "--threshold", "0.3", "--json", "-o", "low.json", "-o", "low.jsonl")
    assert json.loads(made.out)["events"] == 1
    assert "threshold 0.3 (was 0.9)" in made.err
    results = anyanomaly.read_results("low.jsonl")
    assert results.header["config"]["run"]["threshold"] == 0.3
    assert results.events == anyanomaly.read_results("low.json").events
    assert cli("report", "low.jsonl", "-o", "again.jsonl").code == 0
    assert Path("again.jsonl").read_bytes() == Path("low.jsonl").read_bytes()


def test_several_results_are_one_run(red: Cli, cli: Cli, folder: Path) -> None:
    for name in ("north", "south"):
        assert red("-o", f"{name}.jsonl").code == 0
    assert cli("report", "north.jsonl", "south.jsonl", "-o", "both.jsonl").code == 0
    both = anyanomaly.read_results("both.jsonl")
    assert [video.id for video in both.videos] == ["north/street", "south/street"]
    assert {event.video for event in both.events} == {"north/street", "south/street"}
    assert both.header["config"]["videos"] == ["street.scene"]
    twice = cli("report", "north.jsonl", "./north.jsonl", "-o", "twice.jsonl")
    assert (twice.code, "named twice" in twice.err) == (2, True)


def test_a_video_is_found_beside_its_results(red: Cli, cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert red("-o", "r.jsonl").code == 0
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert "is not here" not in cli("report", "../r.jsonl", "-o", "a.jsonl").err
    assert anyanomaly.read_results("a.jsonl").videos[0].uri == "../street.scene"
    (folder / "street.scene").unlink()
    assert cli("report", "../r.jsonl", "-o", "b.jsonl").err.count("The video street.scene is not here;") == 1
    assert anyanomaly.read_results("b.jsonl").videos[0].uri == "street.scene"


def test_inputs_are_not_replaced_and_other_files_are_refused(red: Cli, cli: Cli) -> None:
    assert red(*OUTPUTS).code == 0
    before = Path("r.jsonl").read_bytes()
    for output in ("r.jsonl", "./r.jsonl", "street.scene"):
        assert cli("report", "r.jsonl", "--sink", "csv", "--sink.csv.path", output).code == 2
    for name in ("e.json", "f.csv"):
        refused = cli("report", name, "--threshold", "0.3", "-o", "x.csv")
        assert (refused.code, "has no scores of segments" in refused.error) == (4, True)
    assert cli("report", "gone.jsonl", "-o", "x.csv").code == 4
    Path("damaged.jsonl").write_bytes(before.replace(b'"start": 8', b'"start": -8'))
    damaged = cli("report", "damaged.jsonl", "-o", "x.csv")
    assert (damaged.code, "ine 4 of damaged.jsonl" in damaged.error) == (4, True)
    Path("p.jsonl.partial").write_bytes(before)
    assert "would move p.jsonl.partial, which" in cli("report", "p.jsonl.partial", "-o", "p.jsonl").error
    assert Path("r.jsonl").read_bytes() == before == Path("p.jsonl.partial").read_bytes()
    assert not list(Path().glob("x.csv*"))
