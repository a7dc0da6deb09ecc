"""Folders of images as they come."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from anyanomaly.builtin.read_images import ImageReader
from anyanomaly.builtin.reader_options import ImageReaderOptions
from anyanomaly.cli import main
from anyanomaly.errors import VideoError
from anyanomaly.types import Frame


def picture(folder: Path, name: str, grey: int, shape: tuple[int, ...] = (24, 32, 3)) -> None:
    folder.mkdir(exist_ok=True)
    ok, content = cv2.imencode(Path(name).suffix.lower(), np.full(shape, grey, np.uint8))
    assert ok
    (folder / name).write_bytes(content)


def read(uri: str, frames: list[Frame], fps: float = 25.0) -> None:
    reader = ImageReader(ImageReaderOptions(fps=fps))
    for frame in reader.frames(reader.probe(uri)):
        frames.append(frame)  # noqa: PERF402  # kept frame by frame: the end may raise


def test_natural_order_all_suffixes_and_nothing_else(tmp_path: Path) -> None:
    folder = tmp_path / "cam 1"
    for number, suffix in ((10, ".png"), (2, ".JPG"), (1, ".bmp"), (33, ".webp")):
        picture(folder, f"frame_{number}{suffix}", number * 5)
    (folder / "notes.txt").write_text("x")
    picture(folder, ".hidden.png", 0)
    frames: list[Frame] = []
    read(str(folder), frames, fps=10)
    assert [round(frame.image.mean() / 5) for frame in frames] == [1, 2, 10, 33]
    assert [frame.time_s for frame in frames] == [0, 0.1, 0.2, 0.3]
    assert frames[0].video.id == "cam 1"
    globbed: list[Frame] = []
    read(str(folder / "frame_*.png"), globbed)
    assert (len(globbed), globbed[0].video.id) == (1, "cam 1")


def test_unreadable_images_are_skipped_and_counted(tmp_path: Path) -> None:
    folder = tmp_path / "cam"
    for number in range(8):
        picture(folder, f"{number}.png", 40)
    (folder / "1.png").write_bytes(b"junk")
    (folder / "3.png").write_bytes(b"")
    (folder / "4.png").write_bytes((folder / "4.png").read_bytes()[:40])
    (folder / "6.png").unlink()
    (folder / "6.png").symlink_to("nowhere.png")
    frames: list[Frame] = []
    with pytest.raises(VideoError, match=r"4 of the 8 images .*cam cannot be read and are skipped. .*1\.png is no im"):
        read(str(folder), frames)
    assert [frame.index for frame in frames] == [0, 2, 5, 7]


def test_images_of_other_sizes_are_fitted_and_reported_once(tmp_path: Path) -> None:
    folder = tmp_path / "cam"
    picture(folder, "1.png", 100, (24, 32, 3))
    picture(folder, "2.png", 100, (48, 64, 3))  # the same shape
    picture(folder, "3.png", 100, (12, 12, 3))  # enlarged
    picture(folder, "4.png", 100, (48, 128, 3))  # wider
    reader = ImageReader(ImageReaderOptions())
    video = reader.probe(str(folder))
    frames = list(reader.frames(video))
    whole, borders = np.full((24, 32), 100), np.zeros((24, 32))
    borders[:, 4:28] = 100
    wide = np.zeros((24, 32))
    wide[6:18] = 100
    for frame, truth in zip(frames, (whole, whole, borders, wide), strict=True):
        assert np.array_equal(frame.image, np.repeat(truth[..., None], 3, axis=2))
    (notice,) = reader.notices(video)
    assert notice.startswith("Images of another shape or size")
    assert notice.endswith(": 3 of " + str(folder) + " (first: 2.png).")


def test_shapes_are_not_distorted(tmp_path: Path) -> None:
    folder = tmp_path / "cam"
    picture(folder, "1.png", 0, (40, 100, 3))
    circle = cv2.circle(np.zeros((300, 200, 3), np.uint8), (100, 150), 80, (255, 255, 255), -1)
    cv2.imwrite(str(folder / "2.png"), circle)
    frames: list[Frame] = []
    read(str(folder), frames)
    rows, columns = np.nonzero(frames[1].image[..., 0] > 127)
    assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1)
    assert np.ptp(rows) == pytest.approx(160 * 40 / 300, abs=1.5)


def test_of_an_animation_in_a_folder_the_first_frame_is_used(tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (32, 24), (value, 0, 0)) for value in (250, 20, 30)]
    for name in ("1.gif", "2.webp", "3.png", "4.tif"):
        pictures[0].save(tmp_path / name, save_all=True, append_images=pictures[1:])
    pictures[0].save(tmp_path / "5.gif")
    reader = ImageReader(ImageReaderOptions())
    video = reader.probe(str(tmp_path))
    frames = list(reader.frames(video))
    assert len(frames) == video.n_frames == 5
    assert all(abs(int(frame.image[..., 0].mean()) - 250) < 3 for frame in frames)
    (notice,) = reader.notices(video)
    assert notice == f"Of files with several frames, only the first frame is used: 4 of {tmp_path} (first: 1.gif)."


def test_16_bit_images_that_use_the_low_bits_stay_dark_and_are_reported(tmp_path: Path) -> None:
    values = np.linspace(0, 4095, 24 * 32).reshape(24, 32).astype(np.uint16)
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), values)
    reader = ImageReader(ImageReaderOptions())
    video = reader.probe(str(tmp_path))
    assert [int(frame.image.max()) for frame in reader.frames(video)] == [15, 15]
    (notice,) = reader.notices(video)
    assert notice.startswith("16-bit images that use only the low 12 bits look almost black")


@pytest.mark.parametrize("name", ["cam [1]", "Küche *neu*", "日本 語", "what?", "a{b,c}"])
def test_names_with_blanks_brackets_and_other_scripts(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name / "day [2]"
    folder.parent.mkdir()
    for number in (1, 2, 10):
        picture(folder, f"bild [{number}] ä.JPG", 10 * number)
    picture(folder, "._bild [3] ä.JPG", 0)
    picture(folder, "other.png", 0)
    for uri in (str(folder / "*.JPG"), str(folder / "bild *")):
        frames: list[Frame] = []
        read(uri, frames)
        assert [round(frame.image.mean() / 10) for frame in frames] == [1, 2, 10]
        assert frames[0].video.id == "day [2]"
    frames = []
    read(str(folder), frames)
    assert len(frames) == 4


def test_links_are_followed_and_folders_with_suffixes_are_no_images(tmp_path: Path) -> None:
    picture(tmp_path / "real", "1.png", 50)
    folder = tmp_path / "cam"
    folder.mkdir()
    (folder / "1.png").symlink_to(tmp_path / "real" / "1.png")
    (folder / "2.png").mkdir()
    frames: list[Frame] = []
    read(str(folder), frames)
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [50]
    (tmp_path / "link").symlink_to(folder)
    assert ImageReader(ImageReaderOptions()).probe(str(tmp_path / "link")).id == "link"


@pytest.mark.parametrize("name", ["a.png", "a.JPG", "a.tiff", "a.bmp", "a.ppm"])
def test_one_image_is_a_video_of_one_frame(name: str, tmp_path: Path) -> None:
    picture(tmp_path, name, 70)
    reader = ImageReader(ImageReaderOptions())
    video = reader.probe(str(tmp_path / name))
    assert (video.id, video.n_frames, video.fps) == ("a", 1, 25)
    assert [frame.index for frame in reader.frames(video)] == [0]
    assert not reader.notices(video)


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("none", r"none holds no images \(\.apng, "),
        ("*.png", r"\*\.png matches no images"),
        ("junk", r"None of the 2 images of .*junk can be read. The first: .*1\.png is no image"),
        ("junk/1.png", r"1\.png is no image, or is damaged at its start"),
        ("empty.gif", r"empty\.gif is empty \(0 bytes\)"),
        ("film.gif", r"film\.gif is a video or a HEIC photo.*--reader video"),
        ("nowhere.gif", r"There is no file or folder .*nowhere\.gif"),
        ("nowhere", r"There is no file or folder .*nowhere"),
    ],
)
def test_what_cannot_be_read_is_described(uri: str, message: str, tmp_path: Path) -> None:
    for folder in ("none", "junk"):
        (tmp_path / folder).mkdir()
    for name, content in {
        "junk/1.png": b"junk",
        "junk/2.png": b"junk",
        "empty.gif": b"",
        "film.gif": b"\0\0\0\x20ftypisom" + bytes(90),
    }.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(VideoError, match=message):
        ImageReader(ImageReaderOptions()).probe(str(tmp_path / uri))


@pytest.mark.parametrize("kind", ["folder", "file"])
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("section", [(0.0, math.inf), (0.35, math.inf), (0.0, 0.61), (0.2, 0.7), (0.31, 0.32)])
def test_a_section_gives_the_same_frames_as_reading_all(
    section: tuple[float, float], every: int, kind: str, tmp_path: Path
) -> None:
    pictures = [Image.new("RGB", (32, 24), (20 * number, 0, 0)) for number in range(10)]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=100)
    for number, image in enumerate(pictures):
        image.save(tmp_path / f"{number}.png")
    reader = ImageReader(ImageReaderOptions(fps=10))
    video = reader.probe(str(tmp_path / ("*.png" if kind == "folder" else "a.gif")))
    inside = [frame for frame in reader.frames(video, every=every) if section[0] <= frame.time_s < section[1]]
    frames = list(reader.frames(replace(video, section=section), every=every))
    assert [(frame.index, frame.time_s) for frame in frames] == [(frame.index, frame.time_s) for frame in inside]
    assert all(np.array_equal(frame.image, other.image) for frame, other in zip(frames, inside, strict=True))
    if frames:
        assert frames[-1].end == min(10, math.ceil(round(section[1] * 10, 6)) if section[1] < math.inf else 10)


def test_a_section_behind_the_end_is_an_error(tmp_path: Path) -> None:
    picture(tmp_path, "1.png", 0)
    reader = ImageReader(ImageReaderOptions())
    video = replace(reader.probe(str(tmp_path)), section=(5.0, math.inf))
    with pytest.raises(VideoError, match=r"ends at 0\.00 s, before the start at 5 s"):
        list(reader.frames(video))


PLUGIN = """
from anyanomaly import EncoderSpec, hookimpl

