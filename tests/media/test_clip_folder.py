"""The folder of the clips: names, JSON files, thumbnails, and what a further, a second or a killed run finds."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel

from anyanomaly.api.file_lock import locked_folder
from anyanomaly.errors import OutputError
from anyanomaly.evidence import Evidence, Picture
from anyanomaly.media.clip_folder import clip_stem
from anyanomaly.media.clip_options import ClipsOptions
from anyanomaly.media.clip_record import ClipEvent, ClipRecord, ClipSettings
from anyanomaly.media.clips import ClipsSink
from tests.media.clipping import TEXT, event, make_clips
from tests.results.test_documentation import rows
from tests.videos.making import write_video
from tests.videos.marks import draw, read_number

HOSTILE = '<script>alert("1")</script>/../..\\con:*?| \x1b[31m\u202egnp.exe 🙂 مرحبا \udc80' + "x" * 300
STEM = "0001_v_00h00m01s_a-person-falls"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("source") / "v.mp4", 75, options={"g": "10"})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def evidence(picture: bytes, start_s: float = 1.0) -> Evidence:
    key_frame = Picture(picture, 128, 96)
    return Evidence("v", TEXT, 1, 25, 50, start_s, start_s + 1, 0.9, {"key": 1.0}, key_frame, (key_frame,), ())


def test_a_clip_is_a_video_an_image_and_a_json_file(source: Path, tmp_path: Path) -> None:
    (record,) = make_clips(tmp_path / "new" / "clips", source, [event(1.0, 2.0)])
    assert sorted(contents(tmp_path / "new" / "clips")) == [f"{STEM}{suffix}" for suffix in (".jpg", ".json", ".mp4")]
    assert ClipRecord.model_validate(record).status == "complete"
    assert (record["clip"], record["thumbnail"]) == (f"{STEM}.mp4", f"{STEM}.jpg")
    assert record["event"]["rationale"] == "Somebody lies on the floor."
    assert (record["video"], record["source"], record["text"]) == ("v", str(source), TEXT)
    assert record["settings"] == {"pre_roll_s": 0.2, "post_roll_s": 0.2, "exact": False}
    assert record["run"]["config"] == {"texts": [TEXT]}


def test_the_thumbnail_is_the_key_frame_of_the_evidence_or_the_frame_at_the_peak(source: Path, tmp_path: Path) -> None:
    file = io.BytesIO()
    Image.fromarray(draw(77)).save(file, "JPEG")
    seen, missing, other = (tmp_path / name for name in ("seen", "missing", "other"))
    make_clips(seen, source, [event(1.0, 2.0)], evidence=[evidence(file.getvalue())])
    make_clips(missing, source, [event(1.0, 2.0)])
    make_clips(other, source, [event(1.0, 2.0)], evidence=[evidence(file.getvalue(), start_s=0.0)])
    assert (seen / f"{STEM}.jpg").read_bytes() == file.getvalue()
    for folder in (missing, other):
        assert read_number(_pixels(folder / f"{STEM}.jpg")) == 38  # the peak is at 1.5 s


def test_overlapping_events_of_several_texts_get_their_own_clips(source: Path, tmp_path: Path) -> None:
    events = [event(1.0, 2.0), event(1.2, 1.8, text="a dog"), event(1.0, 2.0, text="A DOG")]
    records = make_clips(tmp_path / "clips", source, events)
    assert [record["number"] for record in records] == [1, 2, 3]
    assert len({record["clip"].casefold() for record in records}) == 3


def test_hostile_texts_are_text_in_json_and_safe_in_names(source: Path, tmp_path: Path) -> None:
    (record,) = make_clips(tmp_path / "clips", source, [event(1.0, 2.0, text=HOSTILE)])
    assert record["text"] == HOSTILE.replace("\udc80", "\\udc80")
    assert len(contents(tmp_path / "clips")) == 3
    for path in (tmp_path / "clips").iterdir():
        assert path.is_file()
        assert "\x1b" not in path.read_bytes().decode(errors="replace") or path.suffix != ".json"


@settings(max_examples=50)
@given(st.text(), st.text(), st.integers(1, 10**6), st.floats(0, 1e6))
def test_names_are_short_distinct_and_of_safe_characters(video: str, text: str, number: int, start_s: float) -> None:
    stem = clip_stem(number, video, start_s, text)
    assert stem.startswith(f"{number:04}_")
    assert len(stem.encode()) <= 100
    assert not set(stem) & set('<>:"/\\|?* ')
    assert not any(unicodedata.category(character).startswith("C") for character in stem)
    assert stem[-1] not in ". "


def test_the_next_run_gives_the_same_folder(source: Path, tmp_path: Path) -> None:
    events = [event(0.5, 1.0), event(1.5, 2.0)]
    for options in ({}, {"exact": True}):
        make_clips(tmp_path / "clips", source, events, **options)
        before = contents(tmp_path / "clips")
        make_clips(tmp_path / "clips", source, events, **options)
        assert contents(tmp_path / "clips") == before


def test_clips_of_an_older_run_go_after_a_complete_run_and_foreign_files_never(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    make_clips(folder, source, [event(0.5, 1.0), event(1.5, 2.0)])
    foreign = {"0001_mine.json": b"{}", "0002_v_00h00m01s_mine.mp4": b"mine", "notes.txt": b"x"}
    foreign["0003_v_00h00m01s_mine.json"] = b'{"type": "clip"}'
    for name, content in foreign.items():
        (folder / name).write_bytes(content)
    old = contents(folder)
    with ClipsSink(ClipsOptions(path=str(folder))) as sink:
        sink.begin({})  # a run that ends without results
    assert contents(folder) == old
    make_clips(folder, source, [event(2.0, 2.5)], status="failed")
    assert set(old) < set(contents(folder))
    make_clips(folder, source, [event(2.0, 2.5)])
    stem = "0001_v_00h00m02s_a-person-falls"
    assert set(contents(folder)) == {*foreign, f"{stem}.mp4", f"{stem}.jpg", f"{stem}.json"}
    assert {name: content for name, content in contents(folder).items() if name in foreign} == foreign


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    with locked_folder(tmp_path), pytest.raises(OutputError, match="another run is writing to it"):
        ClipsSink(ClipsOptions(path=str(tmp_path))).load()


def test_standard_output_is_refused() -> None:
    with pytest.raises(OutputError, match="--clips DIR"):
        ClipsSink(ClipsOptions(path="-")).load()


@pytest.mark.parametrize(
    ("uri", "live", "sentence"),
    [("missing.mp4", False, "There is no file"), ("rtsp://u:secret@cam/1", True, "live source"), ("", False, "live")],
)
def test_a_source_that_is_not_here_is_a_sentence(uri: str, live: bool, sentence: str, tmp_path: Path) -> None:
    (record,) = make_clips(tmp_path, uri, [event(1.0, 2.0)], evidence=[evidence(b"a picture")], live=live)
    assert (record["status"], record["clip"], record["thumbnail"]) == ("failed", None, f"{STEM}.jpg")
    assert sentence in record["problem"]
    assert "secret" not in json.dumps(record)
    assert sorted(contents(tmp_path)) == [f"{STEM}.jpg", f"{STEM}.json"]


def test_a_damaged_source_is_a_sentence(source: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(source.read_bytes()[:-200])
    (record,) = make_clips(tmp_path / "clips", damaged, [event(1.0, 2.0)])
    assert record["status"] == "failed"
    assert "cannot be opened as a video" in record["problem"]


def test_a_full_disk_is_an_output_error_and_leaves_no_part(source: Path, tmp_path: Path) -> None:
    program = (
        "import resource, signal\nfrom pathlib import Path\nfrom tests.media.clipping import *\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048))\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"make_clips(Path({str(tmp_path)!r}), {str(source)!r}, [event(1.0, 2.0)])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "OutputError: Cannot write" in done.stderr
    assert sorted(contents(tmp_path)) == [f"{STEM}.json"]
    assert json.loads((tmp_path / f"{STEM}.json").read_text())["status"] == "unfinished"


def test_after_a_kill_the_next_run_finishes_the_folder(source: Path, tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "clips"
    events = [event(0.5, 1.0), event(1.0, 1.5), event(1.5, 2.0)]
    make_clips(whole, source, events, exact=True)
    program = (
        "import os\nfrom pathlib import Path\nfrom tests.media.clipping import *\n"
        "from anyanomaly.media import clip_encode\n"
        "n = 0\nencode = clip_encode._Encoder.encode\n"
        "def dying(self, frame, time_s):\n    global n\n    n += 1\n"
        f"    if n == 30: os.kill(os.getpid(), {signal.SIGKILL:d})\n    encode(self, frame, time_s)\n"
        "clip_encode._Encoder.encode = dying\n"
        f"make_clips(Path({str(folder)!r}), {str(source)!r}, "
        "[event(0.5, 1.0), event(1.0, 1.5), event(1.5, 2.0)], exact=True)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    states = [json.loads(path.read_text())["status"] for path in sorted(folder.glob("*.json"))]
    assert states == ["complete", "unfinished"]
    assert any(path.name.endswith(".partial") for path in folder.iterdir())
    make_clips(folder, source, events, exact=True)
    assert contents(folder) == contents(whole)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs symbolic links")
def test_a_planted_link_is_not_followed(source: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "clips" / f"{STEM}.mp4").symlink_to(tmp_path / "victim")
    with pytest.raises(OutputError, match="it is a link"):
        make_clips(tmp_path / "clips", source, [event(1.0, 2.0)])
    assert (tmp_path / "victim").read_text() == "mine"


def _pixels(path: Path):
    import numpy as np

    return np.asarray(Image.open(path))


@pytest.mark.parametrize(
    ("heading", "model"),
    [("The JSON file of a clip", ClipRecord), ("event", ClipEvent), ("settings", ClipSettings)],
)
def test_every_field_of_the_json_file_is_documented(heading: str, model: type[BaseModel]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "clips.md").read_text()
    section = page.split(f"### {heading}\n")[1].partition("\n#")[0]
    assert [line for line in section.splitlines() if line.startswith("| `")] == rows(model)
