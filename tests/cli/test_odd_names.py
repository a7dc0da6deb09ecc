"""Videos with names that are no UTF-8, or that look like something else, are searched and measured like any other."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from anyanomaly.api import Options
from anyanomaly.assemble.video_ids import distinguish_ids
from anyanomaly.builtin.opencv import opencv_path
from anyanomaly.cli import main
from anyanomaly.errors import UsageError
from anyanomaly.kit import folder_or_hub_id
from anyanomaly.testing.fakes import EndlessReader
from anyanomaly.testing.videos import write_image
from anyanomaly.types import Video
from tests.cli.conftest import Cli

NAMES = [
    b"stra\xdfe",
    b"stra\xdee",
    b"\xff\xfe",
    b"two\nlines",
    b"tab\tbed",
    b"-leading",
    b"--backend",
    b'it\'s "quoted"',
    b"100%20%s%n",
    b"hash#frag?query=1",
    b"http:x",
    b"concat:a|b",
    b"%03d",
    b"[ab]*",
    b"esc\x1b[31m",
    "e\u0301".encode(),
    "\u00e9".encode(),
    b"n" * 240,
]


def test_videos_of_every_name(red: Cli, folder: Path) -> None:
    names = [os.fsdecode(name) for name in NAMES]
    for name in names:
        Path(f"{name}.scene").write_text("32")
    videos = [f"./{name}.scene" for name in names[1:]]
    result = red(*videos, "-o", "r.jsonl", "-o", "r.csv", "-o", "r.json", video=f"./{names[0]}.scene")
    assert (result.code, len(result.out.splitlines())) == (0, len(names))
    lines = [json.loads(line) for line in Path("r.jsonl").read_bytes().split(b"\n") if line]
    ids = {line["video"] for line in lines if line["type"] == "segment"}
    assert len(ids) == len(names)
    assert {r"stra\udcdfe", r"stra\udcdee", "two\nlines"} <= ids


def test_labels_find_the_scores_of_such_names(cli: Cli, folder: Path) -> None:
    names = [os.fsdecode(name) for name in NAMES[:4]]
    rows = []
    for name in names:
        Path(f"{name}.scene").write_text("32")
        rows.append({"video": f"{name}.scene", "text": "red", "labels": [[8, 16]]})
    Path("manifest.json").write_text(json.dumps(rows))
    plain = ["--backend", "red", "--selector", "middle", "--context", "key", "--segment-frames", "8"]
    measured = cli("eval", "folder", "--root", ".", *plain, "--protocol", "fixed", "-o", "scores.jsonl")
    assert (measured.code, "red       100.0" in measured.out) == (0, True), measured.err
    again = cli("eval", "folder", "--root", ".", "--protocol", "fixed", "--scores", "scores.jsonl")
    assert (again.code, again.out) == (0, measured.out), again.err


def test_images_and_videos_through_the_built_in_readers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from anyanomaly.testing.videos import colour_blocks, synthetic_video
    from tests.cli.conftest import PLUGIN

    name = os.fsdecode(b"f\xdf")
    Path(name).mkdir()
    write_image(Path(name, f"{name}.png"), colour_blocks())
    synthetic_video("plain.mp4")
    shutil.copy("plain.mp4", f"{name}.mp4")
    flags = [
        "-t",
        "red",
        "--backend",
        "red",
        "--selector",
        "middle",
        "--context",
        "key",
        "--stop",
        "1",
        "-o",
        "r.jsonl",
    ]
    assert main(["-p", PLUGIN, "run", name, f"{name}/*.png", f"{name}.mp4", *flags]) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_opencv_gets_no_name_that_crashes_it(tmp_path: Path) -> None:
    assert opencv_path(tmp_path / "straße.mp4") == str(tmp_path / "straße.mp4")
    with pytest.raises(UsageError, match="not UTF-8"):
        opencv_path(tmp_path / os.fsdecode(b"stra\xdfe.mp4"))


def test_ids_are_distinct_even_when_an_escape_is_a_name() -> None:
    uris = ["a/" + os.fsdecode(b"stra\xdfe.mp4"), r"a/stra\udcdfe.mp4"]
    sources = [(EndlessReader(Options()), Video(Path(uri).stem, uri, 25.0, 1, 8, 8)) for uri in uris]
    ids = [video.id for _, video in distinguish_ids(sources)]
    assert len(set(ids)) == 2
    assert all(id.encode("utf-8") for id in ids)


def test_weights_with_such_a_name_are_refused(tmp_path: Path) -> None:
    model = tmp_path / os.fsdecode(b"model\xdf")
    model.mkdir()
    (model / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="not UTF-8"):
        folder_or_hub_id(str(model))
