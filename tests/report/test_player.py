"""The player of a video: linked, embedded, or the reason why there is none. Nothing remote is ever requested."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from anyanomaly.report.player import make_player
from anyanomaly.testing.videos import synthetic_video
from anyanomaly.types import Video


def video(uri: str | Path) -> Video:
    return Video("v", str(uri), 25.0, None, 64, 48)


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("a b.mp4", "./a%20b.mp4"),
        ("javascript:alert(1).mp4", "./javascript%3Aalert%281%29.mp4"),
        ("x?y#z%20.mp4", "./x%3Fy%23z%2520.mp4"),
        ('"><script>alert(1)<.mp4', "./%22%3E%3Cscript%3Ealert%281%29%3C.mp4"),
        ("größe ü.webm", "./gr%C3%B6%C3%9Fe%20%C3%BC.webm"),
    ],
)
def test_a_video_is_linked_relative_to_the_report(tmp_path: Path, name: str, address: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    player = make_player(video(tmp_path / name), str(tmp_path / "r.html"), "link", 1)
    assert (player.source, player.reason) == (address, "")


def test_a_report_elsewhere_links_through_the_folders_between(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"x")
    player = make_player(video(tmp_path / "v.mp4"), str(tmp_path / "out" / "r.html"), "link", 1)
    assert player.source == "./../v.mp4"
    assert make_player(video(tmp_path / "v.mp4"), "-", "link", 1).source == (tmp_path / "v.mp4").as_uri()


def test_a_video_that_was_moved_beside_the_report_is_linked_there(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"x")
    player = make_player(video("/elsewhere/v.mp4"), str(tmp_path / "r.html"), "link", 1)
    assert player.source == "./v.mp4"


def test_an_embedded_video_is_a_data_uri_and_one_that_is_too_large_is_linked(tmp_path: Path) -> None:
    (tmp_path / "v.mp4").write_bytes(b"x" * 2000)
    report = str(tmp_path / "r.html")
    embedded = make_player(video(tmp_path / "v.mp4"), report, "embed", 1)
    assert embedded.source == f"data:video/mp4;base64,{base64.b64encode(b'x' * 2000).decode()}"
    linked = make_player(video(tmp_path / "v.mp4"), report, "embed", 0.001)
    assert linked.source == "./v.mp4"
    assert "--sink.html.embed-max-mb" in linked.reason


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("rtsp://me:secret@host/cam?key=secret", "rtsp://***@host/cam?key=***"),
        ("https://host/v.mp4", "requests nothing from a network"),
        ("", "do not name the video's file"),
        ("gone.mp4", "was not there"),
        ("animation.gif", "cannot play .gif files"),
        (".", "folder of images"),
        ("*.jpg", "folder of images"),
    ],
)
def test_without_a_player_the_report_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "animation.gif").write_bytes(b"GIF89a")
    for mode in ("link", "embed"):
        player = make_player(video(uri), "r.html", mode, 1)
        assert player.source == ""
        assert words in player.reason
        assert "secret" not in player.reason
    assert make_player(video(uri), "r.html", "none", 1).reason == ""


def test_a_codec_that_no_browser_plays_is_named(tmp_path: Path) -> None:
    synthetic_video(tmp_path / "v.mp4", n_frames=4)
    player = make_player(video(tmp_path / "v.mp4"), str(tmp_path / "r.html"), "link", 1)
    assert player.source == ""
    assert "cannot play mpeg4 video" in player.reason