@hookimpl
def anyanomaly_register_encoders():
    return [EncoderSpec(name="colours", summary="Mean colours", target="anyanomaly.testing.fakes:FakeEncoder")]
"""


def test_notices_are_those_of_the_last_reading(tmp_path: Path) -> None:
    for number in range(4):
        picture(tmp_path / "cam", f"{number}.png", 9, (24, 32, 3) if number < 3 else (48, 32, 3))
    reader = ImageReader(ImageReaderOptions(fps=1))
    video = reader.probe(str(tmp_path / "cam"))
    assert len(list(reader.frames(video))) == 4
    assert len(reader.notices(video)) == 1
    assert len(list(reader.frames(replace(video, section=(0.0, 2.5))))) == 3
    assert reader.notices(video) == ()


def test_a_run_reads_animations_and_folders_and_shows_notices(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANYANOMALY_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "colours.py").write_text(PLUGIN)
    colours = [(230, 20, number) if 4 <= number < 8 else (20, 20, 230 + number) for number in range(12)]
    pictures = [Image.new("RGB", (64, 48), colour) for colour in colours]
    pictures[0].save(tmp_path / "clip.gif", save_all=True, append_images=pictures[1:], duration=200)
    folder = tmp_path / "cam [1]"
    folder.mkdir()
    for number, image in enumerate(pictures):
        image.resize((64, 48 if number else 24)).save(folder / f"{number}.png")
    (folder / "5.png").write_bytes(b"junk")
    components = ["--selector", "middle", "--context", "key", "--backend", "similarity", "--encoder", "colours"]
    start = ["-p", str(tmp_path / "colours.py"), "run", "-t", "a red thing", *components, "--segment-frames", "2"]

    def segments(*arguments: str) -> list[dict[str, Any]]:
        output = tmp_path / "scores.jsonl"
        output.unlink(missing_ok=True)
        main([*start, *arguments, "-o", str(output)])
        lines = [json.loads(line) for line in output.read_text().splitlines()]
        return [line for line in lines if line.get("type") == "segment"]

    gif = segments(str(tmp_path / "clip.gif"))
    assert [(line["start"], line["stop"]) for line in gif] == [(start, start + 2) for start in range(0, 12, 2)]
    assert gif[2]["start_s"] == pytest.approx(0.8)
    scores = [line["value"] for line in gif]
    assert min(scores[2:4]) > max(scores[:2] + scores[4:])
    assert len(segments(str(folder), "--start", "0.08")) == 5
    printed = capsys.readouterr().err
    assert "Images of another shape or size than the first one are fitted" in printed
    assert "1 of the 12 images" in printed


def test_names_that_are_no_utf_8_are_printed_and_written(tmp_path: Path) -> None:
    (tmp_path / "colours.py").write_text(PLUGIN)
    pictures = [Image.new("RGB", (32, 24), (230, 20, number)) for number in range(4)]
    pictures[0].save(tmp_path / "1.gif", save_all=True, append_images=pictures[1:], duration=1000)
    os.rename(tmp_path / "1.gif", os.fsencode(tmp_path) + b"/caf\xe9.gif")
    components = ["--selector", "middle", "--context", "key", "--backend", "similarity", "--encoder", "colours"]
    arguments = ["-p", "colours.py", "run", b"caf\xe9.gif", "-t", "a red thing", *components, "--threshold", "0"]
    run = subprocess.run(
        [sys.executable, "-m", "anyanomaly", *arguments, "--json", "-o", "out.jsonl"],
        cwd=tmp_path,
        env={**os.environ, "LC_ALL": "C.UTF-8", "ANYANOMALY_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        check=True,
    )
    assert json.loads(run.stdout)["video"] == r"caf\udce9"
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {line["video"] for line in lines if "video" in line} == {r"caf\udce9"}
