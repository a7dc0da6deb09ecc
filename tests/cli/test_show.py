"""``anyanomaly show``: images, questions and answers of one segment."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from anyanomaly.cli.page import heat
from anyanomaly.config.times import parse_time
from tests.cli.conftest import Cli, Result


@pytest.fixture
def show(cli: Cli) -> Cli:
    def run(*words: str, text: str = "red") -> Result:
        plain = ["--encoder", "colour", "--backend", "red", "--segment-frames", "8", "-d", "page"]
        return cli("show", "street.scene", "-t", text, *plain, *words)

    return run


def test_the_folder_has_images_questions_and_answers(show: Cli) -> None:
    result = show("--at", "1.2")
    assert result.code == 0
    report = json.loads(Path("page/answers.json").read_text())
    assert (report["segment"], report["start"], report["stop"]) == (1, 8, 16)
    (text,) = report["texts"]
    assert text["score"] == 1.0
    assert [context["context"] for context in text["contexts"]] == ["key", "position", "temporal"]
    assert "**red**" in text["contexts"][0]["question"]
    assert text["contexts"][0]["answer"] == "1.0. It is that red."
    names = {path.name for path in Path("page").iterdir()}
    assert {"0-primary.png", "0-key-0.png", "0-position-0.png", "0-position-attention.png", "0-temporal-0.png"} <= names
    assert "1.0. It is that red." in result.out
    assert result.out.splitlines()[-1] == "page/index.html"


def test_the_page_shows_files_that_exist_and_escapes_texts_and_answers(show: Cli) -> None:
    show("--segment", "1", "--backend.words", "1.0 <script>alert(1)</script>", text="<img src=x onerror=y>")
    page = Path("page/index.html").read_text()
    assert "<script" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;" in page
    image_names = re.findall(r'<image id="[^"]+" href="([^"]+)"', page)
    assert {"0-primary.png", "0-position-0.png", "0-temporal-0.png"} <= set(image_names)
    assert all(Path("page", name).is_file() for name in image_names)
    assert "0-position-attention.png" in {path.name for path in Path("page").iterdir()}


def test_an_unreadable_answer_is_null_not_zero(show: Cli) -> None:
    assert "unreadable" in show("--segment", "0", "--backend.words", "no idea").out
    assert json.loads(Path("page/answers.json").read_text())["texts"][0]["score"] is None


def test_which_segment(show: Cli) -> None:
    message = "anyanomaly: Name one segment: --at TIME, --segment N, --event N or --highest."
    assert show("--at", "1", "--segment", "1").error == message
    assert show().error == message
    beyond = show("--at", "1:00")
    assert beyond.code == 2
    assert "has no segment at 60 s; its last is 3" in beyond.error
    assert show("--at", "soon").code == 2


def test_a_folder_that_cannot_be_written(show: Cli) -> None:
    Path("page").write_text("in the way")
    assert show("--segment", "0").code == 6


@pytest.mark.parametrize(("text", "seconds"), [("12", 12), ("0.5", 0.5), ("1:02.5", 62.5), ("01:00:02", 3602)])
def test_times(text: str, seconds: float) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:60", "1:2:3:4", "nan", "1e3", "1.5:00"])
def test_invalid_times(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_time(text)


def test_heat_is_bright_where_the_map_is_high_and_dark_where_it_is_low() -> None:
    image = np.full((40, 60, 3), 128, dtype=np.uint8)
    hot = heat(image, np.array([[0.0, 1.0]]))
    assert hot.shape == image.shape
    assert hot[20, 0].max() < 90
    assert hot[20, -1].min() > 130
    assert heat(image, np.zeros((2, 2))).shape == image.shape
