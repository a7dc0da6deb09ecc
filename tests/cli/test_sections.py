"""``--start`` and ``--stop``, and what a reader notices, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import anyanomaly
from tests.cli.conftest import Cli


@pytest.fixture
def raw(folder: Path) -> str:
    """Return a raw stream without timestamps: 50 grey frames, red from frame 25 on."""
    context = av.CodecContext.create("libx264", "w")
    context.width, context.height, context.pix_fmt, context.framerate = 64, 48, "yuv420p", 25
    with Path(folder, "raw.h264").open("wb") as file:
        for number in range(50):
            picture = np.full((48, 64, 3), 90, np.uint8)
            if number >= 25:
                picture[8:40, 8:40] = (255, 0, 0)
            for packet in context.encode(av.VideoFrame.from_ndarray(picture)):
                file.write(bytes(packet))
        for packet in context.encode():
            file.write(bytes(packet))
    return "raw.h264"


def test_a_notice_reaches_standard_error_json_and_result_files_and_not_the_exit_code(red: Cli, raw: str) -> None:
    result = red("--json", "-o", "r.jsonl", "-o", "r.json", video=raw)
    message = "raw.h264 has no timestamps: 25 frames per second are assumed."
    assert result.code == 0
    assert result.err.splitlines()[-1] == f"anyanomaly: {message}"
    assert json.loads(result.out.splitlines()[-1]) == {"type": "notice", "video": "raw", "message": message}
    lines = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert [line for line in lines if line["type"] == "notice"] == [
        {"type": "notice", "video": "raw", "message": message}
    ]
    assert json.loads(Path("r.json").read_text())["notices"] == [{"video": "raw", "message": message}]
    assert message not in red("--quiet", video=raw).err


@pytest.mark.parametrize(("start", "stop"), [("1.5", "3"), ("0:01.5", "0:00:03")])
def test_a_section_is_searched_alone(red: Cli, start: str, stop: str) -> None:
    result = red("--start", start, "--stop", stop, "-o", "r.jsonl")
    assert result.code == 0
    assert result.out.startswith("1.50\t2.00\t")
    assert result.err.startswith("2 segments (12 frames)")
    header, *lines = [json.loads(line) for line in Path("r.jsonl").read_text().splitlines()]
    assert (header["config"]["run"]["start"], header["config"]["run"]["stop"]) == (1.5, 3.0)
    segments = [(line["start"], line["stop"]) for line in lines if line["type"] == "segment"]
    assert segments == [(12, 16), (16, 24)]


def test_show_finds_a_segment_of_the_section(cli: Cli) -> None:
    flags = ["--encoder", "colour", "--backend", "red", "--segment-frames", "8", "-d", "page"]
    result = cli("show", "street.scene", "-t", "red", "--at", "1.7", "--start", "1.5", *flags)
    assert result.out.startswith("segment 1: 1.50 s to 2.00 s")
    before = cli("show", "street.scene", "-t", "red", "--at", "1.2", "--start", "1.5", *flags)
    assert before.code == 2
    assert "1.2 s is before the start of the part to search, 1.5 s" in before.error


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--start", "soon"], 2, "--start: 'soon' is not a time"),
        (["--start", "-1"], 2, "--start"),
        (["--start", "3", "--stop", "2"], 2, "stop (2 s) must be after start (3 s)"),
        (["--start", "3", "--stop", "3"], 2, "must be after"),
        (["--start", "1:00"], 4, "no frame from 60 s to its end"),
    ],
)
def test_a_wrong_section_is_one_sentence(red: Cli, flags: list[str], code: int, words: str) -> None:
    result = red(*flags)
    assert result.code == code
    assert words in result.error


def test_result_files_say_what_could_not_be_read(red: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "cam"
    folder.mkdir()
    for number in range(8):
        Image.new("RGB", (16, 16), "red").save(folder / f"{number}.png")
    (folder / "5.png").write_bytes(b"no image")
    result = red("-o", "r.jsonl", "-o", "r.json", video=str(folder))
    assert result.code == 4
    message = result.err.splitlines()[-1].removeprefix("anyanomaly: ")
    assert "1 of the 8 images" in message
    assert json.loads(Path("r.jsonl").read_text().splitlines()[-2])["message"] == message
    assert json.loads(Path("r.json").read_text())["notices"] == [{"video": "cam", "message": message}]


def test_a_real_video_that_ends_before_the_section_says_where(red: Cli, raw: str) -> None:
    result = red("--start", "3", video=raw)
    assert result.code == 4
    assert "raw.h264 ends at 1.96 s" in result.err.splitlines()[-1]


def test_a_video_without_a_segment_is_named_in_every_result(red: Cli, folder: Path) -> None:
    (folder / "short.scene").write_text("8")
    result = red("short.scene", "--start", "2", "-o", "r.jsonl", "-o", "r.html")
    assert result.code == 4
    (notice,) = anyanomaly.read_results("r.jsonl").notices
    assert notice.video == "short"
    assert notice.message in result.err
    report = Path("r.html").read_text(encoding="utf-8")
    assert notice.message in report
    assert "every video was read to its end" not in report
