"""``--clips``, ``--clips-exact`` and plots, of a run and of stored results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anyanomaly.testing.videos import synthetic_video
from tests.cli.conftest import Cli


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@pytest.mark.parametrize("exact", [False, True])
def test_a_run_and_its_stored_results_give_the_same_clips_and_plots(red: Cli, cli: Cli, exact: bool) -> None:
    synthetic_video("clip.mp4", size=(96, 72))
    flags = ["--clips-exact"] if exact else ["--sink.clips.pre-roll-s", "0.5"]
    made = red("--clips", "a", "-o", "r.jsonl", "-o", "a.svg", "--threshold", "0.2", *flags, video="clip.mp4")
    assert made.code == 0, made.err
    (record,) = (json.loads(path.read_text()) for path in Path("a").glob("*.json"))
    assert (record["status"], record["is_exact"], record["video"]) == ("complete", exact, "clip")
    assert record["settings"]["pre_roll_s"] == (2.0 if exact else 0.5)
    assert Path("a", record["clip"]).stat().st_size
    assert Path("a", record["thumbnail"]).stat().st_size
    again = cli("report", "r.jsonl", "--clips", "b", "-o", "b.svg", *flags)
    assert again.code == 0, again.err
    assert contents("a") == contents("b")
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()


def test_exact_clips_need_a_folder(red: Cli) -> None:
    result = red("--clips-exact")
    assert result.code == 2
    assert "--clips-exact needs the folder of the clips. Name one: --clips DIR --clips-exact" in result.error
