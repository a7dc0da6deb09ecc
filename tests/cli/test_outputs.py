"""Outputs of commands: one run at a time writes each, and complete results are replaced by complete ones only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import anyanomaly
from anyanomaly.api import SafeFile
from anyanomaly.api.file_lock import locked_folder
from anyanomaly.results.records import RunRecord
from tests.bench.examples import RECIPE, write_recipe
from tests.cli.conftest import Cli, Result

DATASET = str(Path(__file__).with_name("fake_dataset.py"))
PARTS = ["--selector", "middle", "--context", "key", "--segment-frames", "8", "--smooth-seconds", "0"]
OUTPUTS = ["-o", "r.jsonl", "-o", "e.json", "-o", "f.csv"]
UNLOADABLE = """
from anyanomaly import BackendSpec, hookimpl
from anyanomaly.errors import BackendError
from anyanomaly.testing.fakes import FakeBackend

class Unloadable(FakeBackend):
    def __init__(self, options):
        super().__init__()

    def load(self):
        raise BackendError("It is loaded.")

@hookimpl
def anyanomaly_register_backends():
    return [BackendSpec(name="unloadable", summary="s", target="unloadable:Unloadable", max_images=None)]
"""


@pytest.fixture
def evaluate(cli: Cli, folder: Path) -> Callable[..., Result]:
    """Return a function that runs ``anyanomaly eval scenes -t red``."""

    def run(*arguments: str) -> Result:
        command = ["eval", "scenes", "--root", str(folder), "-t", "red", "--protocol", "fixed"]
        return cli("-p", DATASET, *command, "--backend", "red", *PARTS, *arguments)

    return run


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path().iterdir() if path.suffix != ".scene" and path.is_file()}


def test_an_output_in_use_is_refused_before_a_model_is_loaded(cli: Cli, folder: Path) -> None:
    (folder / "unloadable.py").write_text(UNLOADABLE)
    (folder / "other").symlink_to(folder)
    words = ["-p", "unloadable.py", "run", "street.scene", "-t", "red", "--backend", "unloadable", *PARTS]
    with SafeFile("r.jsonl"):
        refused = cli(*words, "-o", "other/r.jsonl")
        assert "It is loaded." in cli(*words, "-o", "s.jsonl").err
    assert refused.code == 6
    assert refused.error.endswith(
        "r.jsonl: another run, or another output of this run, is writing it. Wait for its end, or use another path."
    )
    assert set(files()) == {"unloadable.py"}


@pytest.mark.parametrize("output", ["e.json", "scores.jsonl", "scores.csv"])
def test_an_output_of_an_evaluation_in_use_is_refused(evaluate: Callable[..., Result], output: str) -> None:
    with SafeFile(output):
        refused = evaluate("-o", output)
    assert (refused.code, refused.out) == (6, "")
    assert f"{output}: another run" in refused.err
    assert evaluate("-o", output, "-o", f"./{output}").code == 2


def test_a_folder_in_use_is_refused(cli: Cli, folder: Path) -> None:
    recipe = write_recipe(folder, RECIPE)
    with locked_folder(Path("out")):
        bench = cli("-p", DATASET, "bench", str(recipe), "-d", "out", "--root", f"scenes={folder}")
        show = cli("show", "street.scene", "-t", "red", "--at", "1", "-d", "out", "--backend", "red", *PARTS)
    for refused in (bench, show):
        assert refused.code == 6
        assert "out: another run is writing to it. Wait for its end, or use another folder." in refused.err
    assert not list(Path("out").iterdir())


@pytest.mark.parametrize(
    ("fault", "code", "status", "error"),
    [("interrupt", 130, "interrupted", ""), ("engine", 5, "failed", "The engine died."), ("bug", 5, "failed", "a bug")],
)
def test_a_run_that_does_not_complete_leaves_older_results_as_they_are(
    red: Cli, fault: str, code: int, status: str, error: str
) -> None:
    assert red(*OUTPUTS, "--no-cache").code == 0
    complete = files()
    ended = red(*OUTPUTS, "--no-cache", "--backend.fail", fault)
    assert ended.code == code
    for name in complete:
        assert f"The results so far are kept in {Path(name).absolute()}.partial." in ended.err
    assert "Results:" not in ended.err
    left = files()
    assert {name: left.pop(name) for name in complete} == complete
    assert set(left) == {f"{name}.partial" for name in complete}
    for name in ("r.jsonl", "e.json"):
        results = anyanomaly.read_results(f"{name}.partial")
        assert results.status == status
        assert error in results.error
        assert bool(results.error) == (status == "failed")
    assert [row.frame for row in anyanomaly.read_results("f.csv.partial").frames] == list(range(16))
    assert red(*OUTPUTS, "--no-cache").code == 0
    assert {name: content for name, content in files().items() if "partial" not in name} == complete


def test_the_header_of_a_run_has_the_documented_fields(red: Cli) -> None:
    assert red("-o", "r.jsonl").code == 0
    header = json.loads(Path("r.jsonl").read_text().split("\n", 1)[0])
    assert set(header) == set(RunRecord.model_fields)
    assert anyanomaly.read_results("r.jsonl").header == {
        key: header[key] for key in header if key not in ("type", "format")
    }


def test_a_run_with_a_missing_video_is_complete_and_names_it(red: Cli) -> None:
    assert red("gone.scene", *OUTPUTS).code == 4
    for name in ("r.jsonl", "e.json"):
        results = anyanomaly.read_results(name)
        assert results.status == "complete"
        assert [(notice.video, notice.message) for notice in results.notices] == [
            ("gone.scene", "There is no video gone.scene.")
        ]


@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_results_on_standard_output_are_alone_there(red: Cli, flags: tuple[str, ...]) -> None:
    lines = [json.loads(line) for line in red("gone.scene", "--sink", "jsonl", *flags).out.splitlines()]
    kinds = ["run", "video", *4 * ["segment"], "evidence", "event", "notice", "end"]
    assert sorted(line["type"] for line in lines) == sorted(kinds)
    assert [kind for line in lines if (kind := line["type"]) != "segment"] == [
        kind for kind in kinds if kind != "segment"
    ]


def test_a_complete_run_without_results_replaces_older_ones(red: Cli, folder: Path) -> None:
    assert red(*OUTPUTS).code == 0
    (folder / "short.scene").write_text("0")
    assert red(*OUTPUTS, video="short.scene").code == 0
    for name in ("r.jsonl", "e.json", "f.csv"):
        results = anyanomaly.read_results(name)
        assert (results.status, list(results.segments), list(results.frames), results.events) == (
            "complete",
            [],
            [],
            (),
        )


def test_an_evaluation_that_repeats_videos_writes_each_result_once(
    evaluate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RED_FAILS_AT", "03")
    ended = evaluate("-o", "scores.jsonl", "-o", "scores.csv", "-o", "e.json", "--no-cache")
    assert ended.code == 4
    scores = anyanomaly.read_results("scores.jsonl")
    assert scores.status == "complete"
    (notice,) = scores.notices
    assert (notice.video, notice.message) == ("03", "Video '03' is skipped: The engine died.")
    segments = [(segment.video, segment.start) for segment in scores.segments]
    assert len(set(segments)) == len(segments)
    frames = {(row.video, row.frame) for row in anyanomaly.read_results("scores.csv").frames}
    assert {video for video, _ in frames} == {video for video, _ in segments} - {"03"}


def test_scores_of_a_run_that_did_not_complete_are_noted(
    cli: Cli, evaluate: Callable[..., Result], folder: Path
) -> None:
    assert evaluate("-o", "scores.jsonl").code == 0
    lines = Path("scores.jsonl").read_text().splitlines(keepends=True)
    Path("killed.jsonl").write_text("".join([*lines[:-1], '{"type": "seg']))
    measured = cli(
        *("-p", DATASET, "eval", "scenes", "--root", str(folder), "-t", "red", "--protocol", "fixed"),
        *("--scores", "killed.jsonl"),
    )
    assert measured.code == 0
    assert "killed.jsonl has no end, because its run was killed or is still writing; its scores so far" in measured.err


@pytest.mark.parametrize(
    "flags", [("--sink.csv.path", "street.scene"), ("--sink.csv.path", "./p.toml", "--prompt", "p.toml")]
)
def test_results_replace_no_input_of_a_run(red: Cli, folder: Path, flags: tuple[str, ...]) -> None:
    (folder / "p.toml").write_text("")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    refused = red("--sink", "csv", *flags)
    assert refused.code == 2
    assert f"would replace {flags[1]}, which this command reads" in refused.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_figures_replace_no_input_of_an_evaluation(evaluate: Callable[..., Result], folder: Path) -> None:
    assert evaluate("-o", "s.jsonl").code == 0
    (folder / "s.jsonl").rename(folder / "s.json")
    (folder / "s.jsonl").symlink_to("s.json")
    before = (folder / "s.json").read_bytes()
    refused = evaluate("-o", "s.json", "--against", "s.jsonl")
    assert (refused.code, (folder / "s.json").read_bytes()) == (2, before)
    assert "would replace s.json, which this command reads" in refused.err


@pytest.mark.parametrize("command", ["run", "report"])
def test_the_summary_names_what_was_written(red: Cli, cli: Cli, command: str) -> None:
    result = red("-o", "a.mp4", "-o", "r.jsonl", "-o", "f.csv")
    if command == "report":
        result = cli("report", "r.jsonl", "-o", "a.mp4", "-o", "f.csv")
    assert result.code == 0
    assert "There is no annotated video of street" in result.err  # a scene is no file that can be read a second time
    assert not Path("a.mp4").exists()
    written = "f.csv" if command == "report" else "r.jsonl, f.csv"
    assert f"Results: {written}.\n" in result.err
