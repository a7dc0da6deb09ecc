"""``anyanomaly show`` of events, of the highest score, and of stored results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from anyanomaly.pages import page_text
from tests.cli.conftest import Cli
from tests.pages.evidence_samples import HOSTILE, ParsedPage

PLAIN = ("--encoder", "colour", "--backend", "red", "--segment-frames", "8", "--smooth-seconds", "0")


@pytest.fixture
def stored(cli: Cli) -> Cli:
    """Return `cli` beside results.jsonl, a run with one event in segment 1 of the street, of two event texts."""
    assert cli("run", "street.scene", "-t", "red", "-t", "a dog", *PLAIN, "-o", "results.jsonl").code == 0
    return cli


def answers(folder: str = "page") -> Any:
    return json.loads(Path(folder, "answers.json").read_text("utf-8"))


def page(folder: str = "page") -> ParsedPage:
    return ParsedPage(Path(folder, "index.html").read_text("utf-8"))


@pytest.mark.parametrize(
    ("flags", "reason"), [(["--event", "1"], "The peak of event 1 of"), (["--highest"], "highest")]
)
def test_an_event_and_the_highest_score_are_searched_in_the_whole_video(
    cli: Cli, flags: list[str], reason: str
) -> None:
    result = cli("show", "street.scene", "-t", "a dog", "-t", "red", *PLAIN, *flags, "-d", "page")
    assert result.code == 0
    assert answers()["segment"] == 1
    assert reason in page().text


def test_an_event_that_does_not_exist(cli: Cli, folder: Path) -> None:
    flags = ["-t", "red", *PLAIN, "--backend.words", "0.9", "--stop", "2", "-d", "page"]
    result = cli("show", "street.scene", *flags, "--event", "2")
    assert (result.code, result.error) == (2, "anyanomaly: There is no event 2; the last is 1.")
    result = cli("show", "street.scene", *flags, "--event", "1", "--threshold", "1")
    assert (result.code, "--highest shows" in result.error) == (2, True)


def test_unreadable_answers_have_no_highest_score(cli: Cli) -> None:
    result = cli("show", "street.scene", "-t", "red", *PLAIN, "--backend.words", "hm", "--highest", "-d", "page")
    assert (result.code, result.error) == (
        2,
        "anyanomaly: No segment has a score. Choose one with --segment N or --at TIME.",
    )


def test_the_page_of_a_stored_event_is_that_of_the_video(stored: Cli) -> None:
    live = stored("show", "street.scene", "-t", "red", "-t", "a dog", *PLAIN, "--event", "1", "-d", "live")
    Path("street.scene").unlink()
    result = stored("show", "--results", "results.jsonl", "--event", "1", "-d", "page")
    assert (result.code, result.err) == (0, "")
    assert result.out.replace("page/", "live/") == live.out
    assert answers() == answers("live")
    names = sorted(path.name for path in Path("page").iterdir())
    assert [name for name in names if name.endswith(".jpg")]
    shown = page()
    addresses = {address for address in shown.addresses if not address.startswith(("#", "data:"))}
    assert {"0-primary.jpg", "0-position-0.jpg", "0-temporal-0.jpg"} <= addresses <= set(names)
    assert shown.text == page("live").text


def test_the_highest_segment_is_the_default_of_stored_results(stored: Cli) -> None:
    assert stored("show", "--results", "results.jsonl", "-d", "page").code == 0
    assert (answers()["segment"], answers()["texts"][0]["score"]) == (1, 1.0)
    assert "The segment with the highest score." in page().text


def test_a_segment_without_evidence_has_its_frames_scores_and_the_command_for_the_rest(stored: Cli) -> None:
    result = stored("show", "--results", "results.jsonl", "--at", "3.5", "-t", "red", "-d", "page")
    assert result.code == 0
    command = "anyanomaly show street.scene -t red --encoder colour --backend red --segment 3 -d DIR"
    assert result.error.endswith(command)
    shown = page()
    assert command in shown.text
    assert Path("page/0-primary.jpg").is_file()
    (text,) = answers()["texts"]
    assert (text["text"], text["score"], text["contexts"][0]["answer"][:3]) == ("red", 0.0, "0.0")
    assert text["primary"] in range(24, 32)


def test_without_the_video_its_frames_are_numbers(stored: Cli) -> None:
    Path("street.scene").rename("moved.scene")
    arguments = ["--results", "results.jsonl", "--segment", "3", "-t", "red", "-d", "page"]
    result = stored("show", *arguments)
    assert result.code == 0
    assert "street.scene is not here" in page().text
    assert "Its key frame is" in page().text
    assert not list(Path("page").glob("*.jpg"))
    assert stored("show", "moved.scene", *arguments).code == 0
    assert "is not here" not in page().text
    assert Path("page/0-primary.jpg").is_file()


def test_a_video_of_several_is_named_by_its_id(cli: Cli, folder: Path) -> None:
    (folder / "yard.scene").write_text("32")
    assert cli("run", "street.scene", "yard.scene", "-t", "red", *PLAIN, "-o", "results.jsonl").code == 0
    show = ["show", "--results", "results.jsonl", "-d", "page"]
    assert cli(*show, "--event", "1").error.endswith("Name one with --video: street, yard.")
    assert cli(*show, "--event", "1", "--video", "yard").code == 0
    assert answers()["video"] == "yard.scene"
    assert cli(*show, "--video", "lane").error.endswith("has no video 'lane'; it has street, yard.")
    assert cli(*show, "--highest").code == 0


def test_hostile_words_of_stored_results_are_text(cli: Cli) -> None:
    words = ["--backend.words", f"1.0 {HOSTILE}"]
    assert cli("run", "street.scene", "-t", "<b>red</b>", *PLAIN, *words, "-o", "results.jsonl").code == 0
    assert cli("show", "--results", "results.jsonl", "-d", "page").code == 0
    shown = page()
    assert page_text(HOSTILE) in shown.text
    assert not shown.all("script")
    assert not shown.all("b")


def test_combinations_that_make_no_sense(stored: Cli) -> None:
    results = ["--results", "results.jsonl", "-d", "page"]
    wrong = {
        "Name a video, or the stored results": ["show", "--highest", "-d", "page"],
        "--video chooses a video of stored results": [
            "show",
            "street.scene",
            "--highest",
            "--video",
            "x",
            "-d",
            "page",
        ],
        "Name one segment": ["show", *results, "--event", "1", "--highest"],
        "--backend is a setting of a run": ["show", *results, "--backend", "red"],
        "has no event text 'cat'; it has red, a dog": ["show", *results, "-t", "cat"],
        "has no segment 9 of street": ["show", *results, "--segment", "9"],
        "has no segment at 60 s of street": ["show", *results, "--at", "1:00"],
        "There is no event 9": ["show", *results, "--event", "9"],
    }
    for message, arguments in wrong.items():
        result = stored(*arguments)
        assert result.code == 2, arguments
        assert message in result.error
    assert stored("show", "--results", "none.jsonl", "-d", "page").code == 4


def test_a_segment_that_was_not_asked_says_so_and_is_not_the_highest(stored: Cli) -> None:
    lines = [json.loads(line) for line in Path("results.jsonl").read_text("utf-8").splitlines()]
    lines[0]["config"]["gates"] = ["motion"]
    for line in lines:
        if line["type"] == "segment" and line["segment"] != 1:
            scores = {name: {"value": None, "asked": False, "answer": ""} for name in line["scores"]}
            line |= {"value": 0.24, "asked": False, "priorities": {"motion": 0.96}, "scores": scores}
    # the model's answers are below what the gate gives the others
    for line in lines:
        if line["type"] == "segment" and line["segment"] == 1:
            for score in line["scores"].values():
                score["value"] = 0.1
    Path("gated.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    result = stored("show", "--results", "gated.jsonl", "-t", "red", "--segment", "0", "-d", "page")
    assert result.code == 0
    assert "red: not asked: the gate motion rated it 0.96" in result.out
    assert "answer:" not in result.out
    assert "The run did not ask about this segment" in result.err
    assert "not asked: the gate motion rated it 0.96" in page().text
    (text,) = answers()["texts"]
    assert (text["asked"], text["priorities"]) == (False, {"motion": 0.96})
    assert {context["asked"] for context in text["contexts"]} == {False}
    assert stored("show", "--results", "gated.jsonl", "-t", "red", "--highest", "-d", "page").code == 0
    assert answers()["segment"] == 1
