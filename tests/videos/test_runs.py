"""The cases through ``anyanomaly run``: a row per frame, and what a user is told."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from anyanomaly.cli import main
from tests.support.shared import shared

PLUGIN = str(Path(__file__).parents[1] / "cli" / "fake_plugin.py")


@pytest.mark.parametrize(
    ("name", "n_frames", "words"),
    [
        ("twice.ts", 100, "1.96 s"),
        ("edit.mp4", 75, ""),
        ("mjpeg_count.avi", 25, ""),
        ("raw.h264", 50, "no timestamps"),
    ],
)
def test_every_frame_of_a_case_has_a_row(
    name: str,
    n_frames: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    video = str(shared("cases", "video", name))
    output = tmp_path / "scores.csv"
    assert run(video, output) == 0
    messages = [line for line in capsys.readouterr().err.splitlines() if line.startswith("anyanomaly: ")]
    assert [words in message for message in messages] == ([True] if words else [])
    rows = read_rows(output)
    assert [int(row["frame"]) for row in rows] == list(range(n_frames))
    times_s = [float(row["time_s"]) for row in rows]
    assert times_s == sorted(set(times_s))
    assert times_s[-1] == pytest.approx((n_frames - 1) / 25, abs=0.1)


def run(video: str, output: Path, *more: str) -> int:
    arguments = ["-t", "a red square", "--backend", "red", "--encoder", "colour", "-o", str(output)]
    return main(["-p", PLUGIN, "run", video, *arguments, *more])


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("flags", "begin_s", "end_s"),
    [
        (("--start", "1.5", "--stop", "0:00:03"), 1.5, 3.0),
        (("--start", "0:02"), 2.0, 9.0),
        (("--stop", "0.5"), 0.0, 0.5),
    ],
)
@pytest.mark.parametrize("name", ["twice.ts", "edit.mp4"])
def test_start_and_stop_choose_rows_of_the_whole(
    name: str, flags: tuple[str, ...], begin_s: float, end_s: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    video = str(shared("cases", "video", name))
    assert run(video, tmp_path / "whole.csv") == 0
    assert run(video, tmp_path / "part.csv", *flags) == 0
    whole, part = (
        [(row["frame"], row["time_s"]) for row in read_rows(tmp_path / f"{kind}.csv")] for kind in ("whole", "part")
    )
    assert part == [(frame, time_s) for frame, time_s in whole if begin_s <= float(time_s) < end_s]
